import numpy as np
import pytest
from sklearn.svm import LinearSVC

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import sap_score


def split(encode, sizes, n=900):
    codes, factors = known.drawn(encode, sizes, n)
    cut = 2 * n // 3
    return codes[:cut], factors[:cut], codes[cut:], factors[cut:]


def slow_accuracies(train_codes, train_factors, test_codes, test_factors):
    """The study's loop, with the solver that scikit-learn takes today."""
    matrix = np.zeros((train_codes.shape[1], train_factors.shape[1]))
    for d in range(train_codes.shape[1]):
        for k in range(train_factors.shape[1]):
            model = LinearSVC(
                C=0.01, class_weight="balanced", dual=False, tol=1e-8, max_iter=10_000
            )
            model.fit(train_codes[:, [d]], train_factors[:, k])
            matrix[d, k] = np.mean(
                model.predict(test_codes[:, [d]]) == test_factors[:, k]
            )
    return matrix


def mean_gap(matrix):
    ordered = np.sort(matrix, axis=0)
    return np.mean(ordered[-1] - ordered[-2])


class TestGolden:
    def test_study_code(self):
        result = sap_score(*known.golden_samples())
        # Solved to other tolerances: some of 5,000 labels may differ.
        assert result.score == pytest.approx(known.golden()["values"]["sap"], abs=4e-4)
        assert result.protocol == "dlib"


class TestAccuracy:
    @pytest.mark.parametrize("sizes", [(2, 3, 8), (5, 4, 6)])
    def test_against_the_loop(self, sizes):
        mixing = np.random.default_rng(1).normal(size=(3, 4))
        arrays = split(known.mixed(sizes, mixing, 0.3), sizes)
        result = sap_score(*arrays)
        expected = slow_accuracies(*arrays)
        np.testing.assert_allclose(result.predictability, expected, atol=2 / 300)
        assert result.score == pytest.approx(mean_gap(expected), abs=2 / 300)
        assert result.score == pytest.approx(mean_gap(result.predictability))
        assert result.score > 0.01

    @pytest.mark.parametrize("protocol", ["dlib", "dlib-sklearn1.9", "dlib-verbatim"])
    def test_both_solvers_seek_one_minimum(self, protocol):
        arrays = split(known.rotated((4, 4)), (4, 4))
        result = sap_score(*arrays, protocol=protocol)
        assert result.score == sap_score(*arrays).score
        assert result.protocol == protocol

    def test_perfect_binary_code(self):
        """Each factor is read from its latent, and by chance from the other."""
        result = sap_score(*split(known.perfect((2, 2)), (2, 2), 6_000))
        np.testing.assert_array_equal(np.diag(result.predictability), [1, 1])
        assert result.score == pytest.approx(0.5, abs=0.05)


class TestContinuous:
    def test_squared_correlation(self):
        rng = np.random.default_rng(0)
        codes = rng.normal(size=(500, 4))
        factors = codes[:, :3] @ rng.normal(size=(3, 2)) + rng.normal(size=(500, 2))
        result = sap_score(codes, factors, codes, factors, continuous_factors=True)
        expected = np.corrcoef(codes.T, factors.T)[:4, 4:] ** 2
        np.testing.assert_allclose(result.predictability, expected, rtol=1e-12)
        assert result.score == pytest.approx(mean_gap(expected))
        assert result.protocol == "dlib, continuous_factors=True"

    def test_constant_latents_have_none(self):
        codes, factors = known.drawn(known.dead_latent((4, 4)), (4, 4), 500)
        result = sap_score(codes, factors, codes, factors, continuous_factors=True)
        assert result.predictability[0].tolist() == [0, 0]
        np.testing.assert_allclose(np.diag(result.predictability[1:]), 1)

    def test_correlation_ratio_of_categories(self):
        factors = np.array([[0.0], [1], [2], [4], [5], [0]])
        codes = np.array([[3], [3], [0], [0], [1], [1]])
        result = sap_score(
            codes,
            factors,
            codes,
            factors,
            continuous_factors=True,
            columns=[CodeColumn("c0", "categorical")],
        )
        groups = np.array([0.5, 0.5, 3, 3, 2.5, 2.5])
        expected = groups.var() / factors.var()
        assert result.predictability.item() == pytest.approx(expected)
        assert result.gaps.item() == pytest.approx(expected)

    def test_a_category_that_only_the_test_part_has(self):
        result = sap_score(
            [[0], [0], [2], [2]],
            [[0.0], [1], [2], [4]],
            [[1], [2]],
            [[0.5], [1]],
            continuous_factors=True,
            columns=[CodeColumn("c0", "categorical")],
        )
        assert 0 < result.score < 1


class TestDegenerate:
    def test_one_latent_against_a_constant_one(self):
        arrays = split(known.perfect((2, 3)), (2, 3), 3_000)
        train, test = arrays[0][:, :1], arrays[2][:, :1]
        result = sap_score(train, arrays[1], test, arrays[3])
        constant = slow_accuracies(0 * train, arrays[1], 0 * test, arrays[3])
        assert result.predictability.shape == (1, 2)
        np.testing.assert_allclose(
            result.gaps, np.abs(result.predictability - constant)[0], atol=1e-12
        )
        with pytest.raises(ArgumentError, match="at least 2 latents"):
            sap_score(train, arrays[1], test, arrays[3], protocol="dlib-verbatim")

    def test_factor_with_one_train_value_is_left_out(self):
        train, labels, test, test_labels = split(known.rotated((4, 4)), (4, 4))
        more = np.insert(labels, 1, 7, axis=1)
        test_more = np.insert(test_labels, 1, np.arange(len(test_labels)), axis=1)
        result = sap_score(train, more, test, test_more)
        assert result.score == sap_score(train, labels, test, test_labels).score
        assert np.isnan(result.gaps[1])
        with pytest.raises(ArgumentError, match="two values or more of each factor"):
            sap_score(train, more, test, test_more, protocol="dlib-verbatim")

    def test_class_absent_from_either_part(self):
        train, labels, test, test_labels = split(known.perfect((4, 4)), (4, 4))
        seen = labels[:, 0] != 2
        some = test_labels[:, 1] != 0
        result = sap_score(train[seen], labels[seen], test[some], test_labels[some])
        expected = slow_accuracies(
            train[seen], labels[seen], test[some], test_labels[some]
        )
        np.testing.assert_allclose(result.predictability, expected, atol=1e-12)

    def test_one_factor(self):
        result = sap_score(*split(known.perfect((2,)), (2,)))
        assert result.predictability.item() == 1

    def test_fewer_samples_than_bins(self):
        arrays = split(known.rotated((2, 2)), (2, 2), 12)
        assert 0 <= sap_score(*arrays).score <= 1


class TestCategories:
    def test_categories_in_no_order(self):
        """No line separates category 1 of 0, 1, 2; one-hot vectors do."""
        factors = np.random.default_rng(0).integers(3, size=(900, 1)) == 1
        codes = np.random.default_rng(0).integers(3, size=(900, 1))
        columns = [CodeColumn("c0", "categorical")]
        arrays = codes[:600], factors[:600], codes[600:], factors[600:]
        result = sap_score(*arrays, columns=columns)
        assert result.predictability.item() == 1
        assert result.protocol == "dlib, categorical=one-hot"
        assert sap_score(*arrays).predictability.item() < 0.8
