"""The running means, and where a term stopped being finite."""

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle.models.statistics import TermStatistics


def fed(rows):
    statistics = TermStatistics(["a", "b"])
    for a, b in rows:
        statistics.update_state({"a": tf.constant(a), "b": tf.constant(b)})
    return statistics


def test_means():
    statistics = fed([(1.0, 2.0), (3.0, 6.0)])
    assert {k: float(v) for k, v in statistics.result().items()} == {"a": 2.0, "b": 4.0}
    assert statistics.first_nonfinite(2) is None
    statistics.reset_state()
    assert float(statistics.result()["a"]) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 1, 6])
def test_first_bad_step_and_its_term(bad, position):
    rows = [(1.0, 1.0)] * 7
    rows[position] = (1.0, float(bad))
    assert fed(rows).first_nonfinite(7) == (position + 1, ("b",))


@pytest.mark.parametrize(
    ("good", "steps"),
    # The fractions of 50,000 are ones that float32 rounds down to the step before.
    [*((good, 100) for good in range(0, 100, 7)), (25_008, 50_000), (49_999, 50_000)],
)
def test_the_step_is_exact_in_long_intervals(good, steps):
    statistics = TermStatistics(["a"])
    statistics.finite.assign([float(good)])
    statistics.count.assign(float(steps))
    assert statistics.first_nonfinite(steps) == (good + 1, ("a",))


@pytest.mark.parametrize("good", range(0, 10))
def test_one_bad_replica_of_two_is_the_one_that_counts(good):
    statistics = TermStatistics(["a"])
    statistics.finite.assign([good + (good + 1.0)])  # the other one step longer
    statistics.count.assign(20.0)
    assert statistics.first_nonfinite(10) == (good + 1, ("a",))


def test_a_later_recovery_does_not_hide_it():
    rows = [(1.0, 1.0), (float("nan"), 1.0), (1.0, 1.0), (1.0, float("nan"))]
    assert fed(rows).first_nonfinite(4) == (2, ("a",))
