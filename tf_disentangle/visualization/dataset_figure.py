"""What a data set looks like: some of its images, and what each factor changes."""

from __future__ import annotations

import numpy as np

from tf_disentangle.checks import integer, is_vector, require, require_type
from tf_disentangle.interfaces import Dataset
from tf_disentangle.visualization.canvas import Picture, rgb
from tf_disentangle.visualization.grid import image_grid, in_rows


def dataset_figure(
    dataset: Dataset,
    rng: np.random.Generator,
    *,
    num_columns: int = 10,
    num_sample_rows: int = 2,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows training images, and below them one row for each factor.

    In its row a factor takes all of its values, or `num_columns` of them evenly spaced,
    while the other factors keep values that are drawn at random once for the picture.
    For a set with stochastic images, the nuisance is the same along a row.

    Args:
        dataset: A set of images. One without known factors, or without an image of
            every combination, gets the training images alone.
        rng: Draws the images and the factors' other values.
        num_columns: At least 2.
        num_sample_rows: Rows of training images, at least 1.
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Raises:
        ArgumentError: If the set is one of vectors, or a number is out of its range.
    """
    require_type(rng, np.random.Generator, "rng")
    num_columns = integer(num_columns, "num_columns", at_least=2)
    num_rows = integer(num_sample_rows, "num_sample_rows", at_least=1)
    shape, remedy = tuple(dataset.image_shape), "`scatter` draws vectors."
    require(not is_vector(shape), "dataset", "have images", shape, remedy)

    count = min(num_columns * num_rows, len(dataset))
    indices = rng.choice(len(dataset), count, replace=False)
    tiles, present = in_rows(rgb(dataset.images()[indices]), num_columns)
    labels = ["samples", *[""] * (len(tiles) - 1)]
    if dataset.factor_names and "missing_combinations" not in dataset.traits:
        rows, has_value = _factor_rows(dataset, rng, num_columns)
        tiles = np.concatenate([tiles, rows])
        present = np.concatenate([present, has_value])
        sizes = zip(dataset.factor_names, dataset.factor_sizes, strict=True)
        labels += [f"{name}\n{size} values" for name, size in sizes]
    return image_grid(
        tiles, title=title, row_labels=labels, present=present, scale=scale
    )


def _factor_rows(
    dataset: Dataset, rng: np.random.Generator, num_columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns a row of tiles per factor [K, C, H, W, 3], and `present` [K, C]."""
    base = dataset.sample_factors(1, rng)
    # One seed for all images: equal nuisance, if there is any.
    seed = rng.integers(2**32)
    num_factors = len(dataset.factor_sizes)
    tiles = np.zeros((num_factors, num_columns, *dataset.image_shape[:2], 3), np.uint8)
    present = np.zeros((num_factors, num_columns), bool)
    for k, size in enumerate(dataset.factor_sizes):
        count = min(size, num_columns)
        values = np.rint(np.linspace(0, size - 1, count)).astype(np.int64)
        for column, value in enumerate(values):
            factors = base.copy()
            factors[:, k] = value
            image = dataset.render(factors, np.random.default_rng(seed))
            tiles[k, column] = rgb(image)[0]
        present[k, :count] = True
    return tiles, present
