"""The outputs of a converted model beside those of the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.models import LatentModel

Arrays = Mapping[str, np.ndarray]
#: A signature: its inputs by name -> its outputs by name.
Runner = Callable[..., dict[str, np.ndarray]]

_TOLERANCE = 1e-5
_NUM_IMAGES = 16
# Closer probabilities may change places by rounding, and so may what follows from them.
_TIE = 1e-4
_OF_CATEGORIES = ("codes", "reconstructions")


@dataclasses.dataclass(frozen=True)
class Case:
    """What a signature is asked, and what TensorFlow answers.

    Attributes:
        inputs: By name, each [N, ...].
        outputs: By name.
        clear: Whether each categorical latent of a row has one most probable value,
            [N]; elsewhere the codes and the reconstruction may differ.
    """

    inputs: Arrays
    outputs: Arrays
    clear: np.ndarray


def cases(
    model: LatentModel,
    signatures: Mapping[str, Any],
    images: np.ndarray | None = None,
) -> dict[str, Case]:
    """Returns inputs of a model's signatures, and what TensorFlow makes of them.

    The codes that are decoded are those of the images, with each category in turn;
    `edit` sets each latent in turn to the value that the row before has.
    """
    images = _random(model) if images is None else model.validate_images(images)
    checks.require(len(images), "images", "not be empty", images.shape)
    encoded = _run(signatures["encode"], {"images": images})
    codes = encoded.get("codes", encoded.get("mean")).copy()
    rows = np.arange(len(codes))
    for k, column in enumerate(model.columns):
        if column.num_values:
            codes[:, k] = rows % column.num_values
    latent = (rows % codes.shape[1]).astype(np.int32)
    edit = {"codes": codes, "latent": latent, "value": codes[rows - 1, latent]}
    inputs = {
        "encode": {"images": images},
        "reconstruct": {"images": images},
        "decode": {"codes": codes},
        "edit": edit,
    }
    clear = _clear(encoded)
    return {
        name: Case(inputs[name], _run(signature, inputs[name]), clear)
        for name, signature in signatures.items()
    }


def errors(
    runners: Mapping[str, Runner], cases: Mapping[str, Case]
) -> dict[str, float]:
    """Returns the relative error of each signature, of the whole batch and of one row.

    A missing output or one that is not finite has the error inf.
    """
    return {
        name: max(_error(runners[name], case, rows) for rows in (slice(None), slice(1)))
        for name, case in cases.items()
    }


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
    ordered = [tf.constant(inputs[spec.name]) for spec in signature.input_signature]
    return {name: value.numpy() for name, value in signature(*ordered).items()}


def _clear(encoded: Arrays) -> np.ndarray:
    """Whether every categorical latent of an image has one most probable value, [N]."""
    clear = np.ones(len(next(iter(encoded.values()))), bool)
    for name, value in encoded.items():
        if name.startswith("probabilities_"):
            second, first = np.sort(value, axis=-1)[:, -2:].T
            clear &= first - second > _TIE
    return clear


def _error(run: Runner, case: Case, rows: slice) -> float:
    """Returns the largest error of the outputs, each relative to its own size."""
    answers = run(**{name: value[rows] for name, value in case.inputs.items()})
    worst = 0.0
    for name, whole in case.outputs.items():
        answer, expected = answers.get(name), whole[rows]
        if answer is None or answer.shape != expected.shape:
            return np.inf
        if not np.isfinite(answer).all():
            return np.inf
        difference = np.abs(answer - expected)
        if name in _OF_CATEGORIES:
            difference = difference[case.clear[rows]]
        size = max(np.abs(whole).max(), np.finfo(np.float32).tiny)
        worst = max(worst, float(difference.max(initial=0.0) / size))
    return worst
