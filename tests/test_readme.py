"""What README.md says: its counts, its picture's caption, its figures, its citation."""

import pathlib
import re

import numpy as np
import pytest

import tf_disentangle
from tests.test_reproduction import ROWS, ledger, loaded
from tf_disentangle import datasets, metrics, objectives, priors
from tf_disentangle.cli import data as data_command

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
IN_ONE_LINE = re.sub(r"\s+", " ", README)


def test_the_counts_are_the_registrys():
    forms = {"Objective", "AdversarialObjective"}  # what the others are made of
    models = {*objectives.OBJECTIVES, *objectives.ADVERSARIAL_OBJECTIVES} - forms
    drawn = data_command._made_here()
    assert f"{len(models)} published models" in IN_ONE_LINE
    assert f"{len(priors.PRIORS)} priors, {len(metrics.METRICS)} metrics" in IN_ONE_LINE
    assert (
        f"{len(drawn)} data sets drawn on your machine and loaders for "
        f"{len(datasets.SETS)} published ones" in IN_ONE_LINE
    )


def test_the_table_is_what_the_command_makes():
    assert ledger.readme() == README, "run benchmarks/reproduction.py"
    assert ledger.BETWEEN.search(README)


def test_no_published_number_is_left_out_of_the_table():
    numbers = [row for row in ROWS if isinstance(row.published, int | float)]
    assert len(numbers) > 5
    assert [row.id for row in numbers if not row.readme] == []
    for row in ROWS:
        if row.readme:
            assert list(row.readme) == ["model", "paper", "data", "measure"], row.id


def test_figures_in_the_text_are_the_ledgers():
    rows = {row.id: row for row in ROWS}
    accuracy = rows["joint_vae_mnist_accuracy"]
    assert (
        "JointVAE in the paper's setting, which also comes with the library, "
        f"identifies {accuracy.by_seed[0]:.0%} (seed 0, 30,000 steps), and the paper "
        f"says {accuracy.published:.0%}" in IN_ONE_LINE
    )
    assert (accuracy.seeds[0], accuracy.steps) == (0, 30_000)
    (theirs,) = re.findall(r"seed 0 it identifies ([\d.]+) of the digits", IN_ONE_LINE)
    assert f"gives {theirs} " in accuracy.gap
    (shipped,) = re.findall(
        r"they shipped identifies ([\d.]+) of the same", IN_ONE_LINE
    )
    assert f"shipped has {shipped} " in accuracy.gap
    ours = rows["beyond_invariant"]
    assert f"identifies {ours.ours} of them, the mean of five seeds" in IN_ONE_LINE
    assert len(ours.seeds) == 5
    assert f"c0 identifies {ours.by_seed[0]:.0%} of the test digits" in IN_ONE_LINE


def test_the_caption_is_what_is_measured():
    figures = loaded("readme_figures")
    run = tf_disentangle.load(figures.MODEL)
    assert figures.caption(run) in IN_ONE_LINE
    seed = run.folder.describe()["training"]["seed"]
    assert f"setting of ours, seed {seed}, {run.step:,} steps" in IN_ONE_LINE
    assert {row.id: row for row in ROWS}["beyond_invariant"].seeds[0] == seed


def test_slants_are_those_of_sheared_bars():
    """A bar that is sheared by tan(a) leans by a."""
    figures = loaded("readme_figures")
    y, x = np.mgrid[:64, :64]
    for degrees in (-30, 0, 20):
        lean = np.tan(np.radians(degrees)) * (32 - y)
        bar = (np.abs(x - 32 - lean) < 4) & (np.abs(y - 32) < 15)
        found = figures.slants(bar[np.newaxis].astype(float))
        np.testing.assert_allclose(found, [degrees], atol=1.0)


def test_the_citation_agrees_with_the_citation_file():
    yaml = pytest.importorskip("yaml")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    entry = dict(re.findall(r"^  (\w+) += \{+(.*?)\}+,?$", README, re.MULTILINE))
    assert cited["title"] == entry["title"]
    assert cited["version"] == entry["version"] == tf_disentangle.__version__
    assert cited["license"] == entry["license"]
    assert [author["name"] for author in cited["authors"]] == [entry["author"]]
