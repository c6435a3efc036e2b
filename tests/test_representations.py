"""The golden samples are those that the reference code was run on."""

import hashlib

import numpy as np

from tests import representations as known

SHA256 = "aa06939906201d0b01715b2df6f670acae50d7c6f264596a4b57a5e8f30d5b7d"


def test_golden_samples_are_the_arrays_of_the_reference():
    arrays = b"".join(array.tobytes() for array in known.golden_samples())
    assert hashlib.sha256(arrays).hexdigest() == SHA256


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
