"""Tiny runs, their pages, and one browser for all tests of the explorer.

Chromium is Debian's, at /usr/bin/chromium or where $CHROMIUM says; the pages are opened
as files with the network off.
"""

import os
import pathlib
import shutil

import numpy as np
import pytest

from tests.contracts.test_models import ROOT, trained
from tf_disentangle import explorer, load

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FACTORS = ["x", "y", "scale", "rotation"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-precise-memory-info"]


@pytest.fixture(scope="session")
def runtime(own_cache):
    """ONNX Runtime Web in this run's cache, which is empty."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, which fetches ONNX Runtime Web")
    if not explorer.has_runtime():
        pytest.skip("npm could not fetch ONNX Runtime Web")


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not pathlib.Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def made_lively(run):
    """Weights of a decoder that shows each latent, and a score that names them."""
    rng = np.random.default_rng(0)
    for variable in [*run.model.encoder.variables, *run.model.decoder.variables]:
        noise = rng.uniform(-0.3, 0.3, variable.shape)
        variable.assign(variable + noise.astype(np.float32))
    size = run.model.latents.num_latents
    names = [FACTORS[i] if i < 4 else "" for i in range(size)]
    votes = [[9 * (FACTORS[k] == name) + 1 for k in range(4)] for name in names]
    score = {"score": 0.5, "factor_of_latent": names, "votes": votes}
    run.folder.append({"step": run.step, "scores": {"factor_vae": score}})
    return run


@pytest.fixture(scope="session")
def make_run(tmp_path_factory, own_cache):
    """Returns runs by the name of their gin file; made once."""
    made = {}

    def make(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("runs") / name
            trained(ROOT / f"{name}.gin", folder)
            made[name] = made_lively(load(folder))
        return made[name]

    return make


@pytest.fixture(scope="session")
def page_of(make_run, runtime, tmp_path_factory):
    """Returns the file of the explorer of some runs; made once."""
    made = {}

    def make(*names):
        if names not in made:
            path = tmp_path_factory.mktemp("pages") / "-".join(names)
            page = explorer.explore(*map(make_run, names))
            made[names] = page.save(path.with_suffix(".html"))
        return made[names]

    return make
