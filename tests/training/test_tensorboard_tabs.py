"""TensorBoard's tabs in a browser, for runs of a VAE, a JointVAE and an InfoGAN.

The pictures go where TENSORBOARD_PICTURES says, to be looked at.
"""

import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

import tf_disentangle
from tests.conftest import CHROMIUM
from tf_disentangle import latents, models, networks, objectives
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.training import Intervals

pytestmark = pytest.mark.slow

# What each tab shows once it has drawn the runs.
TABS = {
    "timeseries": "loss_terms",
    "scalars": "loss_terms",
    "custom_scalars": "loss_terms",
    "images": "pictures/per_latent_kl",
    "distributions": "per_latent_codes/z0",
    "histograms": "per_latent_codes/z0",
    "text": "configuration",
    "hparams": "objective",
    # Its text cannot be searched: it is told by the sprites that it asks for.
    "projector": "projector/sprite_image",
}
WEBGL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def joint():
    continuous = latents.GaussianLatents(3)
    return latents.JointLatents(continuous, latents.CategoricalLatents([3]))


def build(kind):
    encoder = functools.partial(networks.mlp_encoder, width=8)
    decoder = functools.partial(networks.mlp_decoder, width=8)
    parts = {"encoder": encoder, "decoder": decoder}
    if kind == "vae":
        return functools.partial(models.build_vae, **parts)
    if kind == "joint_vae":
        objective = objectives.joint_vae()
        build = functools.partial(models.build_vae, latents=joint())
        return functools.partial(build, objective=objective, **parts)
    build = functools.partial(models.build_infogan, latents=joint(), num_noise=2)
    return functools.partial(build, critic=encoder, **parts)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    every = Intervals(log=2, evaluate=2, save=4, pictures=4)
    for kind in ("vae", "joint_vae", "infogan"):
        tf_disentangle.train(
            build(kind),
            CorrelatedEllipses(num_images=80),
            steps=8,
            batch_size=8,
            validation_size=16,
            intervals=every,
            output=folder / kind,
        )
    return folder


@pytest.fixture(scope="module")
def address(logdir):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(pathlib.Path(sys.executable).with_name("tensorboard"))
    server = subprocess.Popen(
        [program, f"--logdir={logdir}", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while not set(TABS) <= ready_tabs(url):
            assert time.monotonic() < deadline, ready_tabs(url)
            time.sleep(1)
        yield url
    finally:
        server.terminate()
        server.wait(60)


def ready_tabs(url):
    """Returns the tabs that have something to show; none while it starts."""
    try:
        with urllib.request.urlopen(f"{url}/data/plugins_listing", timeout=60) as page:
            tabs = json.load(page)
    except OSError:
        return set()
    return {name for name, tab in tabs.items() if tab["enabled"]}


def test_runs_are_called_as_their_folders(address):
    with urllib.request.urlopen(f"{address}/data/runs", timeout=60) as page:
        runs = set(json.load(page))
    kinds = ("vae", "joint_vae", "infogan")
    parts = ("", "/validation")
    assert {kind + part for kind in kinds for part in parts} <= runs


def test_every_tab_shows_the_runs_and_asks_no_other_host(playwright, address, tmp_path):
    pictures = pathlib.Path(os.environ.get("TENSORBOARD_PICTURES", tmp_path))
    errors, elsewhere = [], []
    arguments = ["--no-sandbox", "--no-first-run", *WEBGL]
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(request):
        if not request.url.startswith((address, "data:", "blob:")):
            elsewhere.append(request.url)

    page.on("request", note)
    for tab, shown in TABS.items():
        page.goto(f"{address}/#{tab}", wait_until="domcontentloaded")
        if tab == "projector":
            with page.expect_response(f"**/{shown}**") as answer:
                page.reload(wait_until="domcontentloaded")
            assert answer.value.ok
        else:
            page.reload(wait_until="domcontentloaded")
            page.get_by_text(shown).locator("visible=true").first.wait_for()
        page.wait_for_timeout(3000)  # The charts are drawn after their titles.
        page.screenshot(path=pictures / f"{tab}.png")
    browser.close()
    assert not errors
    assert not elsewhere
