import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import mig_score, modularity_score
from tf_disentangle.metrics.supervised.modularity import modularity_of_latents


def slow_modularity(matrix):
    """Latent by latent, as in the paper."""
    scores = []
    for row in matrix:
        best = max(row) ** 2
        others = sum(value**2 for value in row) - best
        scores.append(1 - others / (best * (len(row) - 1)) if best else 0.0)
    return np.mean(scores)


def test_study_code():
    codes, factors, *_ = known.golden_samples()
    expected = known.golden()["values"]["modularity"]
    for protocol in ("dlib", "dlib-sklearn1.9", "dlib-verbatim"):
        result = modularity_score(codes, factors, protocol=protocol)
        assert result.score == pytest.approx(expected, abs=1e-9)
        assert result.protocol == protocol


def test_by_hand():
    scores = modularity_of_latents(np.array([[2.0, 0, 0], [1, 1, 1], [2, 1, 0]]))
    # 1 - 0, 1 - 2/2, 1 - 1/(4 * 2).
    assert scores.tolist() == [1, 0, 0.875]


@pytest.mark.parametrize("num_bins", [3, 20])
def test_against_the_loop(num_bins):
    sizes = (3, 5, 8)
    mixing = np.random.default_rng(1).normal(size=(3, 6))
    codes, factors = known.drawn(known.mixed(sizes, mixing, 0.3), sizes, 700)
    result = modularity_score(codes, factors, num_bins=num_bins)
    matrix = mig_score(codes, factors, num_bins=num_bins).mutual_information
    np.testing.assert_array_equal(result.mutual_information, matrix)
    assert 0.2 < result.score < 0.95
    assert result.score == pytest.approx(slow_modularity(matrix), abs=1e-12)


class TestDeadLatents:
    """The study's code gives a latent without information a 0 and keeps it."""

    CODES, FACTORS = known.drawn(known.dead_latent((4, 4, 4)), (4, 4, 4), 3_000)

    def test_left_out_by_default(self):
        result = modularity_score(self.CODES, self.FACTORS)
        alive = modularity_score(self.CODES[:, 1:], self.FACTORS)
        assert result.score == alive.score > 0.99
        assert np.isnan(result.latent_scores[0])

    def test_kept_by_name(self):
        result = modularity_score(self.CODES, self.FACTORS, protocol="dlib-verbatim")
        expected = slow_modularity(result.mutual_information)
        assert result.score == pytest.approx(expected)
        assert result.latent_scores[0] == 0
        assert 0.74 < result.score < 0.75  # 3 of 4 latents

    def test_all_dead(self):
        codes, factors = known.drawn(known.collapsed(3), (4, 4), 100)
        for protocol in ("dlib", "dlib-verbatim"):
            assert modularity_score(codes, factors, protocol=protocol).score == 0


class TestDegenerate:
    def test_one_factor(self):
        codes, factors = known.drawn(known.perfect((9,)), (9,), 500)
        codes = np.hstack([codes, np.zeros_like(codes)])
        assert modularity_score(codes, factors).score == 1
        verbatim = modularity_score(codes, factors, protocol="dlib-verbatim")
        assert np.isnan(verbatim.latent_scores[0])

    def test_factor_with_one_value_does_not_count(self):
        codes, factors = known.drawn(known.rotated((4, 4)), (4, 4), 2_000)
        more = np.insert(factors, 1, 7, axis=1)
        score = modularity_score(codes, factors).score
        assert modularity_score(codes, more).score == score < 0.2
        # The study's code divides by one factor more: 1 - (1 - score) / 2.
        verbatim = modularity_score(codes, more, protocol="dlib-verbatim").score
        assert verbatim == pytest.approx((1 + score) / 2)

    def test_one_latent(self):
        codes, factors = known.drawn(known.perfect((4, 4)), (4, 4), 2_000)
        assert modularity_score(codes[:, :1], factors).score > 0.99

    def test_categories_as_they_are(self):
        factors = np.random.default_rng(0).integers([40, 40], size=(4_000, 2))
        codes = factors[:, :1] % 2 * 40 + factors[:, :1] // 2  # far from in order
        columns = [CodeColumn("c0", "categorical")]
        result = modularity_score(codes, factors, columns=columns)
        assert result.mutual_information[0, 0] > 3.6  # log 40 = 3.69
        assert result.protocol == "dlib, categorical=as is"
