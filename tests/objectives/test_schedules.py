"""Schedules against values worked out by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.objectives import (
    SCHEDULES,
    ConstantSchedule,
    CosineSchedule,
    CyclicSchedule,
    LinearSchedule,
)

BY_HAND = [
    (ConstantSchedule(3.0), {0: 3.0, 10**12: 3.0}),
    (LinearSchedule(0.0, 25.0, 100), {0: 0, 1: 0.25, 50: 12.5, 100: 25, 10**12: 25}),
    (LinearSchedule(8.0, 2.0, 6, begin=10), {0: 8, 10: 8, 12: 6, 16: 2, 17: 2}),
    (LinearSchedule(0.0, 1.0, 1), {0: 0, 1: 1}),
    (
        CosineSchedule(0.0, 4.0, 60, begin=5),
        {0: 0, 5: 0, 20: 2 - np.sqrt(2), 25: 1, 35: 2, 45: 3, 65: 4, 66: 4},
    ),
    (
        CyclicSchedule(1.0, 5.0, 8, rise=0.5),
        {0: 1, 1: 2, 3: 4, 4: 5, 7: 5, 8: 1, 9: 2, 8 * 10**9 + 3: 4},
    ),
    (CyclicSchedule(0.0, 1.0, 4, rise=1.0), {0: 0, 1: 0.25, 3: 0.75, 4: 0}),
    (CyclicSchedule(0.0, 2.0, 1), {0: 0, 1: 0}),
]
IDS = [f"{type(s).__name__}-{i}" for i, (s, _) in enumerate(BY_HAND)]


def test_every_schedule_is_here():
    assert {type(schedule).__name__ for schedule, _ in BY_HAND} == set(SCHEDULES)


@pytest.mark.parametrize(("schedule", "values"), BY_HAND, ids=IDS)
def test_values_in_graph_and_eager_of_scalars_and_vectors(schedule, values):
    steps = tf.constant(list(values), tf.int64)
    expected = np.array(list(values.values()), np.float32)
    actual = schedule(steps)
    assert actual.dtype == tf.float32
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
    graph = tf.function(schedule.__call__)
    for step, value in values.items():
        scalar = graph(tf.constant(step, tf.int64))
        assert scalar.shape == []
        np.testing.assert_allclose(scalar, value, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(schedule(step), value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("schedule", "values"), BY_HAND, ids=IDS)
def test_lowest_is_never_undercut(schedule, values):
    actual = schedule(tf.range(0, 200, dtype=tf.int64)).numpy()
    assert actual.min() >= schedule.lowest - 1e-6
    assert schedule.lowest <= min(values.values()) + 1e-6


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ConstantSchedule(float("nan")), "value must be finite"),
        (lambda: ConstantSchedule("3"), "value must be int or float"),
        (lambda: LinearSchedule(None, 1.0, 5), "start must be int or float"),
        (lambda: LinearSchedule(0.0, float("inf"), 5), "end must be finite"),
        (lambda: LinearSchedule(0.0, 1.0, 0), "steps must be at least 1"),
        (lambda: LinearSchedule(0.0, 1.0, 5.0), "steps must be int"),
        (lambda: LinearSchedule(0.0, 1.0, 5, -1), "begin must be at least 0"),
        (lambda: CosineSchedule(0.0, 1.0, -5), "steps must be at least 1"),
        (lambda: CyclicSchedule(0.0, 1.0, 0), "period must be at least 1"),
        (lambda: CyclicSchedule(0.0, 1.0, 5, 0.0), "rise must be greater than 0.0"),
        (lambda: CyclicSchedule(0.0, 1.0, 5, 1.5), "rise must be at most 1.0"),
    ],
)
def test_bad_arguments(make, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        make()
