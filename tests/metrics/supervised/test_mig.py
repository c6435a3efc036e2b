import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import mig_score
from tf_disentangle.metrics.supervised.mig import top_two_gap


def slow_mig(codes, factors, num_bins):
    """The study's loop: histogram, digitize, scikit-learn's information, sort."""
    gaps = []
    for factor in factors.T:
        known_of = []
        for code in codes.T:
            edges = np.histogram(code, num_bins)[1]
            known_of.append(mutual_info_score(factor, np.digitize(code, edges[:-1])))
        second, first = sorted(known_of)[-2:]
        gaps.append((first - second) / mutual_info_score(factor, factor))
    return np.mean(gaps)


class TestGolden:
    def test_study_code(self):
        codes, factors, *_ = known.golden_samples()
        expected = known.golden()["values"]["mig"]
        for protocol in ("dlib", "dlib-sklearn1.9", "dlib-verbatim"):
            result = mig_score(codes, factors, protocol=protocol)
            assert result.score == pytest.approx(expected, abs=1e-9)
            assert result.protocol == protocol


class TestByHand:
    # Latent 0 is factor 0; latent 1 halves of it: I = H(1/2, 1/2) = log 2 of log 4.
    FACTORS = np.repeat([[0, 0], [1, 0], [2, 1], [3, 1]], 5, axis=0)

    def test_gap(self):
        codes = np.stack([self.FACTORS[:, 0], self.FACTORS[:, 0] // 2], axis=1)
        result = mig_score(codes, self.FACTORS)
        np.testing.assert_allclose(
            result.mutual_information,
            [[np.log(4), np.log(2)], [np.log(2), np.log(2)]],
            rtol=1e-14,
        )
        np.testing.assert_allclose(result.entropies, [np.log(4), np.log(2)])
        np.testing.assert_allclose(result.gaps, [0.5, 0.0], atol=1e-15)
        assert result.score == pytest.approx(0.25)

    def test_top_two(self):
        matrix = np.array([[1.0, 5, 2], [4, 5, 0], [3, 1, 0]])
        assert top_two_gap(matrix).tolist() == [1, 0, 2]


class TestAgainstTheLoop:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("num_bins", [2, 7, 20])
    def test_same_score(self, dtype, num_bins):
        sizes = (3, 5, 8)
        encode = known.mixed(sizes, np.random.default_rng(1).normal(size=(3, 5)), 0.3)
        codes, factors = known.drawn(encode, sizes, 700)
        codes = codes.astype(dtype)
        result = mig_score(codes, factors, num_bins=num_bins)
        assert 0.02 < result.score < 0.9
        expected = slow_mig(codes, factors, num_bins)
        assert result.score == pytest.approx(expected, abs=1e-12)

    def test_number_of_bins_is_in_the_protocol(self):
        codes, factors = known.drawn(known.perfect((3, 4)), (3, 4), 50)
        assert mig_score(codes, factors, num_bins=9).protocol == "dlib, num_bins=9"


class TestDegenerate:
    def test_one_latent(self):
        """The second latent knows nothing: the gap is the whole information."""
        codes, factors = known.drawn(known.perfect((4, 4)), (4, 4), 4_000)
        result = mig_score(codes[:, :1], factors)
        assert result.gaps[0] == pytest.approx(1)
        assert result.gaps[1] < 0.01
        assert result.mutual_information.shape == (1, 2)
        with pytest.raises(ArgumentError, match="at least 2 latents"):
            mig_score(codes[:, :1], factors, protocol="dlib-verbatim")

    def test_one_factor(self):
        codes, factors = known.drawn(known.perfect((9,)), (9,), 500)
        noise = np.random.default_rng(0).normal(size=(500, 1))
        result = mig_score(np.hstack([codes, noise]), factors)
        assert 0.8 < result.score < 1.0
        assert result.gaps.shape == (1,)

    def test_factor_with_one_value_is_left_out(self):
        codes, factors = known.drawn(known.rotated((4, 4)), (4, 4), 500)
        more = np.insert(factors, 1, 7, axis=1)
        result = mig_score(codes, more)
        assert result.score == mig_score(codes, factors).score
        assert np.isnan(result.gaps[1])
        assert result.entropies[1] == 0
        assert np.isnan(mig_score(codes, more, protocol="dlib-verbatim").score)

    def test_fewer_samples_than_bins(self):
        codes, factors = known.drawn(known.perfect((2, 2)), (2, 2), 8)
        expected = slow_mig(codes, factors, 20)
        assert mig_score(codes, factors).score == pytest.approx(expected)


class TestCategories:
    COLUMNS = (CodeColumn("c0", "categorical", num_values=40), CodeColumn("z0"))

    def test_a_category_is_not_cut_into_bins(self):
        """40 categories show a factor of 40 values whole; 20 bins halve it."""
        factors = np.random.default_rng(0).integers(40, size=(4_000, 1))
        codes = np.hstack([factors, np.zeros_like(factors)])
        result = mig_score(codes, factors, columns=self.COLUMNS)
        assert result.score == pytest.approx(1)
        assert result.protocol == "dlib, categorical=as is"
        assert mig_score(codes, factors).score < 0.85

    def test_continuous_columns_alone_change_nothing(self):
        codes, factors = known.drawn(known.rotated((4, 4)), (4, 4), 500)
        columns = [CodeColumn("z0"), CodeColumn("z1")]
        assert mig_score(codes, factors, columns=columns).protocol == "dlib"
