"""The exported step of benchmarks/gpu.py: its text, its FLOPs, its arguments."""

import importlib.util
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("gpu", ROOT / "benchmarks/gpu.py")
gpu = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gpu)


def conv_macs():
    """The products of a forward pass for an image, the first layer's first.

    Of a convolution: the side of its smaller image, and the channels of both.
    """
    encoder = [(32, 1, 32), (16, 32, 32), (8, 32, 64), (4, 64, 64)]
    decoder = [(4, 64, 64), (8, 64, 32), (16, 32, 32), (32, 32, 1)]
    convolutions = [side**2 * 16 * a * b for side, a, b in encoder + decoder]
    return [*convolutions, 1024 * 128, 128 * 20, 10 * 128, 128 * 1024]


FEW = "CorrelatedEllipses.num_images = 3000"
PERCEPTRONS = ["build_vae.encoder = @mlp_encoder", "build_vae.decoder = @mlp_decoder"]
# Bindings, and the products of a forward pass.
NETWORKS = {
    "perceptrons": (PERCEPTRONS, [4096 * 100, 100 * 20, 10 * 100, 100 * 4096]),
    "convolutions": ([], conv_macs()),
}


@pytest.fixture(
    scope="module",
    params=["perceptrons", pytest.param("convolutions", marks=pytest.mark.slow)],
)
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    bindings, macs = NETWORKS[request.param]
    stem, step = gpu.export_step(folder, "vae", 2, "float32", [FEW, *bindings])
    return folder, stem, {**step, "macs": macs}


def test_a_program_is_stablehlo_alone(exported):
    folder, stem, _ = exported
    text = (folder / f"{stem}.mlir").read_text(encoding="utf-8")
    assert "#loc" not in text
    assert "loc(" not in text
    assert not re.findall(r"= (?:mhlo|chlo)\.", text)
    assert "custom_call" not in text
    settings = re.findall(r"stablehlo\.(?:convolution|dot\w*)\b.*", text)
    assert len(settings) >= 11
    assert all("DEFAULT" in line for line in settings)


def test_useful_flops_are_those_of_the_layers(exported):
    """The forward pass by hand, three times: but for the first layer's input."""
    *_, step = exported
    macs = step["macs"]
    assert step["flops"] == 2 * step["batch"] * (3 * sum(macs) - macs[0])


def test_every_variable_is_an_argument_and_what_moves_an_output(exported):
    folder, stem, step = exported
    text = (folder / f"{stem}.mlir").read_text(encoding="utf-8")
    kinds = [argument["kind"] for argument in step["arguments"]]
    moved = [kinds.count(kind) for kind in ("weight", "momentum", "velocity")]
    assert moved == 3 * [2 * len(step["macs"])]  # a kernel and a bias for each layer
    signature = re.search(r"func\.func @main\((.*?)\) ->", text)[1]
    given = re.findall(r"tensor<([\w]+)>", signature)
    types = {"float32": "f32", "int64": "i64"}
    expected = [
        "x".join([*map(str, a["shape"]), types[a["dtype"]]]) for a in step["arguments"]
    ]
    assert given == ["2x64x64x1xui8", *expected]
    # All but the learning rate; argument 0 is the batch.
    still = set(range(1, len(kinds) + 1)) - set(step["aliases"].values())
    (rate,) = [step["arguments"][i - 1]["name"] for i in still]
    assert "learning_rate" in rate


def test_what_tensorflow_computed_is_a_step(exported):
    """The weights moved by Adam's rule from the state that both machines draw."""
    folder, stem, step = exported
    outputs = gpu.expected(folder, stem)
    values = gpu.values_of(step["arguments"], step["image_shape"])
    place = {argument: int(output) for output, argument in step["aliases"].items()}
    rate = next(a["value"] for a in step["arguments"] if "learning_rate" in a["name"])
    kinds = [None, *(argument["kind"] for argument in step["arguments"])]
    weights, first, second = (
        [i for i, kind in enumerate(kinds) if kind == name]
        for name in ("weight", "momentum", "velocity")
    )
    done = gpu.STEPS_BEFORE + 1
    scale = rate * np.sqrt(1 - 0.999**done) / (1 - 0.9**done)
    for w, m, v in zip(weights, first, second, strict=True):
        moved = outputs[place[w]] - gpu.sampled(values[w])
        rule = -scale * outputs[place[m]] / (np.sqrt(outputs[place[v]]) + 1e-7)
        np.testing.assert_allclose(moved, rule, rtol=0.05, atol=2e-7)
    for number, argument in enumerate(step["arguments"], 1):
        if argument["name"].endswith(("steps:0", "iteration:0")):
            assert outputs[place[number]] == done


def test_jax_computes_the_same(exported, tmp_path):
    pytest.importorskip("jax")
    folder, stem, step = exported
    manifest = json.dumps({"steps": {stem: step}})
    (folder / "manifest.json").write_text(manifest)
    arguments = [str(folder), "--batches", "2", "--steps", "1", "--rounds", "1"]
    command = [sys.executable, ROOT / "benchmarks/gpu.py", "time", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "vae, float32, batch 2" in done.stdout
