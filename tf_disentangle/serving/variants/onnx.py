"""ONNX files, made by tf2onnx and run by ONNX Runtime: one for each signature."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import tf2onnx

from tf_disentangle.serving.variants.comparison import Runner

# The newest that tf2onnx writes; ONNX Runtime since 1.14 and its browser build read it.
_OPSET = 18
# Smaller ones, biases for example, are not worth a cast.
_FEWEST_HALVED = 256


def convert(signatures: Mapping[str, Any], precision: str = "float32") -> dict:
    """Returns frozen signatures as ONNX files, by name, bytes."""
    return {name: _convert(f, precision) for name, f in signatures.items()}


def write(signatures: Mapping[str, Any], folder: pathlib.Path, precision: str) -> None:
    """Writes frozen signatures as NAME.onnx."""
    for name, content in convert(signatures, precision).items():
        (folder / f"{name}.onnx").write_bytes(content)


def load(folder: pathlib.Path) -> dict[str, Runner]:
    """Loads the signatures of a folder, by name."""
    return {path.stem: runner(path.read_bytes()) for path in folder.glob("*.onnx")}


def runner(content: bytes) -> Runner:
    """Returns a function of the inputs of an ONNX file, on the processor."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(**inputs: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return run


def _convert(signature: Any, precision: str) -> bytes:
    specs = signature.input_signature
    model, _ = tf2onnx.convert.from_function(signature, specs, opset=_OPSET)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    if precision == "float16":
        _halve(model.graph)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _halve(graph: Any) -> None:
    """Stores weights as float16; a cast, done once at loading, makes them float32."""
    casts = []
    for weights in graph.initializer:
        values = onnx.numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= _FEWEST_HALVED:
            name, half = weights.name, f"{weights.name}_float16"
            halved = onnx.numpy_helper.from_array(values.astype(np.float16), half)
            weights.CopyFrom(halved)
            to = onnx.TensorProto.FLOAT
            casts.append(onnx.helper.make_node("Cast", [half], [name], to=to))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
