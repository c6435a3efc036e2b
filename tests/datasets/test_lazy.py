"""Lazy images against the numpy array that they stand for."""

import numpy as np
import pytest

from tf_disentangle import checks
from tf_disentangle.datasets.lazy import LazyImages

STORED = np.random.default_rng(0).integers(256, size=(20, 3, 4, 1), dtype=np.uint8)


def make(indices):
    assert indices.dtype == np.int64 and indices.ndim == 1 and len(indices)
    return STORED[indices]


LAZY = LazyImages(20, (3, 4, 1), make)


@pytest.mark.parametrize(
    "key",
    [
        7,
        -1,
        np.int32(3),
        slice(None),
        slice(3, 9, 2),
        slice(None, None, -1),
        slice(30, 40),
        [4, 2, 2],
        [],
        np.array([-20, 19], np.int16),
        np.array([0, 255 % 20], np.uint8),
        np.array([[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_is_indexed_as_numpy_is(key):
    np.testing.assert_array_equal(LAZY[key], STORED[key])
    assert LAZY[key].dtype == np.uint8


@pytest.mark.parametrize("key", [20, -21, [3, 20], 1.0, "a", None, np.ones(20, bool)])
def test_other_keys_are_index_errors(key):
    with pytest.raises(IndexError):
        LAZY[key]


def test_is_never_made_whole_by_accident():
    with pytest.raises(checks.ArgumentTypeError, match=r"images\[:\]"):
        np.asarray(LAZY)
    np.testing.assert_array_equal(np.asarray(LAZY[:]), STORED)
    assert (len(LAZY), LAZY.shape, LAZY.ndim) == (20, (20, 3, 4, 1), 4)
