"""OpenVINO's files, two for each signature: NAME.xml, and NAME.bin with the weights.

They are made from ONNX files, which OpenVINO reads in a fiftieth of the time that it
takes to read TensorFlow's own graphs.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino

from tf_disentangle.serving.variants import onnx
from tf_disentangle.serving.variants.comparison import Runner

# Some processors would compute in bfloat16 by default.
_SETTINGS = {"INFERENCE_PRECISION_HINT": "f32"}


def write(signatures: Mapping[str, Any], folder: pathlib.Path, precision: str) -> None:
    """Writes frozen signatures as NAME.xml and NAME.bin."""
    core, halve = openvino.Core(), precision == "float16"
    for name, content in onnx.convert(signatures).items():
        model = core.read_model(content)
        openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=halve)


def load(folder: pathlib.Path) -> dict[str, Runner]:
    """Loads the signatures of a folder, by name, for the processor."""
    core = openvino.Core()
    return {path.stem: _runner(core, path) for path in folder.glob("*.xml")}


def _runner(core: openvino.Core, path: pathlib.Path) -> Runner:
    model = core.read_model(path)
    # Compiled, an output has the names of what it was made of too.
    names = [port.any_name for port in model.outputs]
    compiled = core.compile_model(model, "CPU", _SETTINGS)

    def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        found = compiled.infer_new_request(inputs)  # threads may share it
        pairs = zip(names, compiled.outputs, strict=True)
        return {name: np.array(found[port]) for name, port in pairs}

    return run
