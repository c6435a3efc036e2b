"""Running statistics of the loss terms, kept on the device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf


class TermStatistics(keras.metrics.Metric):
    """Means of named terms since the last reset, and where one stopped being finite.

    One metric for all terms, held as vectors: a step costs a handful of small kernels
    instead of two for each term.

    Args:
        names: The terms, in order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(name="terms", dtype="float32")
        self.names = tuple(names)
        shape = (len(self.names),)
        self.total = self.add_variable(shape, "zeros", name="total")
        self.weight = self.add_variable((), "zeros", name="weight")
        self.finite = self.add_variable(shape, "zeros", name="finite")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(
        self, terms: Mapping[str, tf.Tensor], weight: tf.Tensor | None = None
    ) -> None:
        """Adds one batch's scalars.

        Args:
            terms: The scalars by name.
            weight: Their weight in the means; None means 1.
        """
        values = tf.stack([terms[name] for name in self.names])
        # Only an unbroken run of finite steps counts, so that `finite` stays at the
        # position of the first bad one.
        unbroken = tf.equal(self.finite.value, self.count.value)
        good = tf.logical_and(tf.math.is_finite(values), unbroken)
        self.finite.assign_add(tf.cast(good, tf.float32))
        self.count.assign_add(1.0)
        weight = tf.cast(1.0 if weight is None else weight, tf.float32)
        self.total.assign_add(weight * values)
        self.weight.assign_add(weight)

    def result(self) -> dict[str, tf.Tensor]:
        """Returns the mean of each term."""
        means = tf.math.divide_no_nan(self.total.value, self.weight.value)
        return dict(zip(self.names, tf.unstack(means), strict=True))

    def first_nonfinite(self, num_steps: int) -> tuple[int, tuple[str, ...]] | None:
        """Returns the first of `num_steps` steps that was not finite, and its terms.

        Returns:
            (the step, from 1 to `num_steps`; names of its terms that were not finite),
            or None.
        """
        # A fraction, since under a strategy both are sums over the replicas. In float32
        # it would be off by a step after some ten thousand of them.
        finite = self.finite.numpy().astype(np.float64)
        fraction = finite / max(float(self.count.numpy()), 1.0)
        worst = float(fraction.min())
        if worst >= 1.0:
            return None
        names = [n for n, f in zip(self.names, fraction, strict=True) if f == worst]
        # Rounded down, up to rounding error: one bad replica of two leaves a half.
        return math.floor(worst * num_steps + 1e-3) + 1, tuple(names)
