"""Indices of a grid against brute-force enumeration."""

import itertools

import numpy as np
import pytest

from tests.datasets.tiny import Tiny
from tf_disentangle import checks


class Small(Tiny):
    factor_names = ("a", "b", "c")
    factor_sizes = (2, 3, 4)
    image_shape = (8, 8, 1)


def test_order_is_that_of_nested_loops():
    every = np.array(list(itertools.product(range(2), range(3), range(4))))
    grid = Small()
    assert len(grid) == 24
    np.testing.assert_array_equal(grid.index_of(every), np.arange(24))
    np.testing.assert_array_equal(grid.factors_of(np.arange(24)), every)
    assert grid.factors_of(np.arange(0)).shape == (0, 3)


def test_what_is_not_in_the_grid():
    with pytest.raises(checks.ArgumentError, match=r"in \[0, 24\); received 24"):
        Small().factors_of(np.array([3, 24]))
    with pytest.raises(checks.ArgumentError, match=r"factors\[:, 1\] \(b\)"):
        Small().index_of(np.array([[0, 3, 0]]))
    with pytest.raises(checks.ArgumentTypeError, match="integers"):
        Small().factors_of(np.array([0.5]))


def test_every_value_is_drawn():
    drawn = Small().sample_factors(2000, np.random.default_rng(0))
    assert drawn.dtype == np.int64
    assert len(np.unique(Small().index_of(drawn))) == 24
