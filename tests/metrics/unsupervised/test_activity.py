import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import active_units


def test_counts_the_latents_above_the_threshold():
    rng = np.random.default_rng(0)
    scales = np.array([1.0, 0.11, 0.09, 0.0])
    codes = 5.0 + scales * rng.normal(size=(20_000, 4))
    result = active_units(codes)
    assert result.active.tolist() == [True, True, False, False]
    assert result.score == 2.0
    # The standard error of a variance is sqrt(2/N) of it.
    np.testing.assert_allclose(result.variances, scales**2, rtol=0.05)
    np.testing.assert_allclose(result.variances[:3], np.var(codes, 0, ddof=1)[:3])
    assert active_units(codes, threshold=0.001).protocol == "burda, threshold=0.001"


def test_a_constant_latent_is_never_active():
    # 0.1 is no float32, and the mean of many is not 0.1 either.
    codes = np.full((1_000, 1), 0.1, np.float32)
    assert active_units(codes, threshold=0.0).score == 0.0


def test_of_a_categorical_latent_the_one_hot_vector_varies():
    values = np.array([0, 0, 2, 2, 2, 1, 0, 0])
    codes = np.stack([values, np.full(8, 3)], axis=1).astype(np.float32)
    columns = [CodeColumn(f"c{i}", "categorical", "c", 4) for i in range(2)]
    result = active_units(codes, columns=columns)
    assert result.active.tolist() == [True, False]
    expected = np.var(np.eye(3)[values], axis=0, ddof=1).sum()
    np.testing.assert_allclose(result.variances, [expected, 0.0])


def test_errors():
    with pytest.raises(ArgumentError, match="threshold must be at least 0"):
        active_units(np.zeros((3, 2)), threshold=-1.0)
