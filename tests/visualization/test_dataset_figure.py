"""Figures of data sets: which images stand where."""

import numpy as np
import pytest

from tests.datasets.tiny import Tiny
from tests.visualization.pixels import enlarged, margins_are_white, places
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import Noisy, Pinwheel, Subset
from tf_disentangle.visualization import dataset_figure

TINY = Tiny()


class Remembering(Tiny):
    """Keeps what it was asked to render."""

    def __init__(self):
        self.asked = []

    def sample_factors(self, n, rng):
        return np.tile([[2, 3, 1]], (n, 1))

    def render(self, factors, rng=None):
        # No two images alike, so that each can be found.
        self.asked += factors.tolist()
        images = super().render(factors)
        return images // 255 * 200 + (20 * factors[:, :1, None, None]).astype(np.uint8)


def test_each_factor_takes_its_values_in_its_row():
    data = Remembering()
    picture = dataset_figure(data, np.random.default_rng(0), num_columns=4, scale=2)
    assert margins_are_white(picture)
    asked = data.asked[-11:]
    assert asked[:4] == [[x, 3, 1] for x in range(4)]
    assert asked[4:8] == [[2, y, 1] for y in (0, 1, 3, 4)]
    assert asked[8:] == [[2, 3, size] for size in range(3)]
    at = []
    for row in (asked[:4], asked[4:8], asked[8:]):
        images = Remembering().render(np.array(row))
        found = [places(picture, enlarged(image, 2)) for image in images]
        # One height has them all, from left to right.
        (height,) = set.intersection(*[{y for y, _ in each} for each in found])
        columns = [min(x for y, x in each if y == height) for each in found]
        assert (np.diff(columns) == np.diff(columns)[0]).all()
        at.append(height)
    assert (np.diff(at) > 0).all()


def test_training_images_stand_above():
    few = Subset(TINY, [7, 30, 55])
    rng = np.random.default_rng(0)
    picture = dataset_figure(few, rng, num_columns=10, num_sample_rows=3, scale=1)
    top = [min(places(picture, enlarged(image, 1)))[0] for image in few.images()[:]]
    assert len(set(top)) == 1
    # A part lacks combinations, so that no factor can vary alone: images are all.
    whole = dataset_figure(TINY, rng, num_columns=10, num_sample_rows=3, scale=1)
    assert len(picture) < len(whole) / 2


def test_a_set_without_factors_gets_its_images_alone():
    class Unlabelled(Tiny):
        factor_names = factor_sizes = ()

        def __len__(self):
            return 60

        def images(self):
            return TINY.images()

    sizes = [
        dataset_figure(data, np.random.default_rng(0), num_sample_rows=1).shape[0]
        for data in (Unlabelled(), TINY)
    ]
    assert sizes[1] > 3 * sizes[0]


def test_a_row_has_one_nuisance():
    seen = []

    class Watched(Noisy):
        def render(self, factors, rng=None):
            seen.append(super().render(factors, rng))
            return seen[-1]

    dataset_figure(Watched(TINY), np.random.default_rng(0))
    images = np.concatenate(seen)
    assert len(images) == 4 + 5 + 3
    black = (images < 255).all(axis=(0, 3))
    assert black.sum() > 100
    np.testing.assert_array_equal(images[:, black], images[:1, black].repeat(12, 0))


def test_mistakes():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="scatter"):
        dataset_figure(Pinwheel(), rng)
    with pytest.raises(ArgumentError, match="num_columns"):
        dataset_figure(TINY, rng, num_columns=1)
