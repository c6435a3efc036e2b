"""The compiled trees against scikit-learn's, tree by tree."""

import subprocess
import sys

import numba
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics.estimators.boosting import fit_boosted_trees
from tf_disentangle.metrics.estimators.boosting.jit import compiled
from tf_disentangle.metrics.estimators.boosting.stages import pairwise_sum


def problem(num_samples, num_features, num_classes, *, noise=0.5, seed=0):
    """Continuous codes and labels that depend on two of them."""
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((num_samples, num_features)).astype(np.float32)
    signal = codes[:, 0] + 0.5 * codes[:, -1] + noise * rng.standard_normal(num_samples)
    edges = np.quantile(signal, np.arange(1, num_classes) / num_classes)
    return codes, np.digitize(signal, edges)


def theirs(codes, labels, seed=0):
    return GradientBoostingClassifier(random_state=seed).fit(codes, labels)


def their_scores(model, codes):
    return model.decision_function(codes).reshape(len(codes), -1)


def assert_same(ours, model, test_codes, *, tolerance=1e-10):
    np.testing.assert_allclose(
        ours.importances, model.feature_importances_, rtol=0, atol=tolerance
    )
    np.testing.assert_allclose(
        ours.raw_scores(test_codes),
        their_scores(model, test_codes),
        rtol=0,
        atol=tolerance,
    )
    np.testing.assert_array_equal(ours.predict(test_codes), model.predict(test_codes))


class TestEqualToScikitLearn:
    @pytest.mark.parametrize(
        ("num_samples", "num_features", "num_classes"),
        [(300, 3, 2), (300, 4, 3), (700, 5, 6), (12, 6, 3), (150, 1, 4), (400, 20, 2)],
    )
    @pytest.mark.parametrize("seed", [0, 11])
    def test_every_tree(self, num_samples, num_features, num_classes, seed):
        """Small nodes are full of cuts of equal merit: the seed must decide alike."""
        codes, labels = problem(num_samples, num_features, num_classes)
        ours = fit_boosted_trees(codes, labels, seed=seed)
        model = theirs(codes, labels, seed)
        for stage, trees in enumerate(model.estimators_):
            for k, tree in enumerate(trees):
                cuts = ours.features[stage, k] >= 0
                inner = tree.tree_.children_left >= 0
                # Theirs are in the order of depth first, ours in that of a heap.
                assert sorted(
                    zip(
                        ours.features[stage, k][cuts],
                        ours.thresholds[stage, k][cuts],
                        strict=True,
                    )
                ) == sorted(
                    zip(
                        tree.tree_.feature[inner],
                        tree.tree_.threshold[inner],
                        strict=True,
                    )
                )
        test_codes, _ = problem(500, num_features, num_classes, seed=1)
        assert_same(ours, model, test_codes)
        np.testing.assert_array_equal(ours.train_predictions, model.predict(codes))

    def test_the_seed_matters_where_merits_are_equal(self):
        """Else the test above would not show that it is used."""
        codes, labels = problem(60, 6, 3)
        importances = [
            fit_boosted_trees(codes, labels, seed=seed).importances for seed in (0, 1)
        ]
        assert np.abs(importances[0] - importances[1]).max() > 1e-4

    def test_constant_and_nearly_constant_features(self):
        codes, labels = problem(300, 6, 4)
        codes[:, 1] = 0.1
        codes[:, 3] = 0.1 + 1e-8 * codes[:, 3]
        codes[:, 4] = np.where(codes[:, 4] > 1.5, 1.0, 0.0)  # constant in many nodes
        model = theirs(codes, labels, 3)
        ours = fit_boosted_trees(codes, labels, seed=3)
        assert ours.importances[1] == ours.importances[3] == 0.0
        assert ours.importances[4] > 0
        np.testing.assert_allclose(
            ours.importances, model.feature_importances_, atol=1e-3
        )

    def test_near_values_are_not_parted(self):
        """Pairs of values within 1e-7 of each other, with different labels."""
        codes, labels = problem(300, 3, 3, noise=2.0)
        codes *= np.float32(0.01)
        codes[150:] = codes[:150] + np.float32(5e-8)
        ours = fit_boosted_trees(codes, labels)
        assert_same(ours, theirs(codes, labels), codes)
        test = codes[:150] + np.float32(1e-8)
        np.testing.assert_array_equal(ours.predict(test), ours.predict(codes[:150]))

    def test_repeated_values_without_equal_merits(self):
        rng = np.random.default_rng(5)
        codes = rng.integers(0, 9, size=(2_000, 3)).astype(np.float32)
        labels = (codes @ [1, 2, 4] + 4 * rng.standard_normal(2_000)) // 14
        labels = np.clip(labels, 0, 3).astype(int)
        ours, model = fit_boosted_trees(codes, labels), theirs(codes, labels)
        assert_same(ours, model, codes, tolerance=1e-6)

    def test_repeated_values_with_equal_merits_lie_in_their_spread(self):
        """Two equal latents: which of them a cut takes is chance in both."""
        rng = np.random.default_rng(6)
        codes = rng.integers(0, 5, size=(400, 3)).astype(np.float32)
        codes[:, 2] = codes[:, 0]
        labels = ((codes[:, 0] + codes[:, 1] + rng.normal(size=400)) // 3).astype(int)
        ours = [fit_boosted_trees(codes, labels, seed=s) for s in range(8)]
        models = [theirs(codes, labels, seed) for seed in range(8)]
        mine = np.array([m.importances for m in ours])
        other = np.array([m.feature_importances_ for m in models])
        # What belongs to the pair together, and to the other latent, is no chance.
        np.testing.assert_allclose(mine[:, 1], other[:, 1].mean(), atol=2e-3)
        error = np.sqrt((mine[:, 0].var(ddof=1) + other[:, 0].var(ddof=1)) / 8)
        assert abs(mine[:, 0].mean() - other[:, 0].mean()) < 5 * error
        assert 0.4 < mine[:, 0].std() / other[:, 0].std() < 2.5
        for fitted, model in zip(ours, models, strict=True):
            agree = fitted.predict(codes) == model.predict(codes)
            assert agree.mean() > 0.98

    def test_double_precision_is_rounded_to_single(self):
        codes, labels = problem(200, 3, 3)
        doubles = codes.astype(np.float64) + 1e-9
        ours = fit_boosted_trees(doubles, labels)
        assert_same(ours, theirs(doubles, labels), doubles)

    def test_labels_keep_their_names(self):
        codes, labels = problem(100, 2, 3)
        named = np.array([7, -2, 30])[labels]
        model = theirs(codes, named)
        ours = fit_boosted_trees(codes, named)
        np.testing.assert_array_equal(ours.classes, [-2, 7, 30])
        assert_same(ours, model, codes)


class TestReproducible:
    def test_same_seed_any_number_of_threads(self):
        codes, labels = problem(300, 4, 5)
        first = fit_boosted_trees(codes, labels, seed=4, num_threads=1)
        for threads in (1, 2, 7):
            again = fit_boosted_trees(codes, labels, seed=4, num_threads=threads)
            np.testing.assert_array_equal(first.values, again.values)
            np.testing.assert_array_equal(first.importances, again.importances)
            np.testing.assert_array_equal(
                first.raw_scores(codes), again.raw_scores(codes, num_threads=threads)
            )


class TestDegenerate:
    def test_one_class(self):
        codes, _ = problem(20, 3, 2)
        ours = fit_boosted_trees(codes, np.full(20, 5))
        assert ours.importances.tolist() == [0.0, 0.0, 0.0]
        assert ours.predict(codes[:4]).tolist() == [5, 5, 5, 5]
        assert ours.train_predictions.tolist() == [5] * 20

    @pytest.mark.parametrize("num_classes", [2, 3])
    def test_constant_codes(self, num_classes):
        labels = np.arange(30) % num_classes
        labels[:4] = 1
        codes = np.full((30, 2), 0.3)
        ours = fit_boosted_trees(codes, labels)
        assert ours.importances.tolist() == [0.0, 0.0]
        np.testing.assert_array_equal(
            ours.predict(codes), theirs(codes, labels).predict(codes)
        )

    def test_two_samples(self):
        codes = np.array([[0.0], [1.0]])
        ours = fit_boosted_trees(codes, np.array([0, 1]))
        assert_same(ours, theirs(codes, [0, 1]), codes)
        assert ours.importances.tolist() == [1.0]

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
    def test_not_finite(self, bad):
        codes = np.zeros((5, 2))
        codes[3, 1] = bad
        with pytest.raises(ArgumentError, match="z1"):
            fit_boosted_trees(codes, np.arange(5))


@pytest.mark.parametrize("count", [1, 5, 8, 9, 127, 128, 129, 1_000, 4_321])
def test_sums_are_numpys(count):
    numbers = np.random.default_rng(count).standard_normal(count)
    assert pairwise_sum(numbers, 0, count) == numbers.sum()


def test_where_nothing_can_be_cached_it_still_compiles(monkeypatch):
    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(**options)

    original = numba.njit
    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(lambda x: x + 1)(2) == 3


def test_importing_the_metrics_imports_no_numba():
    code = "import sys, tf_disentangle.metrics; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
