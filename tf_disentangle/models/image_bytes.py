"""Decodes PNG and JPEG files inside a graph, as Pillow decodes those of the data.

TensorFlow's operations do here what `datasets.files` does with a user's files:
transparent pixels are put on white, grey is ITU-R 601, and the centre is cropped. An
image of the model's own size gives the same bits; one that is resized differs from
Pillow's by at most one grey level.
"""

from __future__ import annotations

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Resizing

# ITU-R 601 in 2^-16, as Pillow has them.
_GREY = (19595, 38470, 7471)
_METHODS = {"lanczos": "lanczos3", "bilinear": "bilinear"}
# Where a PNG says how many bits its values have.
_PNG_START, _PNG_DEPTH = b"\x89PNG", 24


def takes_bytes(image_shape: tuple[int, int, int]) -> bool:
    """Whether images of this shape can come from PNG or JPEG: grey or RGB."""
    return image_shape[-1] in (1, 3) and not checks.is_vector(image_shape)


def decode_images(
    image_bytes: tf.Tensor, image_shape: tuple[int, int, int], resizing: Resizing
) -> tf.Tensor:
    """Decodes files to images of one shape.

    EXIF data are ignored: a photograph that they would rotate stays as stored.

    Args:
        image_bytes: string [B], each a PNG of at most 8 bits a value, or a JPEG.
        image_shape: (H, W, C) of the result, C being 1 or 3.
        resizing: How images of other sizes are resized.

    Returns:
        uint8 [B, H, W, C].
    """

    def one(data: tf.Tensor) -> tf.Tensor:
        image = _as_channels(_decoded(data), image_shape[-1])
        image = _resized(image, image_shape, resizing)
        return tf.cast(tf.ensure_shape(image, image_shape), tf.uint8)

    spec = tf.TensorSpec(image_shape, tf.uint8)
    return tf.map_fn(one, image_bytes, fn_output_signature=spec)


def _decoded(data: tf.Tensor) -> tf.Tensor:
    """Returns the pixels of a file, int32 [h, w, c] with c from 1 to 4."""
    is_png = tf.equal(tf.strings.substr(data, 0, 4), _PNG_START)
    # A file shorter than its header is refused by the decoder.
    has_depth = tf.strings.length(data) > _PNG_DEPTH
    place = tf.where(has_depth, _PNG_DEPTH, 0)
    is_deep = tf.equal(tf.strings.substr(data, place, 1), b"\x10")
    fits = tf.logical_not(is_png & has_depth & is_deep)
    text = checks.message(
        "image_bytes", "have 8 bits for each value", "a PNG of 16", "Convert it first."
    )
    with tf.control_dependencies([tf.debugging.Assert(fits, [text])]):
        data = tf.identity(data)
    pixels = tf.cond(
        tf.io.is_jpeg(data),
        lambda: tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_png(data),
    )
    return tf.cast(tf.ensure_shape(pixels, [None, None, None]), tf.int32)


def _as_channels(pixels: tf.Tensor, channels: int) -> tf.Tensor:
    """Returns int32 pixels [h, w, channels], transparent ones put on white.

    The arithmetic is Pillow's, in whole numbers: `Image.alpha_composite`, `convert`.
    """
    count = tf.shape(pixels)[-1]
    has_alpha = tf.equal(count % 2, 0)
    alpha = tf.where(has_alpha, pixels[..., -1:], 255)
    colours = pixels[..., : count - tf.cast(has_alpha, tf.int32)]
    seen = 128 * (colours * alpha + 255 * (255 - alpha) + 128)
    colours = tf.where(has_alpha, (seen // 256 + seen) // 256 // 128, colours)
    last = tf.shape(colours)[-1] - 1  # 0 of grey, where all three are the first
    planes = [colours[..., i : i + 1] for i in (0, last // 2, last)]
    if channels == 3:
        return tf.concat(planes, axis=-1)
    weighted = [weight * plane for weight, plane in zip(_GREY, planes, strict=True)]
    return (tf.add_n(weighted) + 2**15) // 2**16


def _resized(
    image: tf.Tensor, image_shape: tuple[int, int, int], resizing: Resizing
) -> tf.Tensor:
    """Returns int32 pixels in [0, 255], cropped and resized if the size is another."""
    height, width, _ = image_shape
    size = tf.shape(image)[:2]
    is_same = tf.reduce_all(tf.equal(size, (height, width)))

    def resized() -> tf.Tensor:
        part = _cropped(image, height, width, resizing)
        # Columns, then rows, with whole grey levels in between, as in Pillow: where a
        # filter overshoots, this decides what is cut off.
        for sides in ((tf.shape(part)[0], width), (height, width)):
            values = tf.image.resize(
                part, sides, _METHODS[resizing.filter], antialias=True
            )
            whole = tf.floor(values + 0.5)
            part = tf.cast(tf.clip_by_value(whole, 0.0, 255.0), tf.int32)
        return part

    image = tf.cond(is_same, lambda: image, resized)
    return tf.where(image > 127, 255, 0) if resizing.is_binary else image


def _cropped(
    image: tf.Tensor, height: int, width: int, resizing: Resizing
) -> tf.Tensor:
    """Returns the centre of an image, or all of it between black borders."""
    size = tf.shape(image)[:2]
    if resizing.crop == "pad":
        missing = tf.reduce_max(size) - size
        before = missing // 2
        sides = tf.stack([before, missing - before], axis=1)
        return tf.pad(image, tf.concat([sides, [[0, 0]]], axis=0))
    if resizing.crop is None:  # the largest part of the same shape as the result
        rows = tf.minimum(size[0], size[1] * height // width)
        columns = tf.minimum(size[1], size[0] * width // height)
        part = tf.stack([rows, columns])
    else:
        part = tf.fill([2], resizing.crop)
        text = checks.message(
            "image_bytes", "have the size of the centre crop", "less", "Enlarge it."
        )
        fits = tf.reduce_all(size >= part)
        with tf.control_dependencies([tf.debugging.Assert(fits, [text, size])]):
            part = tf.identity(part)
    start = (size - part) // 2
    return image[start[0] : start[0] + part[0], start[1] : start[1] + part[1]]
