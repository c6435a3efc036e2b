"""Exported models for runtimes other than TensorFlow: ONNX Runtime, OpenVINO, LiteRT.

    folder/encode.onnx, decode.onnx, reconstruct.onnx, edit.onnx       variant "onnx"
    folder/encode.xml, encode.bin, decode.xml, ...                     "openvino"
    folder/model.tflite, which holds the four signatures               "litert"

Names, types and shapes of inputs and outputs are those of `model.signatures()`, and the
batch is free (LiteRT alone refuses an empty one). With precision float16 or int8 the
weights take half or a quarter of the space; inputs and outputs stay as they are.

Every file is loaded by its runtime and compared with the model before it gets its name,
since the converters may write invalid files, or files without weights, without any
warning.

Example:
    >>> import tempfile
    >>> import tf_disentangle as td
    >>> from tf_disentangle.serving import variants
    >>> model = td.models.build_vae((32, 32, 1), latents=4)
    >>> folder = tempfile.mkdtemp() + "/vae-onnx"
    >>> errors = variants.write(model, folder, "onnx")
    >>> served = variants.load(folder)
    >>> served["decode"](codes=model.encode(images))["images"]
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks, files
from tf_disentangle.models import LatentModel
from tf_disentangle.serving import destinations
from tf_disentangle.serving.variants import comparison, conversion
from tf_disentangle.serving.variants.comparison import Runner

__all__ = ["SIGNATURES", "VARIANTS", "load", "onnx_models", "write"]

#: The precisions of the weights of each variant.
VARIANTS = {
    variant: precisions
    for variant, precisions in destinations.PRECISIONS.items()
    if variant != destinations.SAVED_MODEL
}
#: The signatures that a variant holds.
SIGNATURES = ("encode", "decode", "reconstruct", "edit")

# The packages that convert to a variant and run it.
_PACKAGES = {
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "openvino": ("onnx", "openvino", "tf2onnx"),
    "litert": ("ai_edge_litert",),
}
_SUFFIXES = {".onnx": "onnx", ".xml": "openvino", ".tflite": "litert"}


def write(
    model: LatentModel,
    folder: str | os.PathLike,
    variant: str,
    precision: str = "float32",
    images: np.ndarray | None = None,
) -> dict[str, float]:
    """Writes a model for another runtime, loads it there and compares the two.

    Args:
        model: The model.
        folder: New folder of the files; it appears only when all of them are right.
        variant: "onnx", "openvino" or "litert".
        precision: Of the weights: "float32", "float16" or, for litert, "int8".
        images: Images [N, H, W, C] to compare on, a few dozen; None draws random ones.

    Returns:
        The relative error of each signature, the largest over its outputs: the largest
        difference from the model's output, divided by the largest magnitude of that
        output.

    Raises:
        ArgumentError: If there is no such variant or precision, a package is missing,
            the converter or the runtime does not support the model, float32 files are
            further than 1e-5 from the model, or a weight is too large for float16.
    """
    checks.one_of(variant, tuple(VARIANTS), "variant")
    destinations.check_precision(variant, precision)
    folder = pathlib.Path(folder)
    checks.require(not folder.exists(), "folder", "be new", str(folder))
    with files.replacing(folder) as temporary, conversion.explaining(variant):
        temporary.mkdir()
        runtime = _runtime(variant)
        signatures = _signatures(model, SIGNATURES)
        cases = comparison.cases(model, signatures, images)
        runtime.write(conversion.freeze(signatures), temporary, precision)
        errors = comparison.errors(runtime.load(temporary), cases)
        comparison.require_equal(errors, variant, precision)
    return errors


def load(folder: str | os.PathLike) -> dict[str, Runner]:
    """Loads what `write` wrote: each signature by its name.

    Args:
        folder: The folder of the files.

    Returns:
        Functions of a signature's inputs, by name, that return its outputs as arrays;
        threads may share them, except for those of LiteRT.

    Raises:
        ArgumentError: If no variant is there, or a package is missing.
    """
    folder = pathlib.Path(folder)
    there = {_SUFFIXES.get(path.suffix) for path in folder.glob("*")} - {None}
    rule = "hold a model for ONNX Runtime, OpenVINO or LiteRT"
    checks.require(len(there) == 1, "folder", rule, str(folder))
    (variant,) = there
    with conversion.explaining(variant):
        return _runtime(variant).load(folder)


def onnx_models(model: LatentModel, precisions: Mapping[str, str]) -> dict[str, bytes]:
    """Returns signatures of a model as ONNX files, for batches of any size.

    Each was loaded by ONNX Runtime and compared with the model.

    Args:
        model: The model.
        precisions: For each signature, of "encode", "decode", "reconstruct" and
            "edit", the precision of its weights: "float32" or "float16".

    Raises:
        ArgumentError: As `write`.
    """
    for name, precision in precisions.items():
        checks.one_of(name, SIGNATURES, "precisions")
        destinations.check_precision("onnx", precision)
    made: dict[str, bytes] = {}
    with conversion.explaining("onnx"):
        runtime = _runtime("onnx")
        signatures = _signatures(model, ("encode", *precisions))
        cases = comparison.cases(model, signatures)
        frozen = conversion.freeze(signatures)
        for name, precision in precisions.items():
            made |= runtime.convert({name: frozen[name]}, precision)
            runner = {name: runtime.runner(made[name])}
            errors = comparison.errors(runner, {name: cases[name]})
            comparison.require_equal(errors, "onnx", precision)
    return made


def _signatures(model: LatentModel, names: Sequence[str]) -> dict[str, Any]:
    there = model.signatures()
    return {name: there[name] for name in names}


def _runtime(variant: str) -> types.ModuleType:
    """Returns the module of a variant, whose packages are there."""
    for package in _PACKAGES[variant]:
        rule = f"be one whose packages are installed ({', '.join(_PACKAGES[variant])})"
        remedy = "pip install 'tf_disentangle[portable]'"
        found = importlib.util.find_spec(package) is not None
        checks.require(found, "variant", rule, variant, remedy)
    return importlib.import_module(f"{__name__}.{variant}")
