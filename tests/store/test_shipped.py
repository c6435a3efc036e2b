"""The models that come with the library."""

import json
import os
import subprocess

import numpy as np
import pytest

import tf_disentangle as td
from tf_disentangle import checks, store
from tf_disentangle.cli import main

NAMES = sorted(store.shipped())
MOST_BYTES = 2_000_000


def test_there_is_one_of_each():
    assert NAMES == [
        "beta_vae_ellipses",
        "chyvae_ellipses",
        "factor_vae_dsprites",
        "factor_vae_ellipses",
        "jointvae_invariant_mnist",
        "jointvae_mnist",
    ]
    for name, text in store.shipped().items():
        assert len(text) > 50, name


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_as_it_was_published(name):
    folder = store.locate(f"store:{name}")
    assert sum(f.stat().st_size for f in folder.rglob("*")) <= MOST_BYTES
    assert not list(folder.glob("*/*"))  # The wheel takes one level.
    done = ["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(done, cwd=folder, check=False).returncode == 0
    published = store.folder_of(f"store:{name}")
    assert published.name == name and not published.describe()["modules"]
    assert len(published.examples().images) == 60


@pytest.fixture(scope="module", params=NAMES)
def run(request):
    return td.load(f"store:{request.param}")


def test_it_encodes_and_decodes(run):
    images = run.examples.images
    codes = run.encode(images)
    kept = run.folder.path / "codes.npz"
    assert codes.shape[1] == np.load(kept)["codes"].shape[1]
    decoded = run.decode(codes)
    # It is a trained model: nearer to an image than the mean of all is.
    floats = images / 255.0
    error = np.square(decoded - floats).mean()
    assert error < 0.5 * np.square(floats - floats.mean(axis=0)).mean()


def test_it_is_looked_at_without_its_data_set(run):
    first = run.model.latents.columns[0].name
    picture = run.traversals(latents=[first], values=[-1.0, 0.0, 1.0])
    assert len(picture.texts) >= 1 and run._data is None
    assert run.step == run.history[-1]["step"]


def test_the_card_has_the_scores_of_its_file(run):
    folder = run.folder.path
    text = (folder / "README.md").read_text()
    rows = [row for row in run.history if row["step"] == run.step]
    recorded = {k: v for row in rows for k, v in row.get("scores", {}).items()}
    scores = json.loads((folder / "scores.json").read_text())
    assert scores
    for name, score in scores.items():
        # Each is of a row, which bin/evaluate wrote.
        assert score["score"] == recorded[name]["score"]
        assert f"| {name} | {score['score']:.4g} |" in text.replace(" |  |", " |")


def test_mnist_need_not_be_there_for_all_but_scores(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run = td.load("store:jointvae_mnist")
    assert td.explorer.explore(run, server="http://localhost:1").page
    assert run.sample(2).shape == (2, 32, 32, 1)
    with pytest.raises(checks.ArgumentError, match="mnist") as error:
        run.score("mig")
    assert "prepare" in str(error.value)
    code = main.main(["visualize", "store:jointvae_mnist", "--output=pictures"])
    said = capsys.readouterr().err
    assert code == 2 and "bin/data prepare" in said
    assert "bin/explore store:jointvae_mnist" in said
    assert not os.listdir(tmp_path)
