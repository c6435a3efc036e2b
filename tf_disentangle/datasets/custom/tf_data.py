"""Any finite `tf.data.Dataset` as a data set; TensorFlow is not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.columns import as_text
from tf_disentangle.datasets.files.pixels import (
    require_channels_last,
    require_white,
    to_bytes,
    white_of,
)
from tf_disentangle.datasets.image_table import ImageTable

# Arrays of factors by their keys; the one of a pair has the key "".
_Labels = dict[str, np.ndarray]


def from_tf_data(
    dataset: Any,
    image: str = "image",
    factors: Sequence[str] = (),
    num_bins: int | Mapping[str, int] | None = None,
    white: int | None = None,
    batched: bool | None = None,
) -> ImageTable:
    """Takes the images of any finite `tf.data.Dataset` into memory, as uint8.

    If they do not fit there, write a .npy file and give it to `ImageFile`.

    Args:
        dataset: Holds images [h, w] or [h, w, C], pairs (image, factors), or
            dictionaries, one by one or in batches. An image's factors are a value or a
            vector of K. All images are of one shape.
        image: Key of the images in dictionaries.
        factors: Keys of the factors in dictionaries, or names of those in pairs. The
            parts of a vector called v in a dictionary are v_0, v_1, ... The labels of
            Keras's image_dataset_from_directory are one factor with its class names.
        num_bins: As in `ImageTable`.
        white: What a white pixel is, 255, 1 or 65535; None goes by the type: 1 for
            floats and booleans, 255 for whole numbers, which then may not all be 0 and
            1.
        batched: Whether elements are batches. None goes by the first element: three
            axes are one image [h, w, C] if the last has at most 4 values, else a batch
            of grey images [B, h, w].

    Raises:
        ArgumentTypeError: If `dataset` is no `tf.data.Dataset`.
        ArgumentError: If it is infinite or empty, or its elements have another form.
    """
    if not hasattr(dataset, "as_numpy_iterator"):
        remedy = "For example tfds.load(...)."
        message = checks.message("dataset", "be a tf.data.Dataset", dataset, remedy)
        raise checks.ArgumentTypeError(message)
    is_finite = int(dataset.cardinality()) != -1  # tf.data.INFINITE_CARDINALITY
    remedy = "Use take(n), and no repeat()."
    checks.require(is_finite, "dataset", "be finite", "an infinite one", remedy)
    images: list[np.ndarray] = []
    labels: dict[str, list[np.ndarray]] = {}
    for element in dataset.as_numpy_iterator():
        pixels, row = _parts(element, image, factors)
        if not images:
            scale = white_of(pixels.dtype, white, "dataset")
            require_channels_last(pixels.shape, "dataset")
            if batched is None:
                has_axis = pixels.ndim == 3 and pixels.shape[2] > 4
                batched = pixels.ndim == 4 or has_axis
        pixels, row = _as_batch(pixels, row, batched)
        first = sum(map(len, images))
        images.append(to_bytes(pixels, scale, "dataset", first))
        for key, values in row.items():
            labels.setdefault(key, []).append(values)
    checks.require(images, "dataset", "not be empty", "no element")
    shapes = {block.shape[1:] for block in images}
    rule = "have images of one shape"
    remedy = f"Resize them by dataset.map. ({_taken(batched)}: see batched.)"
    checks.require(len(shapes) == 1, "dataset", rule, sorted(shapes), remedy)
    stack = np.concatenate(images)
    if white is None and scale == 255:
        require_white(stack.max(initial=0) <= 1, "dataset")
    stack = stack if stack.ndim == 4 else stack[..., np.newaxis]
    table = {key: np.concatenate(values) for key, values in labels.items()}
    class_names = getattr(dataset, "class_names", None)
    if "" in table and class_names:
        name = next(iter(factors), "class")
        classes = _class_of(table[""], class_names)
        return ImageTable(stack, {name: classes}, None, num_bins)
    if "" in table:
        return ImageTable(stack, table[""], factors or None, num_bins)
    return ImageTable(stack, _by_column(table), None, num_bins)


def _parts(
    element: Any, image: str, factors: Sequence[str]
) -> tuple[np.ndarray, _Labels]:
    """The pixels of an element, and its factors by key."""
    if isinstance(element, Mapping):
        for key in (image, *factors):
            rule = "have the keys that are asked for"
            received = f"no {key} in {', '.join(map(str, element))}"
            checks.require(key in element, "dataset", rule, received)
        arrays = {key: element[key] for key in (image, *factors)}
        pixels = arrays.pop(image)
    else:
        parts = element if isinstance(element, tuple) else (element,)
        rule = "have elements that are images, pairs (image, factors) or dictionaries"
        remedy = "dataset.map can make pairs, the factors as one vector."
        received = f"tuples of {len(parts)}"
        checks.require(len(parts) in (1, 2), "dataset", rule, received, remedy)
        pixels, arrays = parts[0], dict(zip([""], parts[1:], strict=False))
        rule = "be left out for images without any"
        checks.require(arrays or not factors, "factors", rule, tuple(factors))
    for key, value in {image: pixels, **arrays}.items():
        is_array = isinstance(value, np.ndarray | np.generic | bytes)
        rule = f"have an array for {key or 'the factors'} in each element"
        checks.require(is_array, "dataset", rule, type(value).__name__)
    return np.asarray(pixels), {k: as_text(np.asarray(v)) for k, v in arrays.items()}


def _taken(batched: bool) -> str:
    return "each element was taken for " + ("a batch" if batched else "one image")


def _as_batch(
    pixels: np.ndarray, labels: _Labels, batched: bool
) -> tuple[np.ndarray, _Labels]:
    """Images [B, h, w] or [B, h, w, C], and their factors [B, K]."""
    rule = "have images [h, w] or [h, w, C], one by one or in batches"
    received = f"{pixels.shape}; {_taken(batched)}"
    fits = pixels.ndim - batched in (2, 3)
    checks.require(fits, "dataset", rule, received, "See batched.")
    shape = pixels.shape
    pixels = pixels if batched else pixels[np.newaxis]
    result = {}
    for key, values in labels.items():
        count, own = len(pixels), values.shape[1:] if batched else values.shape
        fits = len(own) < 2 and (not batched or values.shape[:1] == (count,))
        rule = f"have shape [{count}] or [{count}, K]" if batched else "have [] or [K]"
        rule += f" beside images {list(shape)}"
        received = f"{values.shape}; {_taken(batched)}"
        # Any other number of axes is unambiguous.
        remedy = f"Give batched={not batched} if it is not." if len(shape) == 3 else ""
        checks.require(fits, key or "factors", rule, received, remedy)
        result[key] = values.reshape(count, *(own or (1,)))
    return pixels, result


def _class_of(labels: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """The name of each image's class, from its number or its row of 0 and 1."""
    if labels.shape[1] > 1:
        labels = labels.argmax(axis=1)[:, np.newaxis]
    return np.array(class_names)[labels[:, 0].astype(np.int64)]


def _by_column(table: _Labels) -> _Labels:
    """The columns of [n, K] arrays; the parts of a vector are numbered."""
    columns: _Labels = {}
    for key, values in table.items():
        width = values.shape[1]
        names = [key] if width == 1 else [f"{key}_{k}" for k in range(width)]
        columns.update(zip(names, values.T, strict=True))
    return columns
