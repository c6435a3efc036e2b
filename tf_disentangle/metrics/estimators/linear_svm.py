"""Linear support vector machines on one feature, solved exactly.

For each class c against the rest, over samples with y = 1 in the class and -1 outside,

    min_{w, b}  (w^2 + b^2) / 2 + sum_i C_i max(0, 1 - y_i (w x_i + b))^2

This is liblinear's L2-regularised squared-hinge problem (the intercept is regularised
too), which `sklearn.svm.LinearSVC` solves to a tolerance, by random coordinate steps on
the dual or by a trust region on the primal. It has two unknowns, and the samples inside
the margin are an interval of the sorted feature, so that running sums give value,
gradient and Hessian in O(log N): Newton's method finds the minimum to rounding, in four
steps or so, for all classes at once, and without a random order.
"""

from __future__ import annotations

import dataclasses

import numpy as np

_MAX_STEPS = 100


@dataclasses.dataclass(frozen=True, eq=False)
class LinearClassifier:
    """One-against-the-rest decisions on one feature.

    Attributes:
        classes: int64 [C], the labels, ascending.
        slope: float64 [C], w; of length 1 for two classes.
        intercept: float64 [C], b; the same.
    """

    classes: np.ndarray
    slope: np.ndarray
    intercept: np.ndarray

    def predict(self, feature: np.ndarray) -> np.ndarray:
        """Labels of the largest decision for values [n], int64 [n]."""
        decision = np.multiply.outer(feature, self.slope) + self.intercept
        if len(self.slope) == 1:
            return self.classes[(decision[:, 0] > 0).astype(np.int64)]
        return self.classes[decision.argmax(axis=1)]


def fit_balanced(
    feature: np.ndarray, labels: np.ndarray, *, regularisation: float
) -> LinearClassifier:
    """Fits what `LinearSVC(C=regularisation, class_weight="balanced")` would.

    As in liblinear, a class of n_c samples weighs N / (C n_c) as the positive class and
    1 among the rest; with two classes both sides have their weight.

    Args:
        feature: float [N], finite.
        labels: int [N], at least two distinct.
        regularisation: C of the problem, above 0.

    Returns:
        The classifier at the minimum.
    """
    feature = feature.astype(np.float64)
    classes, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights = regularisation * len(labels) / (len(classes) * counts)
    problem = _Problem.of(feature, labels)
    if len(classes) == 2:
        theta = _minimise(problem, np.array([1]), weights[1:], weights[0])
    else:
        every = np.arange(len(classes))
        theta = _minimise(problem, every, weights, regularisation)
    slope, level = theta.T
    return LinearClassifier(classes, slope, level - slope * problem.mean)


@dataclasses.dataclass(frozen=True, eq=False)
class _Segments:
    """Values in ascending order within each segment, with running sums.

    Attributes:
        values: float64 [N].
        sums: float64 [N + 1, 3], running sums of (1, u, u^2) over all segments.
        starts: int64 [S + 1], where each segment begins, and N.
    """

    values: np.ndarray
    sums: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, starts: np.ndarray) -> _Segments:
        sums = np.zeros((len(values) + 1, 3))
        powers = np.stack([np.ones_like(values), values, values**2], axis=-1)
        np.cumsum(powers, axis=0, out=sums[1:])
        return cls(values, sums, starts)

    def below(self, edge: np.ndarray, segment: np.ndarray) -> np.ndarray:
        """Sums [C, 3] over the values of segment c that are less than edge c."""
        if len(self.starts) == 2:
            return self.sums[np.searchsorted(self.values, edge)]
        low, high = self.starts[segment], self.starts[segment + 1]
        first = low
        while np.any(low < high):  # searchsorted, in all segments at once
            middle = (low + high) // 2
            # A segment that is done reads a value, perhaps the next one's, for naught.
            less = self.values[np.minimum(middle, len(self.values) - 1)] < edge
            open_ = low < high
            low = np.where(open_ & less, middle + 1, low)
            high = np.where(open_ & ~less, middle, high)
        return self.sums[low] - self.sums[first]

    def total(self, segment: np.ndarray) -> np.ndarray:
        """Sums [C, 3] over whole segments."""
        return self.sums[self.starts[segment + 1]] - self.sums[self.starts[segment]]


@dataclasses.dataclass(frozen=True, eq=False)
class _Problem:
    """The feature, centred: u = x - mean, so that sums of u^2 keep their digits."""

    mean: float
    together: _Segments  # one segment
    by_class: _Segments  # one segment per class

    @classmethod
    def of(cls, feature: np.ndarray, labels: np.ndarray) -> _Problem:
        mean = float(feature.mean())
        order = np.argsort(feature, kind="stable")
        centred, labels = feature[order] - mean, labels[order]
        counts = np.bincount(labels)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return cls(
            mean,
            _Segments.of(centred, np.array([0, len(centred)])),
            _Segments.of(centred[np.argsort(labels, kind="stable")], starts),
        )


class _Objective:
    """Value, gradient and Hessian of several classes' problems, each [C, ...]."""

    def __init__(
        self, problem: _Problem, classes: np.ndarray, inside: np.ndarray, outside: float
    ) -> None:
        self.problem, self.classes = problem, classes
        self.inside, self.outside = inside, outside
        mean = problem.mean
        # (w^2 + b^2) / 2 in terms of w and the decision at the mean, b + w mean.
        self.penalty = np.array([[1 + mean**2, -mean], [-mean, 1.0]])

    def _active(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums [C, 3] of (1, u, u^2) over members, and others, inside the margin."""
        slope, level = theta.T
        flat = slope == 0
        safe = np.where(flat, 1.0, slope)
        everyone = np.zeros_like(self.classes)
        members, together = self.problem.by_class, self.problem.together
        result = []
        for side in (1.0, -1.0):
            # Inside: side (w u + level) < 1, all u on one side of `edge`.
            edge = (side - level) / safe
            edge = np.where(flat, np.where(side * level < 1, np.inf, -np.inf), edge)
            sums = members.below(edge, self.classes)
            total = members.total(self.classes)
            if side < 0:
                sums = together.below(edge, everyone) - sums
                total = together.total(everyone) - total
            below = flat | (side * slope >= 0)
            result.append(np.where(below[:, np.newaxis], sums, total - sums))
        return result[0], result[1]

    def value(self, theta: np.ndarray) -> np.ndarray:
        """Objective, float64 [C]."""
        slope, level = theta.T
        total = 0.5 * np.einsum("ci,ij,cj->c", theta, self.penalty, theta)
        for sums, side, weight in self._sides(theta):
            gap = 1 - side * level  # The slack is gap - side * slope * u.
            total += weight * (
                sums[:, 0] * gap**2
                - 2 * side * gap * slope * sums[:, 1]
                + slope**2 * sums[:, 2]
            )
        return total

    def newton_step(self, theta: np.ndarray) -> np.ndarray:
        """-H^-1 g, float64 [C, 2]."""
        slope, level = theta.T
        gradient = theta @ self.penalty
        hessian = np.repeat(self.penalty[np.newaxis], len(theta), axis=0)
        for sums, side, weight in self._sides(theta):
            gap = 1 - side * level
            ones, first, second = sums.T
            pull = np.stack(
                [
                    gap * first - side * slope * second,
                    gap * ones - side * slope * first,
                ],
                axis=-1,
            )
            weight = np.broadcast_to(weight, slope.shape)
            gradient -= 2 * side * weight[:, np.newaxis] * pull
            squares = np.stack([second, first, first, ones], axis=-1)
            hessian += 2 * weight[:, np.newaxis, np.newaxis] * squares.reshape(-1, 2, 2)
        return -np.linalg.solve(hessian, gradient[..., np.newaxis])[..., 0]

    def _sides(self, theta: np.ndarray) -> tuple:
        members, others = self._active(theta)
        return (members, 1.0, self.inside), (others, -1.0, self.outside)


def _minimise(
    problem: _Problem, classes: np.ndarray, inside: np.ndarray, outside: float
) -> np.ndarray:
    """Newton's method with halved steps; returns (w, decision at the mean) [C, 2].

    The objective is strictly convex and made of finitely many quadratics, so that a
    full step inside the right piece ends at the minimum.
    """
    objective = _Objective(problem, classes, inside, outside)
    theta = np.zeros((len(classes), 2))
    value = objective.value(theta)
    for _ in range(_MAX_STEPS):
        step = objective.newton_step(theta)
        size = np.ones(len(theta))
        for _ in range(30):
            trial = objective.value(theta + size[:, np.newaxis] * step)
            worse = trial > value + 1e-14 * np.abs(value)
            if not worse.any():
                break
            size[worse] /= 2
        better = trial < value
        theta = np.where(better[:, np.newaxis], theta + size[:, None] * step, theta)
        value = np.where(better, trial, value)
        if not better.any():
            break
    return theta
