"""Unsupervised classification: against all assignments, on counts by hand."""

import itertools

import numpy as np
import pytest

from tf_disentangle import checks
from tf_disentangle.metrics import accuracy_interval, assignment_accuracy


def draws(num, values, classes, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=num)
    return np.where(
        rng.random(num) < 0.6, labels % values, rng.integers(values)
    ), labels


@pytest.mark.parametrize(("values", "classes"), [(4, 4), (5, 3), (3, 5)])
def test_hungarian_is_the_best_of_all_one_to_one_assignments(values, classes):
    codes, labels = draws(300, values, classes)
    found = assignment_accuracy(codes, labels, codes, labels)
    width = max(values, classes)
    best = max(
        np.mean(np.array(order)[codes] == labels)
        for order in itertools.permutations(range(width), values)
    )
    assert found.score == found.train_score == pytest.approx(best)
    given = found.assignment[found.assignment >= 0]
    assert len(set(given)) == len(given) == min(values, classes)


def test_assigned_on_one_part_and_counted_on_the_other():
    train = np.repeat([2, 0, 1], 10), np.repeat([0, 1, 2], 10)
    test = np.array([2, 2, 0, 1, 1]), np.array([0, 1, 1, 2, 0])
    found = assignment_accuracy(*train, *test)
    np.testing.assert_array_equal(found.assignment, [1, 2, 0])
    assert found.train_score == 1.0 and found.score == pytest.approx(3 / 5)
    assert found.interval == accuracy_interval(3, 5)
    np.testing.assert_array_equal(found.counts, [[0, 1, 0], [1, 0, 1], [1, 1, 0]])


def test_majority_lets_values_share_a_class():
    codes, labels = np.array([0, 0, 1, 1, 2]), np.array([3, 3, 3, 3, 1])
    majority = assignment_accuracy(codes, labels, codes, labels, rule="majority")
    np.testing.assert_array_equal(majority.assignment, [3, 3, 1])
    assert majority.score == 1.0 and majority.protocol == "majority"
    assert assignment_accuracy(codes, labels, codes, labels).score == pytest.approx(0.6)


def test_a_value_without_a_class_is_wrong():
    found = assignment_accuracy([0, 0, 1], [0, 0, 0], [1, 2], [0, 0], rule="majority")
    np.testing.assert_array_equal(found.assignment, [0, 0, -1])
    assert found.score == 0.5


def test_relabelling_values_and_classes_changes_nothing():
    codes, labels = draws(200, 4, 4)
    other = np.array([2, 0, 3, 1])
    before = assignment_accuracy(codes[:100], labels[:100], codes[100:], labels[100:])
    codes, labels = other[codes], other[::-1][labels]
    after = assignment_accuracy(codes[:100], labels[:100], codes[100:], labels[100:])
    assert after.score == before.score


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (([0.5], [0], [0], [0]), "train_values must hold whole numbers from 0 on"),
        (([0], [-1], [0], [0]), "train_labels must hold whole"),
        (([0, 1], [0], [0], [0]), "train_labels must have 2 rows"),
        (([0], [0], [], []), "test_values must have shape"),
        (([0], [0], [[0]], [0]), "test_values must have shape"),
        ((["a"], [0], [0], [0]), "train_values must hold numbers"),
    ],
)
def test_errors(arrays, match):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=match):
        assignment_accuracy(*arrays)
