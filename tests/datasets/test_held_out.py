"""Held-out combinations against a filter of all factors, one by one."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tests.datasets.tiny import Tiny
from tf_disentangle import checks
from tf_disentangle.datasets import (
    Correlated,
    HeldOut,
    ImageTable,
    Noisy,
    Subset,
)
from tf_disentangle.metrics.supervised.beta_vae import draw_pairs
from tf_disentangle.metrics.supervised.factor_vae import draw_votes

TINY = Tiny()
COMBINATIONS = [{"x": 0, "y": [1, 2]}, {"size": (2,), "y": 4}]


def is_out(x, y, size):
    return (x == 0 and y in (1, 2)) or (size == 2 and y == 4)


@pytest.fixture(scope="module")
def data():
    return HeldOut(TINY, COMBINATIONS)


def test_rest_and_held_out_are_the_whole(data):
    every = list(itertools.product(range(4), range(5), range(3)))
    rest = [f for f in every if not is_out(*f)]
    out = [f for f in every if is_out(*f)]
    np.testing.assert_array_equal(data.factors_of(np.arange(len(rest))), rest)
    held_out = data.held_out
    np.testing.assert_array_equal(held_out.factors_of(np.arange(len(out))), out)
    assert (len(data), len(held_out)) == (len(rest), len(out))
    np.testing.assert_array_equal(data.images()[:], TINY.render(np.array(rest)))
    np.testing.assert_array_equal(held_out.images()[:], TINY.render(np.array(out)))


def test_each_draws_its_own_factors_and_all_of_them(data):
    for part, held_out in ((data, False), (data.held_out, True)):
        drawn = part.sample_factors(3000, np.random.default_rng(0))
        assert {is_out(*f) for f in drawn.tolist()} == {held_out}
        assert len(np.unique(drawn, axis=0)) == len(part)


def test_votes_and_pairs_hold_a_factor_still_within_their_part(data):
    rng = np.random.default_rng(0)
    for whole in (data, Noisy(data)):
        fixed, batches = draw_votes(whole, 300, 8, rng, np.arange(3))
        assert not any(is_out(*f) for f in batches.reshape(-1, 3).tolist())
        held = batches[np.arange(300), :, fixed]
        np.testing.assert_array_equal(held, held[:, :1].repeat(8, axis=1))
        _, pairs = draw_pairs(whole, 300, 8, rng, np.arange(3))
        assert not any(is_out(*f) for f in pairs.reshape(-1, 3).tolist())
    _, batches = draw_votes(data.held_out, 300, 8, rng, np.arange(3))
    assert all(is_out(*f) for f in batches.reshape(-1, 3).tolist())


def test_given_factors_are_uniform_over_the_images_that_have_the_value(data):
    n, rng = 20_000, np.random.default_rng(3)
    drawn = data.sample_factors_given(np.full(n, 1), np.full(n, 4), rng)
    expected = [(x, 4, size) for x in range(4) for size in range(2)]
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, expected)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_value_that_no_image_has_is_told(data):
    with pytest.raises(checks.ArgumentError, match=r"factor 1 that .* received 0"):
        data.held_out.sample_factors_given([1], [0], np.random.default_rng(0))


@pytest.mark.parametrize("strength", [2.0, 1000.0])
def test_given_factors_of_correlated_rests_follow_their_density(data, strength):
    both = Correlated(data, [("x", "y")], strength)
    assert "missing_combinations" in both.traits
    assert "missing_combinations" not in Correlated(TINY, [("x", "y")], 2).traits
    n, rng = 20_000, np.random.default_rng(4)
    # Where x is 0, the images of y 1 and 2 are gone.
    drawn = both.sample_factors_given(np.zeros(n, int), np.zeros(n, int), rng)
    assert (drawn[:, 0] == 0).all()
    y = np.array([0, 3, 4])
    # Of 3 sizes, the largest is gone with y = 4.
    density = np.array([3, 3, 2]) * np.exp(-((strength * y / 4) ** 2) / 2)
    counts = np.bincount(drawn[:, 1], minlength=5)
    assert counts.sum() == counts[y].sum()
    if strength < 1000:
        expected = density / density.sum() * n
        assert stats.chisquare(counts[y], expected).pvalue > 1e-4
    else:
        assert counts[0] == n


def test_of_a_table_the_rows_are_held_out():
    rows = TINY.factors_of(np.arange(60)).repeat(2, axis=0)
    images = TINY.render(rows)
    images[:, 0, 0, 0] = np.arange(120)
    names = TINY.factor_names
    table = HeldOut(ImageTable(images, rows, names), COMBINATIONS)
    rest = np.array([not is_out(*f) for f in rows.tolist()])
    np.testing.assert_array_equal(table.images()[:], images[rest])
    np.testing.assert_array_equal(table.factors_of(np.arange(rest.sum())), rows[rest])
    np.testing.assert_array_equal(table.held_out.images()[:], images[~rest])
    drawn = Correlated(ImageTable(images, rows, names), [("x", "y")], 50.0, 500)
    x, y = drawn.factors_of(np.arange(500))[:, :2].T
    # As near as four values of x and five of y allow.
    np.testing.assert_array_equal(np.rint(4 * x / 3), y)


def test_held_out_combinations_can_be_rendered(data):
    factors = data.held_out.sample_factors(9, np.random.default_rng(1))
    np.testing.assert_array_equal(data.render(factors), TINY.render(factors))


def test_noisy_sets_keep_their_noise():
    noisy = Noisy(TINY)
    data = HeldOut(noisy, COMBINATIONS)
    np.testing.assert_array_equal(data.images()[[5]], noisy.images()[data.indices[[5]]])
    assert data.held_out.traits == data.traits
    assert "stochastic_images" in data.traits


@pytest.mark.parametrize(
    ("combinations", "words"),
    [
        ([], "combinations must be a list"),
        ({"x": 0}, "combinations must be a list"),
        ([{}], "a combination must map names"),
        (["x"], "a combination must map names"),
        ([{"siez": 0}], "Did you mean size"),
        ([{"size": 3}], r"the values of size must be integers in \[0, 3\)"),
        ([{"size": [0, -1]}], r"the values of size must be integers in \[0, 3\)"),
        ([{"size": 1.0}], "the values of size must be integers"),
        ([{"size": []}], "the values of size must be integers"),
        ([{"size": [0, 1, 2]}], "leave others; received '60 images'"),
    ],
)
def test_mistakes(combinations, words):
    with pytest.raises(checks.ArgumentError, match=words):
        HeldOut(TINY, combinations)


def test_nothing_is_left_of_what_is_gone():
    with pytest.raises(checks.ArgumentError, match="0 images"):
        HeldOut(HeldOut(TINY, [{"x": 0}]), [{"x": 0}])


def test_subsets_of_given_images():
    data = Subset(TINY, [7, 3, 7])
    assert "missing_combinations" in data.traits
    everything = np.random.default_rng(0).permutation(60)
    assert "missing_combinations" not in Subset(TINY, everything).traits
    unlabelled = ImageTable(TINY.images())
    np.testing.assert_array_equal(Subset(unlabelled, [3]).images()[0], TINY.images()[3])
    np.testing.assert_array_equal(data.images()[:], TINY.images()[[7, 3, 7]])
    for wrong, words in [([], "empty"), ([60], r"\[0, 60\)"), ([[1]], "shape")]:
        with pytest.raises(checks.ArgumentError, match=words):
            Subset(TINY, wrong)
