"""Held-out combinations against a filter of all factors, one by one."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from tests.datasets.tiny import Tiny
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import (
    Correlated,
    HeldOut,
    ImageTable,
    Noisy,
    Subset,
)
from tf_disentangle.metrics import evaluate

TINY = Tiny()
TINY_IMAGES = {
    image.tobytes(): tuple(factors)
    for image, factors in zip(TINY.images(), TINY.factors_of(range(60)), strict=True)
}
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
    assert_array_equal(data.factors_of(range(len(rest))), rest)
    held_out = data.held_out
    assert_array_equal(held_out.factors_of(range(len(out))), out)
    assert (len(data), len(held_out)) == (len(rest), len(out))
    assert_array_equal(data.images()[:], TINY.render(np.array(rest)))
    assert_array_equal(held_out.images()[:], TINY.render(np.array(out)))


def test_each_draws_its_own_factors_and_all_of_them(data):
    for part, held_out in ((data, False), (data.held_out, True)):
        drawn = part.sample_factors(3000, np.random.default_rng(0))
        assert {is_out(*f) for f in drawn.tolist()} == {held_out}
        assert len(np.unique(drawn, axis=0)) == len(part)


def test_metrics_stay_inside_their_part(data):
    """Also where they hold a factor still: all that is encoded is of the part."""
    for part, held_out in ((data, False), (data.held_out, True)):
        seen = []

        def encode(images, seen=seen):
            seen.extend(TINY_IMAGES[image.tobytes()] for image in images)
            return np.zeros((len(images), 2))

        few = {"num_train_votes": 300, "num_test_votes": 300, "progress": False}
        results = evaluate(part, encode, ["factor_vae", "beta_vae"], **few)
        assert all("fixed=rows" in result.protocol for result in results.values())
        assert {is_out(*factors) for factors in seen} == {held_out}


def test_correlated_rests_follow_the_density_of_what_is_left(data):
    both = Correlated(data, [("x", "y")], 2.0, num_images=20_000)
    assert "missing_combinations" in both.traits
    assert "missing_combinations" not in Correlated(TINY, [("x", "y")], 2).traits
    factors = both.factors_of(range(len(both)))
    assert not any(is_out(*f) for f in np.unique(factors, axis=0).tolist())
    # Where x is 0, the images of y 1 and 2 are gone, and the largest of y 4.
    y = np.array([0, 3, 4])
    density = np.array([3, 3, 2]) * np.exp(-((2.0 * y / 4) ** 2) / 2)
    counts = np.bincount(factors[factors[:, 0] == 0, 1], minlength=5)
    assert counts.sum() == counts[y].sum()
    expected = density / density.sum() * counts.sum()
    assert stats.chisquare(counts[y], expected).pvalue > 1e-4


def test_of_a_table_the_rows_are_held_out():
    rows = TINY.factors_of(range(60)).repeat(2, axis=0)
    images = TINY.render(rows)
    images[:, 0, 0, 0] = np.arange(120)
    names = TINY.factor_names
    table = HeldOut(ImageTable(images, rows, names), COMBINATIONS)
    rest = np.array([not is_out(*f) for f in rows.tolist()])
    assert_array_equal(table.images()[:], images[rest])
    assert_array_equal(table.factors_of(np.arange(rest.sum())), rows[rest])
    assert_array_equal(table.held_out.images()[:], images[~rest])
    drawn = Correlated(ImageTable(images, rows, names), [("x", "y")], 50.0, 500)
    x, y = drawn.factors_of(range(500))[:, :2].T
    # As near as four values of x and five of y allow.
    assert_array_equal(np.rint(4 * x / 3), y)


def test_held_out_combinations_can_be_rendered(data):
    factors = data.held_out.sample_factors(9, np.random.default_rng(1))
    assert_array_equal(data.render(factors), TINY.render(factors))


def test_noisy_sets_keep_their_noise():
    noisy = Noisy(TINY)
    data = HeldOut(noisy, COMBINATIONS)
    assert_array_equal(data.images()[[5]], noisy.images()[data.indices[[5]]])
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
    with pytest.raises(ArgumentError, match=words):
        HeldOut(TINY, combinations)


def test_a_set_without_factors_is_told_so():
    images = np.zeros((4, 2, 2, 1), np.uint8)
    with pytest.raises(ArgumentError, match=r"have factors; .* table of factors"):
        HeldOut(ImageTable(images), [{"shape": 0}])


def test_nothing_is_left_of_what_is_gone():
    with pytest.raises(ArgumentError, match="0 images"):
        HeldOut(HeldOut(TINY, [{"x": 0}]), [{"x": 0}])


def test_subsets_of_given_images():
    data = Subset(TINY, [7, 3, 7])
    assert "missing_combinations" in data.traits
    everything = np.random.default_rng(0).permutation(60)
    assert "missing_combinations" not in Subset(TINY, everything).traits
    unlabelled = ImageTable(TINY.images())
    assert_array_equal(Subset(unlabelled, [3]).images()[0], TINY.images()[3])
    assert_array_equal(data.images()[:], TINY.images()[[7, 3, 7]])
    for wrong, words in [([], "empty"), ([60], r"\[0, 60\)"), ([[1]], "shape")]:
        with pytest.raises(ArgumentError, match=words):
            Subset(TINY, wrong)


def test_a_subset_of_a_table_is_scored_on_its_own_images():
    """The other half of the table has the same factors, and other images."""
    factors = np.stack([np.arange(400) % 3, np.arange(400) % 2], axis=1)
    images = np.zeros((400, 8, 8, 1), np.uint8)
    images[:, 0, 0, 0] = 20 * factors[:, 0] + 5 * factors[:, 1]
    images[200:, 5, 5] = 200
    part = Subset(ImageTable(images, factors, ["a", "b"]), np.arange(200))
    assert "missing_combinations" not in part.traits
    one_each = Subset(part, np.arange(6))
    assert "stochastic_images" in part.traits - one_each.traits
    assert_array_equal(one_each.render(factors[:6]), images[:6])
    drawn = part.render(np.tile(factors[:6], (20, 1)), np.random.default_rng(0))
    assert drawn[:, 5, 5].max() == 0
    seen = []

    def encode(batch):
        seen.append(batch[:, 5, 5].max())
        return batch[:, 0, :3, 0].astype(np.float32)

    table = evaluate(part, encode, ["dci"], num_train=80, num_test=40, progress=False)
    assert max(seen) == 0
    assert "rows split 2:1" in table["dci"].protocol
