"""The examples in the docstrings of what people call first run as they stand."""

import doctest
import importlib

import pytest

# Each must have an example. Others may, and are added here.
FIRST = [
    "",  # train and load, in the docstring of the package
    "datasets.DSprites",
    "distributions.InverseWishart",
    "latents.GaussianLatents",
    "metrics.evaluate",
    "metrics.mig_score",
    "models.build_vae",
    "networks.conv_encoder",
    "objectives.beta_vae",
]


@pytest.mark.parametrize("name", FIRST)
def test_the_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Whatever it writes is not left behind.
    room, _, item = f"tf_disentangle.{name}".rpartition(".")
    documented = importlib.import_module(room)
    documented = getattr(documented, item) if item else documented
    finder = doctest.DocTestFinder(recurse=False, exclude_empty=False)
    (test,) = finder.find(documented, name or room, module=False, globs={})
    assert test.examples, "there is no example"
    said = []
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        test, out=said.append
    )
    assert not result.failed, "".join(said)
