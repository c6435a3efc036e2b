"""The page of every model of gin's top level, at its own size (slow)."""

import numpy as np
import pytest

from tests.contracts.test_models import ROOT, trained
from tests.explorer.view import assert_shows
from tf_disentangle import checks, explorer, load

# Of images; what the pinwheel's are told is in test_page.py.
FILES = [path for path in sorted(ROOT.glob("*.gin")) if path.stem != "pinwheel"]
FULL = ["conv_encoder.width = 256", "conv_decoder.width = 256"]  # of gin/networks


def lively(run):
    """A decoder that answers to each latent, as after a training."""
    rng = np.random.default_rng(0)
    for variable in run.model.decoder.variables:
        noise = rng.uniform(-0.1, 0.1, variable.shape)
        variable.assign(variable + noise.astype(np.float32))
    return run


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_control_draws_what_the_model_decodes(
    file, runtime, own_cache, open_page, tmp_path
):
    trained(file, tmp_path / "run")
    run = lively(load(tmp_path / "run"))
    view = open_page(explorer.explore(run).save(tmp_path / "page.html"))
    view.settle()
    assert_shows(view, run)
    for i, column in enumerate(run.model.columns):
        first = view.pixels("#stage .large canvas")
        if column.kind == "categorical":
            value = (int(view.codes()[0, i]) + 1) % column.num_values
            view.page.check(f"input[name=latent-{i}][value='{value}']", force=True)
        else:
            ends = view.page.evaluate(f"explorer.runs[0].latents[{i}]")
            middle = (ends["low"] + ends["high"]) / 2
            at_low = view.codes()[0, i] < middle
            view.slide(i, ends["high"] if at_low else ends["low"])
        view.settle()
        assert_shows(view, run)
        moves = view.page.evaluate(f"explorer.runs[0].latents[{i}].moves")
        changed = (view.pixels("#stage .large canvas") != first).any()
        assert changed or not moves


@pytest.mark.slow
def test_the_size_and_the_start_of_a_model_as_published(
    runtime, own_cache, open_page, tmp_path
):
    trained(ROOT / "chyvae.gin", tmp_path / "run", *FULL)
    run = load(tmp_path / "run")
    assert run.model.image_shape == (64, 64, 1)
    page = explorer.explore(run).save(tmp_path / "page.html")
    view = open_page(page)
    ready = view.page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    print(f"{page.stat().st_size / 1e6:.2f} MB, ready after {ready / 1e3:.2f} s")
    assert page.stat().st_size <= 8e6
    assert ready < 3000


@pytest.mark.slow
def test_the_pinwheel_is_refused(own_cache, tmp_path):
    trained(ROOT / "pinwheel.gin", tmp_path / "run")
    with pytest.raises(checks.ArgumentError, match="bin/visualize RUN draws vectors"):
        explorer.explore(load(tmp_path / "run"))
