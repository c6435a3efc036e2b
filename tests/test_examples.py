"""The examples run as they stand: of docstrings that people read first, and files."""

import doctest
import functools
import importlib
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

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
    "serving.Client",
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


@pytest.mark.slow
def test_ray_serve_answers_as_the_model_does(tmp_path):
    """Forty lines in a process of their own, and a client that takes them for ours."""
    pytest.importorskip("ray.serve")
    from tf_disentangle.models import build_vae
    from tf_disentangle.networks import mlp_decoder, mlp_encoder
    from tf_disentangle.serving import Client, InvalidRequestError

    networks = {"encoder": mlp_encoder, "decoder": mlp_decoder}
    narrow = {n: functools.partial(f, width=8) for n, f in networks.items()}
    model = build_vae((8, 8, 1), **narrow)
    model.export(str(tmp_path / "exports" / "tiny" / "1"), verbose=False)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    example = ROOT / "examples" / "ray_serve.py"
    process = subprocess.Popen(
        [sys.executable, example, "exports", "--replicas=1", f"--port={port}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        while "Serving at" not in (line := process.stdout.readline()):
            assert line, "it ended before it served"
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
        with Client(f"http://localhost:{port}", "tiny") as client:
            assert client.status() == {1: "AVAILABLE"}
            found = client.encode(images)
            with pytest.raises(InvalidRequestError, match="images"):
                client.encode(images[:, :4])
        np.testing.assert_allclose(found, model.encode(images), rtol=1e-5, atol=1e-6)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
