import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score

from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics.information import (
    discretise,
    entropy,
    mutual_information,
)


def labels(n, sizes, seed=0):
    return np.random.default_rng(seed).integers(sizes, size=(n, len(sizes)))


class TestDiscretise:
    def test_by_hand(self):
        # Width 1 bins of 0..4: a value on an edge goes up, the largest stays below.
        codes = np.array([[0.0], [0.999], [1.0], [2.5], [4.0], [3.0]])
        assert discretise(codes, 4)[:, 0].tolist() == [0, 0, 1, 2, 3, 3]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_bins_hold_what_the_histogram_counts(self, dtype):
        codes = np.random.default_rng(0).normal(size=(3_000, 4)).astype(dtype)
        binned = discretise(codes, 20)
        for values, bins in zip(codes.T, binned.T, strict=True):
            counts, edges = np.histogram(values, bins=20)
            np.testing.assert_array_equal(np.bincount(bins, minlength=20), counts)
            np.testing.assert_array_equal(bins, np.digitize(values, edges[:-1]) - 1)

    def test_constant_column_is_one_bin(self):
        assert len(np.unique(discretise(np.full((5, 1), 0.1, np.float32), 20))) == 1

    def test_no_room_for_edges(self):
        """Two neighbouring floats: np.histogram refuses 20 bins between them."""
        low = np.float32(1e6)
        codes = np.array([[low], [np.nextafter(low, np.float32(2e6))], [low]])
        with pytest.raises(ValueError, match="Too many bins"):
            np.histogram(codes[:, 0], bins=20)
        assert discretise(codes, 20)[:, 0].tolist() == [0, 1, 0]

    def test_fewer_samples_than_bins(self):
        codes = np.array([[0.0], [1.0], [0.4]])
        assert discretise(codes, 20)[:, 0].tolist() == [0, 19, 8]

    def test_categories_are_used_as_they_are(self):
        codes = np.array([[0.0, 0.0], [7.0, 7.0], [3.0, 3.0]])
        binned = discretise(codes, 2, num_categories=(8, 0))
        assert binned.tolist() == [[0, 0], [7, 1], [3, 0]]

    def test_bins_are_counted(self):
        with pytest.raises(ArgumentError, match="num_bins must be at least 1"):
            discretise(np.zeros((3, 1)), 0)


class TestMutualInformation:
    def test_by_hand(self):
        # Joint shares 1/2, 1/4, 1/4 of (0, 0), (0, 1), (1, 1).
        first = np.array([[0], [0], [0], [1]])
        second = np.array([[0], [0], [1], [1]])
        expected = (
            0.5 * np.log(0.5 / (0.75 * 0.5))
            + 0.25 * np.log(0.25 / (0.75 * 0.5))
            + 0.25 * np.log(0.25 / (0.25 * 0.5))
        )
        result = mutual_information(first, second)
        np.testing.assert_allclose(result, [[expected]], rtol=1e-14)

    @pytest.mark.parametrize("n", [2, 17, 10_000])
    def test_equals_scikit_learn(self, n):
        first, second = labels(n, (20, 1, 3, 183)), labels(n, (5, 40, 2), seed=1)
        first[:, 0] += 4 * second[:, 0]
        result = mutual_information(first, second)
        expected = [[mutual_info_score(b, a) for b in second.T] for a in first.T]
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)

    def test_constant_knows_nothing_exactly(self):
        constant, other = np.full((7, 1), 3), labels(7, (5,))
        assert mutual_information(constant, other).item() == 0.0
        assert mutual_information(other, constant).item() == 0.0

    def test_of_itself_is_the_entropy(self):
        values = labels(1_000, (4, 9, 1))
        own = np.diagonal(mutual_information(values, values))
        np.testing.assert_allclose(own, entropy(values), atol=1e-14)

    def test_labels_are_only_names(self):
        first, second = labels(500, (6,)), labels(500, (4,), seed=1)
        first = np.where(first < 3, first, second)
        renamed = np.array([50, -3, 7, 10**12, 0, 2])[first]
        before = mutual_information(first, second).item()
        assert mutual_information(renamed, second).item() == pytest.approx(before)

    def test_bias_of_independent_variables(self):
        """(B - 1)(K - 1) / 2N, the figure in the module's docstring."""
        n, sizes = 10_000, (20, 40)
        drawn = [labels(n, sizes, seed=seed) for seed in range(20)]
        values = [mutual_information(x[:, :1], x[:, 1:]).item() for x in drawn]
        error = np.std(values, ddof=1) / np.sqrt(20)
        assert abs(np.mean(values) - 19 * 39 / (2 * n)) < 4 * error + 1e-3


def test_entropy_equals_scipy():
    values = labels(777, (4, 30, 1))
    expected = [stats.entropy(np.unique(v, return_counts=True)[1]) for v in values.T]
    np.testing.assert_allclose(entropy(values), expected, atol=1e-13)
