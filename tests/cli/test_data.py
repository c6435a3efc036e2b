"""The data command: what it prints, draws and says to type next."""

import dataclasses
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from tests.datasets.published.published_files import make
from tf_disentangle import configuration
from tf_disentangle.cli.main import main
from tf_disentangle.datasets import SETS, DSprites, Noisy
from tf_disentangle.visualization import dataset_figure


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no_tfds"))
    monkeypatch.chdir(tmp_path)


def said(capsys, *command):
    """Runs `data`; returns what it printed."""
    code = main(["data", *command])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def refused(capsys, *command):
    """Runs `data`; returns its one message."""
    assert main(["data", *command]) == 2
    return capsys.readouterr().err


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.fixture
def pictures(tmp_path):
    """A folder of the user's."""
    make("faces3d", tmp_path / "pictures")
    return tmp_path / "pictures"


def test_the_list_has_every_set(capsys):
    text = said(capsys, "list")
    for name in (*SETS, "DSprites", "Rooms3D", "Noisy", "Correlated", "ImageFolder"):
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name


def test_info_of_a_set_made_here(capsys):
    text = said(capsys, "info", "DSprites")
    for words in (
        "737,280, as (64, 64, 1)",
        "shape 3, scale 6, orientation 40, x 32, y 32",
        "some different combinations of factors have the same image (equal_images)",
        "The published values of each factor",
    ):
        assert words in text


def test_info_of_what_is_made_from_others(capsys, pictures):
    assert "Images " not in said(capsys, "info", "ImageFolder")
    path = f"--gin_param=ImageFolder.path='{pictures}'"
    assert "5, as (64, 64, 3)" in said(capsys, "info", "ImageFolder", path)
    text = said(capsys, "info", "--gin_file=datasets/noisy.gin")
    assert text.startswith("Noisy\nImages      737,280, as (64, 64, 3)")
    assert "one combination of factors has many images" in text


def test_a_folder_of_the_users_is_drawn(capsys, pictures, tmp_path):
    path = f"--gin_param=ImageFolder.path='{pictures}'"
    size = "--gin_param=ImageFolder.size=32"
    assert said(capsys, "sample", "ImageFolder", path, size) == "ImageFolder.png\n"
    assert pixels(tmp_path / "ImageFolder.png").any()


def test_the_data_of_a_gin_file_are_drawn(capsys, tmp_path):
    (tmp_path / "mine.gin").write_text(
        "include 'vae.gin'\ninclude 'datasets/noisy.gin'"
    )
    said(capsys, "sample", "--gin_file=mine.gin", "--seed=4", "--output=a.png")
    rng, title = np.random.default_rng(4), "Noisy: 737,280 images"
    data = Noisy(DSprites())
    expected = dataset_figure(data, rng, num_sample_rows=4, title=title)
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), expected)


def test_points_are_drawn_too(capsys, tmp_path):
    said(capsys, "sample", "Pinwheel")
    assert len(np.unique(pixels(tmp_path / "Pinwheel.png").reshape(-1, 3), axis=0)) > 2


def test_a_picture_that_is_there_stays(capsys, tmp_path):
    theirs = tmp_path / "Pinwheel.png"
    theirs.write_bytes(b"mine")
    assert "Pinwheel.png'. Remove it, or" in refused(capsys, "sample", "Pinwheel")
    assert theirs.read_bytes() == b"mine"
    said(capsys, "sample", "Pinwheel", "--output=b.png")
    assert pixels(tmp_path / "b.png").any()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sample", "Noisy"], "Noisy needs a value for 'dataset'"),
        (["sample"], "NAME must be one of"),
        (["prepare", "DSprites"], "NAME must be one of 'dsprites'"),
        (["sample", "--gin_file=vae.gin", "mnist"], "NAME must be one of"),
        (["sample", "--gin_param=train.steps=3"], "train.data must be bound"),
        (["sample", "--gin_param=train.data=@DSprites"], "not the class"),
        (
            ["prepare", "mnist", "--gin_file=vae.gin"],
            "only with info or sample",
        ),
    ],
)
def test_mistakes(capsys, command, words):
    assert words in refused(capsys, *command)


def test_prepare_says_how_to_train_on_what_it_prepared(capsys, tmp_path, monkeypatch):
    made = make("mnist", tmp_path / "files")
    counts = {"train": 60_000, "test": 20}
    files = {**made.row.files, "test": made.row.files["train"]}
    row = dataclasses.replace(made.row, counts=counts, files=files)
    monkeypatch.setitem(SETS, "mnist", row)
    where = ("--split=test", "--source=files", "--data_dir=my data")
    line = said(capsys, "prepare", "mnist", *where).splitlines()[-1]
    options = shlex.split(line.removeprefix("Train on it: "))
    configuration.parse([], [o.removeprefix("--gin_param=") for o in options])
    data = configuration.built("train.data")
    np.testing.assert_array_equal(data.images(), made.images)
    assert data.name == "mnist-test"
    said(capsys, "sample", "mnist", "--split=test", "--data_dir=my data")
    # The other split is another set.
    assert "mnist-train must be prepared" in refused(
        capsys, "sample", "mnist", "--data_dir=my data"
    )
