"""Correlated sets against the table of probabilities, written out in loops."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from tests.datasets.tiny import Tiny
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import Correlated, HeldOut, Noisy

TINY = Tiny()
SIZES = TINY.factor_sizes


def table(pairs, strength):
    """p(f), float64 [4, 5, 3], from the equation."""
    p = np.empty(SIZES)
    for f in itertools.product(*map(range, SIZES)):
        value = {"xys"[k]: f[k] / (n - 1) for k, n in enumerate(SIZES)}
        exponent = sum((value[a[0]] - value[b[0]]) ** 2 for a, b in pairs)
        p[f] = math.exp(-(strength**2) * exponent / 2)
    return p / p.sum()


def counts_of(factors):
    return np.bincount(TINY.index_of(factors), minlength=60).reshape(SIZES)


@pytest.mark.parametrize(
    ("pairs", "strength"),
    [
        ([("x", "y")], 5.0),
        ([("x", "size")], 1 / 0.7),
        ([("x", "y"), ("y", "size")], 2.5),
    ],
)
def test_draws_follow_the_equation(pairs, strength):
    data = Correlated(TINY, pairs, strength, num_images=30_000)
    expected = 30_000 * table(pairs, strength)
    drawn = data.sample_factors(30_000, np.random.default_rng(0))
    training = data.factors_of(range(len(data)))
    for factors in (drawn, training):
        # Rare cells together: chi-square wants a few counts in each.
        order = np.argsort(expected, axis=None)[::-1]
        cells = np.minimum(np.arange(60), (expected >= 5).sum() - 1)
        observed = np.bincount(cells, counts_of(factors).ravel()[order])
        wanted = np.bincount(cells, expected.ravel()[order])
        assert stats.chisquare(observed, wanted).pvalue > 1e-3
    assert data.traits - Tiny.traits == {"correlated_factors", "nonuniform_factors"}


def test_strength_0_is_the_wrapped_set():
    data = Correlated(TINY, [("x", "y")], 0.0, num_images=20_000)
    assert data.traits == TINY.traits
    counts = counts_of(data.sample_factors(20_000, np.random.default_rng(1)))
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_a_large_strength_leaves_only_equal_values():
    # x and size have no value between in common but 0 and 1.
    data = Correlated(TINY, [("x", "size")], 1000)
    factors = data.sample_factors(2000, np.random.default_rng(0))
    assert {(x, size) for x, _, size in factors.tolist()} == {(0, 0), (3, 2)}


def test_correlation_grows_with_strength():
    found = [
        np.corrcoef(
            Correlated(TINY, [("x", "y")], strength)
            .sample_factors(5000, np.random.default_rng(2))[:, :2]
            .T
        )[0, 1]
        for strength in (0, 1, 1 / 0.7, 2.5, 5, 20)
    ]
    assert abs(found[0]) < 0.06
    assert (np.diff(found) > 0.05).all()
    assert found[-1] > 0.98


def test_images_are_the_wrapped_sets_drawn_with_replacement():
    data = Correlated(TINY, [("x", "y")], 5.0, num_images=500, seed=3)
    assert (len(data), data.images().shape) == (500, (500, 16, 16, 1))
    indices = np.array([499, 3, 3, 0])
    expected = TINY.render(data.factors_of(indices))
    assert_array_equal(data.images()[indices], expected)
    again = Correlated(TINY, [("x", "y")], 5.0, num_images=500, seed=3)
    assert_array_equal(again.images()[:], data.images()[:])
    other = Correlated(TINY, [("x", "y")], 5.0, num_images=500, seed=4)
    assert not np.array_equal(other.images()[:], data.images()[:])
    assert len(Correlated(TINY, [("x", "y")], 5.0)) == len(TINY)


def test_other_sets_can_be_wrapped():
    rest = HeldOut(TINY, [{"x": 0}])
    data = Correlated(rest, [("x", "y")], 5.0)
    assert data.sample_factors(2000, np.random.default_rng(0))[:, 0].min() == 1
    noisy = Correlated(Noisy(TINY), [("x", "y")], 5.0)
    assert noisy.image_shape == (16, 16, 3)
    assert "stochastic_images" in noisy.traits
    assert_array_equal(noisy.images()[:9], noisy.images()[:9])


@pytest.mark.parametrize(
    ("pairs", "strength", "words"),
    [
        ([], 1, "pairs must be a list of pairs"),
        ("xy", 1, "pairs must be a list of pairs"),
        (["xy"], 1, "pairs must be a list of pairs"),
        ([("x", "x")], 1, "pairs must be a list of pairs"),
        ([("x", "y", "size")], 1, "pairs must be a list of pairs"),
        ([("x", "siez")], 1, "Did you mean size"),
        ([("x", "y")], -1, "strength must be at least 0"),
    ],
)
def test_mistakes(pairs, strength, words):
    with pytest.raises(ArgumentError, match=words):
        Correlated(TINY, pairs, strength)


def test_a_factor_of_one_value_is_refused():
    one = HeldOut(TINY, [{"x": 0}])
    one.factor_sizes = (1, 5, 3)
    with pytest.raises(ArgumentError, match="x, in pairs, must have two values"):
        Correlated(one, [("x", "y")], 5.0)


def test_sets_that_do_not_know_their_images_factors_are_refused():
    unnumbered = Tiny()
    unnumbered.traits = frozenset()
    with pytest.raises(ArgumentError, match="trait known_rows"):
        Correlated(unnumbered, [("x", "y")], 1.0)
    with pytest.raises(ArgumentError, match="not the class"):
        Correlated(Tiny, [("x", "y")], 1.0)
