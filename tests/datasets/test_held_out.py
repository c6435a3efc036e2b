"""Held-out combinations against a filter of all factors, one by one."""

import itertools

import numpy as np
import pytest

from tests.datasets.tiny import Tiny
from tf_disentangle import checks
from tf_disentangle.datasets import HeldOut, Noisy, Subset

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


def test_held_out_combinations_can_be_rendered(data):
    factors = data.held_out.sample_factors(9, np.random.default_rng(1))
    np.testing.assert_array_equal(data.render(factors), TINY.render(factors))


def test_noisy_sets_keep_their_noise():
    noisy = Noisy(TINY)
    data = HeldOut(noisy, COMBINATIONS)
    np.testing.assert_array_equal(data.images()[[5]], noisy.images()[data.indices[[5]]])
    assert data.held_out.exceptions == data.exceptions
    assert "stochastic_images" in data.exceptions


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
    np.testing.assert_array_equal(data.images()[:], TINY.images()[[7, 3, 7]])
    for wrong, words in [([], "empty"), ([60], r"\[0, 60\)"), ([[1]], "shape")]:
        with pytest.raises(checks.ArgumentError, match=words):
            Subset(TINY, wrong)
