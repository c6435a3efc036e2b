"""The outputs of a converted model beside those of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.models import LatentModel

Arrays = Mapping[str, np.ndarray]
#: A signature: its inputs by name -> its outputs by name.
Runner = Callable[..., dict[str, np.ndarray]]
#: By signature: (inputs, the model's outputs).
Cases = dict[str, tuple[Arrays, Arrays]]

_TOLERANCE = 1e-5
_NUM_IMAGES = 16
# Closer probabilities may change places by rounding, and the code with them.
_TIE = 1e-4


def cases(
    model: LatentModel,
    signatures: Mapping[str, Any],
    images: np.ndarray | None = None,
) -> Cases:
    """Returns inputs of a model's signatures, and what TensorFlow makes of them.

    The codes that are decoded are those of the images; `edit` sets each latent in turn
    to the value that the image before has. Images that a categorical latent cannot
    tell between two values are left out.
    """
    images = _random(model) if images is None else model.validate_images(images)
    encoded = _run(signatures["encode"], {"images": images})
    decided = _decided(encoded)
    rule = "hold one whose categories the model can tell"
    checks.require(decided.any(), "images", rule, images.shape)
    images = images[decided]
    codes = encoded.get("codes", encoded.get("mean"))[decided]
    rows = np.arange(len(codes))
    latent = (rows % codes.shape[1]).astype(np.int32)
    edit = {"codes": codes, "latent": latent, "value": codes[rows - 1, latent]}
    inputs = {
        "encode": {"images": images},
        "reconstruct": {"images": images},
        "decode": {"codes": codes},
        "edit": edit,
    }
    outputs = {name: _run(call, inputs[name]) for name, call in signatures.items()}
    return {name: (inputs[name], outputs[name]) for name in signatures}


def errors(runners: Mapping[str, Runner], cases: Cases) -> dict[str, float]:
    """Returns the relative error of each signature, of the whole batch and of one row.

    A missing output or one that is not finite has the error inf.
    """
    found = {}
    for name, (inputs, expected) in cases.items():
        both = (slice(None), slice(1))
        found[name] = max(
            _error(runners[name](**_part(inputs, rows)), _part(expected, rows))
            for rows in both
        )
    return found


def require_equal(
    errors: Mapping[str, float], variant: str, precision: str = "float32"
) -> None:
    """Raises `ArgumentError` unless all errors are within 1e-5, smaller ones finite."""
    exact = precision == "float32"
    rule = f"equal the model to {_TOLERANCE:g}" if exact else "have finite outputs"
    remedy = "bin/export without --variant writes a SavedModel, which is exact."
    for name, error in errors.items():
        received = f"{variant} {precision}: {name} is {error:.2g} away"
        fits = error <= _TOLERANCE if exact else np.isfinite(error)
        checks.require(fits, "variant", rule, received, remedy)


def _random(model: LatentModel) -> np.ndarray:
    rng, shape = np.random.default_rng(0), (_NUM_IMAGES, *model.image_shape)
    if model.is_vector:
        return rng.standard_normal(shape, np.float32)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _run(signature: Any, inputs: Arrays) -> dict[str, np.ndarray]:
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return {name: value.numpy() for name, value in signature(**tensors).items()}


def _decided(encoded: Arrays) -> np.ndarray:
    """Whether every categorical latent of an image has one most probable value, [N]."""
    decided = np.ones(len(next(iter(encoded.values()))), bool)
    for name, value in encoded.items():
        if name.startswith("probabilities_"):
            second, first = np.sort(value, axis=-1)[:, -2:].T
            decided &= first - second > _TIE
    return decided


def _part(arrays: Arrays, rows: slice) -> dict[str, np.ndarray]:
    return {name: value[rows] for name, value in arrays.items()}


def _error(answers: Arrays, expected: Arrays) -> float:
    """Returns the largest error of the outputs, each relative to its own size."""
    worst = 0.0
    for name, value in expected.items():
        answer = answers.get(name)
        if answer is None or answer.shape != value.shape:
            return np.inf
        if not np.isfinite(answer).all():
            return np.inf
        if value.size:
            size = max(np.abs(value).max(), np.finfo(np.float32).tiny)
            worst = max(worst, float(np.abs(answer - value).max() / size))
    return worst
