"""Closed ways through each latent, and codes that lie far apart."""

from typing import get_args

import numpy as np
import pytest
import scipy.stats

from tests.visualization.test_traversals import CODE, Recorder
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import Cycle, cycle, spread, traversal_frames, typical

RNG = np.random.default_rng(0)
CODES = RNG.normal([3.0, 0.0], [0.5, 2.0], size=(500, 2))
START = np.array([3.2, -0.4])


def test_an_interval_by_hand():
    steps = cycle(np.array([1.0]), np.ones((2, 1)), "interval", num_frames=8)
    np.testing.assert_allclose(steps, [[1, 2, 1, 0, -1, -2, -1, 0]])


def test_a_start_beyond_the_limits_begins_at_the_limit():
    steps = cycle(np.array([9.0]), np.ones((2, 1)), "interval", num_frames=4)
    np.testing.assert_allclose(steps, [[2, 0, -2, 0]])


@pytest.mark.parametrize("kind", get_args(Cycle))
def test_a_cycle_begins_at_the_code_and_closes(kind):
    start = np.array([1.2, -0.4]) if kind in ("normal", "interval") else START
    steps = cycle(start, CODES, kind, num_frames=400)
    np.testing.assert_allclose(steps[:, 0], start, atol=1e-9)
    # The step from the last to the first is like the others there.
    np.testing.assert_allclose(steps[:, -1], start, atol=0.1)
    mean, deviation = CODES.mean(axis=0), CODES.std(axis=0)
    low, high = {
        "normal": scipy.stats.norm.interval(0.98, np.zeros(2), 1),
        "fitted": scipy.stats.norm.interval(0.98, mean, deviation),
        "interval": ([-2, -2], [2, 2]),
        "deviations": (mean - 2 * deviation, mean + 2 * deviation),
        "range": (CODES.min(axis=0), CODES.max(axis=0)),
    }[kind]
    np.testing.assert_allclose(steps.min(axis=1), low, atol=0.1)
    np.testing.assert_allclose(steps.max(axis=1), high, atol=0.1)


def test_normal_steps_are_alike_in_probability():
    probabilities = scipy.stats.norm.cdf(cycle(np.zeros(1), CODES[:, :1], "normal", 50))
    moves = np.abs(np.diff(probabilities[0]))
    np.testing.assert_allclose(np.sort(moves)[5:], np.median(moves), rtol=1e-6)


def test_frames_of_a_cycle_do_not_go_back():
    steps = cycle(CODE, np.stack([CODE, -CODE]), "interval", num_frames=6)
    frames = traversal_frames(Recorder(), CODE, values=steps, there_and_back=False)
    assert len(frames) == 6


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (np.zeros(3), "normal", r"code must have shape \[2\]"),
        (np.zeros(2), "gaussian", "kind must be one of normal, fitted, interval, dev"),
    ],
)
def test_mistakes(code, kind, words):
    with pytest.raises(ArgumentError, match=words):
        cycle(code, CODES, kind)


class TestSpread:
    def test_one_of_each_cluster_the_typical_first(self):
        centres = np.array([[0, 0], [9, 0], [0, 9], [-9, -9]])
        codes = np.repeat(centres, 25, axis=0) + RNG.normal(0, 0.1, size=(100, 2))
        chosen = spread(codes, 4)
        assert sorted(chosen // 25) == [0, 1, 2, 3]
        scaled = codes / codes.std(axis=0)
        distances = np.linalg.norm(scaled - scaled.mean(axis=0), axis=1)
        assert chosen[0] == np.argmin(distances)

    def test_units_do_not_matter(self):
        np.testing.assert_array_equal(spread(CODES, 6), spread(CODES * [1e3, 1e-3], 6))

    def test_no_more_than_there_are_and_none_twice(self):
        assert sorted(spread(np.zeros((3, 2)), 5)) == [0, 1, 2]


def test_typical_is_nearest_to_the_mean():
    assert typical(np.array([[0.0, 0], [4, 4], [1.9, 2.2]])) == 2
