"""Principal shares against scikit-learn, and what they take of the data."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tests.representations import GridDataset
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import CorrelatedEllipses, principal_shares


def test_equal_scikit_learns_pca():
    data = CorrelatedEllipses(num_images=80)
    rows = data.images().reshape(80, -1).astype(float)
    variances = PCA(5, svd_solver="full").fit(rows).explained_variance_
    shares = principal_shares(data, 5)
    np.testing.assert_allclose(shares, variances / variances.sum(), rtol=1e-8)
    assert all(isinstance(share, float) for share in shares)


def test_without_centring_nothing_is_taken_off():
    data = CorrelatedEllipses(num_images=60)
    rows = data.images().reshape(60, -1).astype(float)
    values = np.sort(np.linalg.eigvalsh(rows @ rows.T))[::-1][:4]
    shares = principal_shares(data, 4, centred=False)
    np.testing.assert_allclose(shares, values / values.sum(), rtol=1e-8)
    assert shares != principal_shares(data, 4)


def test_a_seeded_part_of_the_images_stands_for_all():
    data = CorrelatedEllipses(num_images=200)
    part = principal_shares(data, 3, num_images=120)
    assert part == principal_shares(data, 3, num_images=120)
    assert part != principal_shares(data, 3, num_images=120, seed=1)
    np.testing.assert_allclose(part, principal_shares(data, 3), atol=0.1)


def test_more_latents_than_axes():
    with pytest.raises(ArgumentError, match="num_latents must be at most the 2 axes"):
        principal_shares(GridDataset((3, 4)), 3)
