"""bin/explore, in this process."""

import pathlib
import shutil
import webbrowser

import numpy as np
import pytest

from tests.explorer.conftest import made_lively, opened
from tests.explorer.test_page import described
from tests.explorer.view import assert_shows
from tf_disentangle import explorer, load
from tf_disentangle.cli import explore, main


@pytest.fixture
def shown(monkeypatch):
    """The addresses that a browser was asked to show."""
    addresses = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


@pytest.fixture
def folder(make_run):
    return make_run("vae").folder.path


def test_it_writes_the_page_and_opens_it(folder, runtime, shown, capsys):
    assert main.main(["explore", str(folder)]) == 0
    path = folder / "explorer.html"
    assert capsys.readouterr().out == f"{path}\n"
    assert shown == [path.as_uri()]
    assert described(path)["runs"][0]["name"] == "vae"


@pytest.fixture
def namesake(folder, tmp_path):
    """A copy of the run in another folder of the same name."""
    copy = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, copy)
    return copy


def test_output_writes_it_only(folder, shown, tmp_path, capsys, namesake):
    path = tmp_path / "x.html"
    server = "http://localhost:8501"
    other = namesake.rename(namesake.with_name("other"))
    runs = [str(folder), str(other)]
    options = [f"--output={path}", f"--server={server}"]
    assert main.main(["explore", *runs, *options]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert not shown
    told = described(path)
    assert told["server"] == server
    assert [run["folder"] for run in told["runs"]] == ["vae", "other"]


def test_two_runs_of_one_name_need_two_on_a_server(folder, namesake, capsys):
    runs = [str(folder), str(namesake)]
    assert main.main(["explore", *runs, "--server=http://localhost:8501"]) == 2
    error = capsys.readouterr().err
    assert "runs must have different names on the server; received" in error
    assert "rename a run's folder" in error


@pytest.fixture
def no_runtime(monkeypatch):
    """ONNX Runtime Web is nowhere; returns how often it was looked for."""
    calls = []

    def find():
        calls.append(1)
        raise explorer.RuntimeMissingError("ONNX Runtime Web must be at hand")

    monkeypatch.setattr(explorer.runtime, "find", find)
    return calls


def test_without_the_runtime_a_file_cannot_be_written(folder, no_runtime, capsys):
    assert main.main(["explore", str(folder), "--output=x.html"]) == 2
    assert "ONNX Runtime Web must be at hand" in capsys.readouterr().err


def test_without_the_runtime_a_local_server_runs_the_model(
    folder, namesake, monkeypatch, shown, browser, capsys, no_runtime
):
    """The page that is opened is looked at while the command waits for Ctrl-C.

    Two runs have folders of one name, and each panel shows its own.
    """
    runs = [load(folder), load(namesake)]
    made_lively(runs[1], np.random.default_rng(9))
    loaded = [*runs]
    monkeypatch.setattr(explore.run_flags, "load", lambda values: loaded.pop(0))

    def look():
        path = pathlib.Path(shown[0].removeprefix("file://"))
        view = opened(browser, path, offline=False)
        view.settle()
        for place, run in enumerate(runs):
            panel = f".panel:nth-child({place + 1}) .large canvas"
            assert_shows(view, run, panel, place)
        assert not view.errors
        view.page.context.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(explore, "_wait", look)
    assert main.main(["explore", str(folder), str(namesake)]) == 130
    assert "a local server runs the model" in capsys.readouterr().err
    assert len(no_runtime) == 1
