"""The golden samples are those that the reference code was run on."""

import pathlib

import numpy as np
import pytest

from tests import representations as known

ARRAYS = pathlib.Path("/work/shared/golden/metrics_b.npz")


def test_golden_samples_are_the_arrays_of_the_reference():
    if not ARRAYS.exists():
        pytest.skip("/work/shared/golden is not on this machine")
    with np.load(ARRAYS) as expected:
        names = ("train_codes", "train_factors", "test_codes", "test_factors")
        for name, array in zip(names, known.golden_samples(), strict=True):
            np.testing.assert_array_equal(array, expected[name])


def test_entangled_code_keeps_the_marginals_and_mixes_all_factors():
    """Theorem 1: nobody can tell it from the perfect code by one latent alone."""
    sizes = (16,) * 4
    factors = np.indices(sizes).reshape(4, -1).T
    images = known.GridDataset(sizes).render(factors)
    codes = known.entangled(sizes)(images)
    assert len(np.unique(codes.round(9), axis=0)) == len(codes)  # one to one
    for latent in codes.T:
        share = (latent / np.sqrt(12)).reshape(-1)  # uniform on (0, 1) if perfect
        for level in (0.1, 0.25, 0.5, 0.75, 0.9):
            assert abs(np.mean(share < level) - level) < 0.02
    correlation = np.corrcoef(codes.T, factors.T)[:4, 4:]
    assert np.all(np.abs(np.abs(correlation) - 0.5) < 0.05)
