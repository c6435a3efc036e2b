"""One LiteRT (TensorFlow Lite) file that holds all signatures and each weight once."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from tf_disentangle.serving.variants.comparison import Runner

_FILE = "model.tflite"


def write(signatures: Mapping[str, Any], folder: pathlib.Path, precision: str) -> None:
    """Writes frozen signatures into one file.

    int8 keeps the weights in eight bits and computes activations' ranges as it runs
    ("dynamic range quantisation").
    """
    module = tf.Module()
    for name, signature in signatures.items():
        setattr(module, name, signature)
    concrete = {n: f.get_concrete_function() for n, f in signatures.items()}
    # Only from a SavedModel can several signatures be converted.
    with tempfile.TemporaryDirectory() as saved:
        tf.saved_model.save(module, saved, signatures=concrete)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            saved, signature_keys=list(signatures)
        )
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        (folder / _FILE).write_bytes(converter.convert())


def load(folder: pathlib.Path) -> dict[str, Runner]:
    """Loads the signatures, by name. They share buffers: one call at a time."""
    interpreter = Interpreter(model_content=(folder / _FILE).read_bytes())
    names = interpreter.get_signature_list()
    return {name: interpreter.get_signature_runner(name) for name in names}
