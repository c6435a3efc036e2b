"""Unsupervised classification: a categorical latent's value, taken as a class.

    accuracy = 1/M sum_m [a(c_m) = y_m]
    hungarian:  a gives each value a class of its own, so that most of the N images of
                the train part are right
    majority:   a(k) is the class that most of the train images of value k have, so
                that several values may share one (with N values it is always right)

The model has seen no labels. The assignment uses the labels of the train part, and the
accuracy is measured on other images.

References:
    Kuhn (1955), The Hungarian method for the assignment problem.
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, section 4.3: 88.7% on MNIST's test images. It does not say how
    values were assigned to digits.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from tf_disentangle.checks import ArgumentTypeError, message, one_of, require
from tf_disentangle.metrics.intervals import Interval, accuracy_interval

RULES = ("hungarian", "majority")


@dataclasses.dataclass(frozen=True, eq=False)
class AssignmentAccuracy:
    """Result of `assignment_accuracy`.

    Attributes:
        score: Share of the M test images whose value is assigned to their class,
            in [0, 1].
        interval: Wilson's interval of it: what other test images would give, not what
            another training of the model would.
        assignment: int64 [K], the class of each value; -1 for a value that has none,
            which counts as wrong.
        counts: int64 [K, Y], test images by value and class.
        train_score: The same share of the train part, on which it is optimistic.
        protocol: The rule.
    """

    score: float
    interval: Interval
    assignment: np.ndarray
    counts: np.ndarray
    train_score: float
    protocol: str


def assignment_accuracy(
    train_values: np.ndarray,
    train_labels: np.ndarray,
    test_values: np.ndarray,
    test_labels: np.ndarray,
    *,
    rule: str = "hungarian",
    confidence: float = 0.95,
) -> AssignmentAccuracy:
    """Scores the values of one categorical latent as a classifier.

    Args:
        train_values: Its column of the codes, whole numbers [N] from 0, N at least 1.
        train_labels: Classes, whole numbers [N] from 0.
        test_values: The same column of other images, [M], M at least 1.
        test_labels: [M].
        rule: "hungarian" or "majority".
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        ArgumentError: If arrays do not fit each other or do not hold whole numbers
            from 0 on.
    """
    one_of(rule, RULES, "rule")
    train = _pair(train_values, train_labels, "train")
    test = _pair(test_values, test_labels, "test")
    shape = tuple(1 + max(a.max(), b.max()) for a, b in zip(train, test, strict=True))
    counts, test_counts = _table(*train, shape), _table(*test, shape)
    assignment = np.full(shape[0], -1, np.int64)
    if rule == "hungarian":
        values, labels = linear_sum_assignment(counts, maximize=True)
        assignment[values] = labels
    else:
        seen = counts.any(axis=1)
        assignment[seen] = counts[seen].argmax(axis=1)
    right = int(np.sum(assignment[test[0]] == test[1]))
    interval = accuracy_interval(right, len(test[0]), confidence=confidence)
    return AssignmentAccuracy(
        score=interval.mean,
        interval=interval,
        assignment=assignment,
        counts=test_counts,
        train_score=float(np.mean(assignment[train[0]] == train[1])),
        protocol=rule,
    )


def _pair(values: Any, labels: Any, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns values and labels of a part as int64 [N]."""
    arrays = []
    for name, array in (("values", values), ("labels", labels)):
        array, argument = np.asarray(array), f"{part}_{name}"
        rule = "hold numbers"
        if array.dtype.kind not in "iuf":
            raise ArgumentTypeError(message(argument, rule, array.dtype.name))
        good = array.ndim == 1 and len(array)
        require(good, argument, "have shape [N], N at least 1", array.shape)
        whole = np.isfinite(array) & (array >= 0) & (array == np.floor(array))
        rule = "hold whole numbers from 0 on"
        require(whole.all(), argument, rule, array[~whole][:1].tolist())
        arrays.append(array.astype(np.int64))
    (count, other) = map(len, arrays)
    require(count == other, f"{part}_labels", f"have {count} rows", other)
    return arrays[0], arrays[1]


def _table(
    values: np.ndarray, labels: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Counts pairs, int64 [K, Y]."""
    counts = np.zeros(shape, np.int64)
    np.add.at(counts, (values, labels), 1)
    return counts
