"""`tf_disentangle help`: the commands, and the pages of the guide, also installed."""

import pathlib
import re

import pytest

from tf_disentangle.cli import main as commands
from tf_disentangle.cli import pages
from tf_disentangle.cli.main import main

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_it_lists_commands_and_pages_those_for_newcomers_first(capsys):
    assert main(["help"]) == 0
    text = capsys.readouterr().out
    listed = re.findall(r"^  (\w+) +[a-zA-Z]", text, re.MULTILINE)
    assert listed[: len(commands.COMMANDS)] == [*commands.COMMANDS]
    assert listed[len(commands.COMMANDS) :][:2] == ["get_started", "your_images"]
    assert {p.stem for p in ROOT.glob("docs/guide/*.md")} <= set(listed)


def test_a_command_and_a_page_are_shown(capsys):
    assert main(["help", "train"]) == 0
    assert capsys.readouterr().out.startswith("Usage: tf_disentangle train ")
    assert main(["help", "your_images"]) == 0
    page = (ROOT / "docs" / "guide" / "your_images.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == page


def test_an_unknown_topic_is_answered_with_the_nearest(capsys):
    assert main(["help", "your_image"]) == 2
    assert "Did you mean your_images?" in capsys.readouterr().err
    assert main(["help", "qwertyuiop"]) == 2
    assert "tf_disentangle help shows them" in capsys.readouterr().err


def test_every_page_that_a_message_names_is_there():
    sources = [p.read_text("utf-8") for p in ROOT.glob("tf_disentangle/**/*.py")]
    named = [re.findall(r"""\bsee\(["'](\w+)["']\)""", text) for text in sources]
    named += [re.findall(r"tf_disentangle help ([a-z_]+)\b", text) for text in sources]
    named = {name for names in named for name in names}
    assert len(named) > 4
    assert named <= {*pages.pages()} | {"shows"}


def test_no_page_replaces_one_of_the_guide_with_the_same_name(tmp_path, monkeypatch):
    names = [p.stem for f in ("docs", "docs/guide") for p in ROOT.glob(f"{f}/*.md")]
    names = [name for name in names if name != "index"]
    assert len(set(names)) == len(names)
    (tmp_path / "guide").mkdir()
    for file in ("same.md", "guide/same.md", "other.md", "index.md"):
        (tmp_path / file).write_text("# Title")
    monkeypatch.setattr(pages, "_PLACES", (tmp_path,))
    assert list(pages.pages()) == ["same", "other"]
    assert pages.pages()["same"] == tmp_path / "guide" / "same.md"


@pytest.mark.parametrize(
    ("here", "installed"),
    [
        ("bin/train --gin_file=gin/vae.gin", "tf_disentangle train --gin_file=vae.gin"),
        ("x=$(bin/list)", "x=$(tf_disentangle list)"),
        (".venv/bin/python /usr/bin/env", ".venv/bin/python /usr/bin/env"),
    ],
)
def test_examples_are_typed_otherwise_where_it_is_installed(
    here, installed, monkeypatch
):
    assert pages.as_typed(here) == here
    monkeypatch.setattr(pages, "IS_CHECKOUT", False)
    assert pages.as_typed(here) == installed


def test_a_setting_given_as_an_option_is_answered_with_its_binding(capsys):
    assert main(["train", "--gin_file=vae.gin", "--epochs=3"]) == 2
    assert "--gin_param='train.epochs = VALUE'" in capsys.readouterr().err


def test_a_gin_file_without_its_option_or_ending_is_answered_with_both(capsys):
    assert main(["train", "beta_vae"]) == 2
    assert "Did you mean --gin_file=beta_vae.gin?" in capsys.readouterr().err


def test_an_error_of_an_installed_command_has_its_name(monkeypatch, capsys):
    monkeypatch.setattr(pages, "IS_CHECKOUT", False)
    assert main(["train"]) == 2
    said = capsys.readouterr().err
    assert "For example: tf_disentangle train --gin_file=chyvae.gin" in said
