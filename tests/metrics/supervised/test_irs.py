import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import irs_score


def slow_irs(codes, factors, quantile, num_bins):
    """The study's loop, without its treatment of constant latents."""
    codes = np.asarray(codes, np.float64)
    largest = np.max(np.abs(codes - codes.mean(axis=0)), axis=0)
    matrix = np.zeros((codes.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        edges = np.histogram(factor, num_bins)[1]
        binned = np.digitize(factor, edges[:-1])
        values = np.unique(binned)
        for value in values:
            group = codes[binned == value]
            deviation = np.abs(group - group.mean(axis=0))
            matrix[:, k] += np.percentile(deviation, 100 * quantile, axis=0)
        matrix[:, k] /= len(values)
    robustness = 1 - matrix / largest[:, np.newaxis]
    return np.average(robustness.max(axis=1), weights=largest), robustness


def test_study_code():
    codes, factors, *_ = known.golden_samples()
    expected = known.golden()["values"]["irs"]
    for protocol in ("dlib", "dlib-sklearn1.9", "dlib-verbatim"):
        result = irs_score(codes, factors, protocol=protocol)
        # The study's code sums in float32.
        assert result.score == pytest.approx(expected, abs=1e-6)
        assert result.protocol == protocol


def test_by_hand():
    # While the factor is 0 the code is -3 or -1 (mean -2, deviation 1), while it is 1
    # it is 0 or 4 (mean 2, deviation 2). The mean over all is 0, the largest 4.
    codes = np.array([[-3.0], [-1], [0], [4]])
    result = irs_score(codes, np.array([[0], [0], [1], [1]]), diff_quantile=1.0)
    assert result.robustness.tolist() == [[1 - 1.5 / 4]]
    assert result.score == 1 - 1.5 / 4
    assert result.parents.tolist() == [0]
    assert result.max_deviations.tolist() == [4]


@pytest.mark.parametrize("quantile", [0.5, 0.99, 1.0])
@pytest.mark.parametrize("num_bins", [5, 20])
def test_against_the_loop(quantile, num_bins):
    sizes = (3, 5, 40)
    mixing = np.random.default_rng(1).normal(size=(3, 6))
    codes, factors = known.drawn(known.mixed(sizes, mixing, 0.3), sizes, 3_000)
    result = irs_score(codes, factors, diff_quantile=quantile, num_bins=num_bins)
    score, robustness = slow_irs(codes, factors, quantile, num_bins)
    assert result.score == pytest.approx(score, abs=1e-12)
    np.testing.assert_allclose(result.robustness, robustness, atol=1e-12)
    np.testing.assert_array_equal(result.parents, robustness.argmax(axis=1))
    assert 0.05 < result.score < 0.9


def test_options_are_in_the_protocol():
    codes, factors = known.drawn(known.perfect((3, 4)), (3, 4), 50)
    result = irs_score(codes, factors, diff_quantile=1.0, num_bins=5)
    assert result.protocol == "dlib, diff_quantile=1.0, num_bins=5"
    with pytest.raises(ArgumentError, match="diff_quantile must be at most 1"):
        irs_score(codes, factors, diff_quantile=99)


class TestGroupsOfOne:
    """Alone in its bin a sample is its own mean: deviation 0, robustness 1."""

    RNG = np.random.default_rng(0)
    CODES = RNG.normal(size=(60, 3))
    FACTORS = np.stack([RNG.integers(2, size=60), np.arange(60)], axis=1)

    def test_left_out_by_default(self):
        alone = irs_score(self.CODES, self.FACTORS, num_bins=60)
        assert np.isnan(alone.robustness[:, 1]).all()
        assert alone.parents.tolist() == [0, 0, 0]
        without = irs_score(self.CODES, self.FACTORS[:, :1], num_bins=60)
        assert alone.score == without.score < 0.5

    def test_perfect_by_name(self):
        result = irs_score(
            self.CODES, self.FACTORS, num_bins=60, protocol="dlib-verbatim"
        )
        assert result.score == 1
        assert result.parents.tolist() == [1, 1, 1]
        score, _ = slow_irs(self.CODES, self.FACTORS, 0.99, 60)
        assert score == 1

    def test_one_of_several_bins(self):
        codes = np.array([[0.0], [2], [5], [9]])
        factors = np.array([[0], [0], [1], [1]])
        more = np.array([[2]]), np.array([[4.0]])  # the mean of the others
        score = irs_score(codes, factors, diff_quantile=1.0).score
        codes, factors = np.vstack([codes, more[1]]), np.vstack([factors, more[0]])
        assert irs_score(codes, factors, diff_quantile=1.0).score == score
        # (1 + 2) / 2 becomes (1 + 2 + 0) / 3.
        verbatim = irs_score(
            codes, factors, diff_quantile=1.0, protocol="dlib-verbatim"
        ).score
        assert 1 - verbatim == pytest.approx((1 - score) * 2 / 3)

    def test_nobody_shares_a_bin(self):
        with pytest.raises(ArgumentError, match="two samples with the same value"):
            irs_score(self.CODES, self.FACTORS[:, 1:], num_bins=60)


class TestDegenerate:
    def test_constant_latent_is_left_out(self):
        codes, factors = known.drawn(known.dead_latent((4, 4)), (4, 4), 500)
        result = irs_score(codes.astype(np.float32), factors)
        assert result.num_active == 2
        verbatim = irs_score(codes, factors, protocol="dlib-verbatim")
        assert verbatim.num_active == pytest.approx(codes[:, 1:].sum(), abs=1e-9)
        assert np.isnan(result.latent_scores[0])
        assert result.parents.tolist() == [-1, 0, 1]
        assert result.score == pytest.approx(1)

    def test_factor_with_one_value_is_nobodys_parent(self):
        codes, factors = known.drawn(known.unrelated(3), (4, 4), 500)
        more = np.insert(factors, 0, 7, axis=1)
        result = irs_score(codes, more)
        assert result.score == irs_score(codes, factors).score
        assert np.isnan(result.robustness[:, 0]).all()
        verbatim = irs_score(codes, more, protocol="dlib-verbatim")
        assert not np.isnan(verbatim.robustness).any()

    def test_one_latent_and_one_factor(self):
        codes, factors = known.drawn(known.perfect((9,)), (9,), 200)
        assert irs_score(codes, factors).score == pytest.approx(1)

    def test_continuous_factors(self):
        factors = np.random.default_rng(0).uniform(size=(5_000, 2))
        result = irs_score(factors * [1, 3], factors)
        # Within a bin of width 1/20 the code stays within 1/40 of the mean, of 1/2.
        assert result.score == pytest.approx(1 - 1 / 20, abs=0.005)
        assert result.parents.tolist() == [0, 1]


class TestCategories:
    COLUMNS = (CodeColumn("c0", "categorical"),)

    def test_the_names_of_the_categories_do_not_matter(self):
        factors = np.random.default_rng(0).integers(5, size=(500, 1))
        codes = np.array([7, 0, 2, 9, 4])[factors]
        result = irs_score(codes, factors, columns=self.COLUMNS)
        assert result.score == 1
        assert result.protocol == "dlib, categorical=total variation"

    def test_by_hand(self):
        # Shares in all: 1/2, 1/4, 1/4, so the largest deviation is 3/4. While the
        # factor is 0 all are alike; while it is 1 both categories have 1/2.
        codes, factors = np.array([[0], [0], [1], [2]]), np.array([[0], [0], [1], [1]])
        result = irs_score(codes, factors, diff_quantile=1.0, columns=self.COLUMNS)
        assert result.score == pytest.approx(1 - (0 + 1 / 2) / 2 / (3 / 4))
