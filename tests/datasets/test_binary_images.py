"""Packed and computed images, indexed as numpy's arrays are."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tf_disentangle import checks, datasets
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import ImageArray

WHITE = np.random.default_rng(0).integers(0, 2, (1300, 6, 4, 1)).astype(bool)
PLAIN = 255 * WHITE.astype(np.uint8)
PACKED = datasets.PackedImages(datasets.pack(WHITE), (6, 4, 1))


def test_an_image_array_of_one_bit_per_pixel():
    assert isinstance(PACKED, ImageArray)
    assert PACKED.shape == PLAIN.shape
    assert PACKED.ndim == 4
    assert PACKED.dtype == PLAIN.dtype
    assert len(PACKED) == 1300
    assert PACKED.tables[0].nbytes * 8 == PLAIN.nbytes


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(10, -10, 7),
        slice(5, 2),
        slice(None, None, -300),
        np.array([3, 0, 1299, 3]),
        np.array([-1, -1300]),
        np.array([7], np.uint8),
        [4, 5],
        [],
        12,
        -1,
        np.int64(1299),
    ],
    ids=str,
)
def test_indexed_as_an_array(key):
    wanted = PLAIN[np.array(key, int) if isinstance(key, list) else key]
    found = PACKED[key]
    assert found.dtype == np.uint8
    assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "key", [1300, -1301, np.array([0, 1300]), 1.5, np.zeros(3), "a"]
)
def test_what_is_no_index(key):
    with pytest.raises(IndexError):
        PACKED[key]


def test_one_by_one():
    assert_array_equal(list(PACKED), list(PLAIN))


def test_pickled():
    assert_array_equal(pickle.loads(pickle.dumps(PACKED))[:], PLAIN)


def test_a_memory_map_of_bits(tmp_path):
    np.save(tmp_path / "bits.npy", datasets.pack(WHITE))
    bits = np.load(tmp_path / "bits.npy", mmap_mode="r")
    images = datasets.PackedImages(bits, (6, 4, 1))
    assert_array_equal(images[40:50], PLAIN[40:50])


def test_any_value_but_0_packs_as_white():
    for values in (PLAIN, WHITE.astype(np.uint8), WHITE * 0.5):
        assert_array_equal(datasets.pack(values), PACKED.tables[0])


def test_wrong_arguments():
    bits = np.zeros((2, 3), np.uint8)
    with pytest.raises(ArgumentError, match="multiple of 8"):
        datasets.PackedImages(bits, (5, 5, 1))
    with pytest.raises(ArgumentError, match=r"bits must have shape \[n, 2\]"):
        datasets.PackedImages(bits, (4, 4, 1))
    with pytest.raises(checks.ArgumentTypeError, match="bits must be uint8"):
        datasets.PackedImages(bits.astype(int), (6, 4, 1))
    with pytest.raises(ArgumentError, match="multiple of 8"):
        datasets.pack(np.zeros((2, 3, 3, 1)))
    with pytest.raises(ArgumentError, match="rank 4"):
        datasets.pack(np.zeros((2, 8, 8)))
