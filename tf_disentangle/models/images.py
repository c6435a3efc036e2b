"""What enters a model: uint8 images, floats in [0, 1], or vectors.

Floats outside [0, 1] are refused wherever they enter: the likelihood of a "pixel of
255" is a number too, and training would go on silently.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle import checks

# By how much rounding and interpolation may leave [0, 1].
_TOLERANCE = 1e-3
_RULE = "be uint8, or floats in [0, 1]"
_REMEDY = (
    "Values from 0 to 255 become floats by x / 255, values from -1 to 1 by (x + 1) / 2."
)


def as_float(images: tf.Tensor) -> tf.Tensor:
    """Returns images as float32 in [0, 1]; uint8 is divided by 255 on the device.

    Vectors stay as they are. Floats are checked: at once where the tensor has a value,
    and by an assertion in a graph. XLA leaves assertions out; there, images outside
    [0, 1] become NaN.

    Raises:
        ArgumentError: If a float lies outside [0, 1].
        ArgumentTypeError: If the images are neither uint8 nor floats.
    """
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    if not tf.as_dtype(images.dtype).is_floating:
        text = checks.message("images", _RULE, tf.as_dtype(images.dtype).name)
        raise checks.ArgumentTypeError(text)
    images = tf.cast(images, tf.float32)
    if checks.is_vector(images.shape[1:]):
        return images
    low, high = tf.reduce_min(images), tf.reduce_max(images)
    if tf.executing_eagerly():
        _require_unit_interval(low.numpy(), high.numpy())
        return images
    fits = tf.logical_and(low >= -_TOLERANCE, high <= 1 + _TOLERANCE)
    with tf.control_dependencies([tf.debugging.Assert(fits, [_RULE, low, high])]):
        return images + tf.where(fits, 0.0, np.nan)


def _require_unit_interval(low: float, high: float) -> None:
    checks.require(low == low and high == high, "images", "be finite", "NaN")
    fits = low >= -_TOLERANCE and high <= 1 + _TOLERANCE
    checks.require(fits, "images", _RULE, f"{low:.4g} to {high:.4g}", _REMEDY)


def require_scaled(data: Any) -> None:
    """Raises `ArgumentError` if `data` is an array of images outside [0, 1]."""
    if not isinstance(data, np.ndarray) or data.ndim != 4 or data.dtype.kind != "f":
        return
    if data.size and not checks.is_vector(data.shape[1:]):
        _require_unit_interval(data.min(), data.max())


@contextlib.contextmanager
def clear_refusals() -> Iterator[None]:
    """Turns the failed assertion of a graph into the `ArgumentError` that it means."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if _RULE not in (error.message or ""):
            raise
        text = checks.message("images", _RULE, "floats beyond", _REMEDY)
        raise checks.ArgumentError(text) from None


def as_uint8(images: Any, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Returns images [N, H, W, C] as uint8, or vectors as they are, after checks.

    Floats in [0, 1] are rounded to the nearest of the 256 levels.

    Raises:
        ArgumentError: If the shape is wrong, or a float lies outside [0, 1].
        ArgumentTypeError: If the images are neither uint8 nor floats.
    """
    images = np.asarray(images)
    if images.dtype.kind == "f" and not checks.is_vector(image_shape):
        require_scaled(images)
        images = np.rint(255 * np.clip(images, 0, 1)).astype(np.uint8)
    images = checks.images_or_vectors(images)
    rule = f"have shape [N, {', '.join(map(str, image_shape))}]"
    remedy = checks.channels_last(images.shape, image_shape)
    checks.require(
        images.shape[1:] == image_shape, "images", rule, images.shape, remedy
    )
    return images


def require_batch(images: Any, image_shape: tuple[int, int, int]) -> tf.Tensor:
    """Returns a batch of `fit`, checked, with all but its size as a static shape."""
    rule = f"have shape [B, {', '.join(map(str, image_shape))}]"
    if isinstance(images, np.ndarray):  # of a step that runs eagerly
        images = tf.convert_to_tensor(images)
    checks.require(tf.is_tensor(images), "images", rule, images)
    fits = images.shape.is_compatible_with([None, *image_shape])
    shape = tuple(images.shape)
    remedy = "" if fits else checks.channels_last(shape, image_shape)
    checks.require(fits, "images", rule, shape, remedy)
    if images.shape[1:].is_fully_defined():
        return images
    return tf.ensure_shape(images, [None, *image_shape])
