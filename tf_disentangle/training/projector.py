"""The Projector tab of TensorBoard: codes as points, with their images and factors."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_disentangle import files
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.training.input_pipeline import Batches, images_at

# Points in the projector, and pixels of the longer side of an image there.
_NUM_POINTS, _THUMBNAIL = 1000, 64


def write_projector(
    folder: pathlib.Path, model: LatentModel, data: Dataset, batches: Batches
) -> None:
    """Writes codes of held-out images, or else of training images, in random order.

    Args:
        folder: The run folder.
        model: The trained model.
        data: The data set of the images, and of the factors where they are known.
        batches: Which images are held out, and the seed.
    """
    is_held_out = len(batches.held_out) > 0
    indices = batches.held_out if is_held_out else batches.training
    indices = np.random.default_rng(batches.seed).permutation(indices)[:_NUM_POINTS]
    images = images_at(data.images(), indices)
    factors = {}
    if "known_rows" in data.traits:
        values = data.factors_of(indices)
        factors = dict(zip(data.factor_names, values.T, strict=True))
    pictures = None if model.is_vector else images
    title = f"codes of {'held-out' if is_held_out else 'training'} images"
    write_points(folder, model.encode(images), pictures, factors, title)


def write_points(
    folder: pathlib.Path,
    codes: np.ndarray,
    images: np.ndarray | None,
    factors: Mapping[str, np.ndarray],
    title: str = "codes of images",
) -> None:
    """Writes what the Projector tab shows: codes, pictures of them, their factors.

    Args:
        folder: The run folder.
        codes: [N, L].
        images: uint8 [N, H, W, C] with C 1 or 3; None for vectors.
        factors: By name, the value of each image, [N].
        title: What the tab calls the points.
    """
    from tensorboard.plugins import projector

    inside = folder / "projector"
    files.write_text(inside / "codes.tsv", _table(codes))
    number = "image"
    while number in factors:
        number = f"{number}_number"
    # A table of one column has no header.
    columns = {number: np.arange(len(codes)), **factors}
    header = "" if len(columns) == 1 else "\t".join(columns) + "\n"
    rows = np.stack(list(columns.values()), axis=1)
    files.write_text(inside / "factors.tsv", header + _table(rows))
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(
        tensor_name=title,
        tensor_path="projector/codes.tsv",
        metadata_path="projector/factors.tsv",
    )
    if images is not None:
        sprites = _sprites(images)
        with files.replacing(inside / "images.png") as path:
            path.write_bytes(tf.io.encode_png(sprites).numpy())
        embedding.sprite.image_path = "projector/images.png"
        height, width = _thumbnail(images.shape[1:3])
        embedding.sprite.single_image_dim.extend([width, height])
    files.write_text(folder / "projector_config.pbtxt", str(config))


def _table(rows: np.ndarray) -> str:
    """Returns numbers [N, K] as lines of columns that tabs separate."""
    return "".join("\t".join(f"{v:.6g}" for v in row) + "\n" for row in rows)


def _thumbnail(shape: Sequence[int]) -> tuple[int, int]:
    """Returns the height and width of an image as the projector shows it."""
    scale = min(1.0, _THUMBNAIL / max(shape))
    height, width = (max(1, round(scale * side)) for side in shape)
    return height, width


def _sprites(images: np.ndarray) -> np.ndarray:
    """Returns images as one, uint8: a square of rows, as the projector reads it."""
    small = images
    size = _thumbnail(images.shape[1:3])
    if size != images.shape[1:3]:
        resized = tf.image.resize(images, size, antialias=True)
        small = np.round(np.clip(resized, 0, 255)).astype(np.uint8)
    side = int(np.ceil(np.sqrt(len(small))))
    padding = [(0, side * side - len(small))] + [(0, 0)] * 3
    grid = np.pad(small, padding).reshape(side, side, *small.shape[1:])
    return grid.transpose(0, 2, 1, 3, 4).reshape(
        side * size[0], side * size[1], small.shape[3]
    )
