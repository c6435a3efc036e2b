import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import udr_score
from tf_disentangle.metrics.unsupervised.udr import relative_strength


def factors(n=1_000, size=4, seed=0):
    return np.random.default_rng(seed).uniform(-1.7, 1.7, size=(n, size))


def disentangled(seed, noise=0.1):
    """The factors in another order, sign and scale."""
    rng = np.random.default_rng(seed)
    codes = factors()[:, rng.permutation(4)]
    codes = codes * rng.choice([-1, 1], size=4) * rng.uniform(0.5, 3, size=4)
    return codes + noise * rng.normal(size=codes.shape)


def entangled(seed):
    """A rotation of the factors, another for each model."""
    rotation = stats.ortho_group.rvs(4, random_state=seed)
    return factors() @ rotation


def reference(codes, kls, lasso, threshold=0.01, masked_above=None):
    """The reference's algorithm, pair by pair; needs one L and no empty mask."""
    masked_above = threshold if masked_above is None else masked_above
    scaled = [
        StandardScaler().fit_transform(c) * (k > threshold)
        for c, k in zip(codes, kls, strict=True)
    ]
    masks = [k > masked_above for k in kls]
    size = len(codes)
    pairs = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            if i == j:
                continue
            if lasso:
                fitted = Lasso(alpha=0.1).fit(scaled[i], scaled[j])
                matrix = np.abs(fitted.coef_).T
            else:
                matrix = np.array(
                    [
                        [abs(stats.spearmanr(a, b)[0]) for b in scaled[j].T]
                        for a in scaled[i].T
                    ]
                )
            matrix = matrix[masks[i]][:, masks[j]]
            means = []
            for axis in (0, 1):
                with np.errstate(invalid="ignore"):
                    ratio = matrix.max(axis) ** 2 / matrix.sum(axis)
                means.append(np.nan_to_num(ratio).mean())
            pairs[i, j] = np.mean(means)
    return [np.median(np.delete(pairs[:, i], i)) for i in range(size)]


@pytest.mark.parametrize("similarity", ["lasso", "spearman"])
def test_equals_the_reference_algorithm(similarity):
    codes = [disentangled(0), disentangled(1), entangled(2), entangled(3)]
    kls = [np.full(4, 1.0) for _ in codes]
    result = udr_score(
        codes, kls, similarity=similarity, weighting="axes", progress=False
    )
    expected = reference(codes, kls, similarity == "lasso")
    np.testing.assert_allclose(result.model_scores, expected, atol=1e-6)
    assert result.protocol == f"dlib, {similarity}"


def test_equals_the_reference_algorithm_with_uninformative_latents():
    codes = [disentangled(0), disentangled(1), entangled(2)]
    kls = [np.array([1, 0.001, 1, 1]), np.full(4, 2.0), np.array([0, 1, 0.5, 1])]
    result = udr_score(codes, kls, weighting="axes", progress=False)
    np.testing.assert_allclose(
        result.model_scores, reference(codes, kls, lasso=True), atol=1e-6
    )


def test_the_references_own_threshold_by_name():
    """Latents of at most 0.01 nats are 0 there, but stay in the mean below it."""
    codes = [disentangled(0), disentangled(1), entangled(2)]
    kls = [np.array([1, 0.005, 1, 1]), np.full(4, 2.0), np.array([0, 1, 0.5, 1])]
    result = udr_score(codes, kls, weighting="axes", kl_threshold=0.002, progress=False)
    expected = reference(codes, kls, lasso=True, masked_above=0.002)
    np.testing.assert_allclose(result.model_scores, expected, atol=1e-6)
    assert result.protocol == "dlib, lasso, kl_threshold=0.002"
    ours = udr_score(codes, kls, kl_threshold=0.002, progress=False)
    assert abs(ours.model_scores[0] - result.model_scores[0]) > 0.01


def test_rounds_of_the_lasso():
    codes = [disentangled(0), entangled(1), entangled(2)]
    result = udr_score(codes, max_iter=1_000, progress=False)
    assert result.protocol == "udr, lasso, max_iter=1000"
    converged = udr_score(codes, progress=False)
    np.testing.assert_array_equal(result.model_scores, converged.model_scores)
    with pytest.raises(ArgumentError, match="max_iter must be at least 1"):
        udr_score(codes, max_iter=0)


@pytest.mark.parametrize("similarity", ["lasso", "spearman"])
def test_disentangled_models_rank_first(similarity):
    codes = [entangled(0), disentangled(1), entangled(2), disentangled(3)]
    codes += [disentangled(4), entangled(5), disentangled(6)]
    result = udr_score(codes, similarity=similarity, progress=False)
    assert set(result.ranking[:4]) == {1, 3, 4, 6}
    assert result.model_scores[[1, 3, 4, 6]].min() > 0.7
    assert result.model_scores[[0, 2, 5]].max() < 0.6


def test_the_same_code_up_to_order_sign_and_scale():
    codes = [disentangled(seed, noise=0.0) for seed in range(3)]
    spearman = udr_score(codes, similarity="spearman", progress=False)
    # Uniform factors correlate by chance, about 0.03 each.
    assert spearman.score > 0.88
    # The Lasso takes alpha from every weight: 1 - 0.1, and 0.9^2 / 0.9 remains.
    assert udr_score(codes, progress=False).score == pytest.approx(0.9, abs=0.01)


def test_both_weightings_by_hand():
    matrix = np.array([[1.0, 0.0, 0.5], [0.0, 0.5, 0.5]])
    # Columns: 1, 0.5, 0.25; rows: 1/1.5, 0.25/1.
    columns, rows = [1.0, 0.5, 0.25], [1 / 1.5, 0.25]
    assert relative_strength(matrix) == pytest.approx((sum(columns) + sum(rows)) / 5)
    assert relative_strength(matrix, "axes") == pytest.approx(
        (np.mean(columns) + np.mean(rows)) / 2
    )
    assert relative_strength(np.zeros((0, 3))) == 0.0
    assert relative_strength(np.zeros((2, 3))) == 0.0


def test_models_of_other_sizes_and_a_collapsed_one():
    more = np.column_stack(
        [disentangled(1), np.random.default_rng(9).normal(size=1000)]
    )
    collapsed = np.full((1_000, 3), 0.1, np.float32)
    result = udr_score(
        [disentangled(0), more, collapsed, disentangled(2)], progress=False
    )
    assert result.model_scores[2] == 0.0
    assert result.ranking[-1] == 2
    assert [mask.sum() for mask in result.informative] == [4, 5, 0, 4]
    assert result.similarities[0, 1].shape == (4, 5)
    # The noise latent of model 1 costs it a share.
    assert result.model_scores[1] < result.model_scores[0] < 1.0
    assert np.isfinite(result.model_scores).all()


def test_errors():
    good = disentangled(0)
    with pytest.raises(ArgumentError, match="at least 2 models"):
        udr_score([good])
    with pytest.raises(ArgumentError, match="same images"):
        udr_score([good, good[:-1]])
    with pytest.raises(ArgumentError, match=r"codes\[1\].*z2"):
        bad = good.copy()
        bad[0, 2] = np.nan
        udr_score([good, bad])
    with pytest.raises(ArgumentError, match=r"kl_per_latent\[0\] must have shape"):
        udr_score([good, good], [np.ones(3), np.ones(4)])
    with pytest.raises(ArgumentError, match="Did you mean lasso"):
        udr_score([good, good], similarity="laso")
