"""Schedules: values that change during a run, pure functions of the steps done.

With t the number of steps done, p = clip((t - begin) / steps, 0, 1) and
phase = (t mod period) / period:

    constant  f(t) = value
    linear    f(t) = start + (end - start) p
    cosine    f(t) = start + (end - start) (1 - cos(pi p)) / 2
    cyclic    f(t) = start + (end - start) min(1, phase / rise)

A schedule is plain data: it counts nothing, so a resumed run needs no state of it.

References:
    linear: Burgess et al., "Understanding disentangling in beta-VAE", 2018,
    arXiv:1804.03599 (the capacity).
    cyclic: Fu et al., "Cyclical Annealing Schedule", NAACL 2019, arXiv:1903.10145,
    equations (6) and (7).
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any

import tensorflow as tf

from tf_disentangle import checks


class Schedule(abc.ABC):
    """A value for every number of steps done."""

    @property
    @abc.abstractmethod
    def lowest(self) -> float:
        """The smallest value that it ever takes."""

    @abc.abstractmethod
    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns the value after `step` steps.

        Args:
            step: int64, of any shape; at least 0.

        Returns:
            float32 of that shape.
        """


def at_least_zero(schedule: Any, argument: str) -> Schedule:
    """Returns `schedule` after checking that it is one and never negative."""
    remedy = "Pass an object, such as LinearSchedule(0.0, 25.0, 100_000)."
    checks.require_type(schedule, Schedule, argument, remedy)
    checks.require(schedule.lowest >= 0, argument, "never be negative", schedule.lowest)
    return schedule


@dataclasses.dataclass(frozen=True)
class ConstantSchedule(Schedule):
    """The same value at every step.

    Attributes:
        value: f(t).
    """

    value: float

    def __post_init__(self) -> None:
        checks.real(self.value, "value")

    @property
    def lowest(self) -> float:
        """The value."""
        return self.value

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns the value, float32 of the shape of `step`."""
        return tf.fill(tf.shape(step), tf.constant(self.value, tf.float32))


@dataclasses.dataclass(frozen=True)
class _Between(Schedule):
    """Values between two ends."""

    start: float
    end: float

    def __post_init__(self) -> None:
        checks.real(self.start, "start")
        checks.real(self.end, "end")

    @property
    def lowest(self) -> float:
        """The smaller end."""
        return min(self.start, self.end)

    def _at(self, share: tf.Tensor) -> tf.Tensor:
        """Returns the value after a share in [0, 1] of the way."""
        return self.start + (self.end - self.start) * share


@dataclasses.dataclass(frozen=True)
class _Ramp(_Between):
    """From one value to another over a number of steps, and then no further.

    Attributes:
        start: Value up to the step `begin`.
        end: Value from the step `begin + steps` on; may be below `start`.
        steps: Number of steps from start to end, at least 1.
        begin: Steps before the change begins.
    """

    steps: int
    begin: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.integer(self.steps, "steps", at_least=1)
        checks.integer(self.begin, "begin", at_least=0)

    def _progress(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns p, in [0, 1]."""
        done = tf.cast(tf.cast(step, tf.int64) - self.begin, tf.float32) / self.steps
        return tf.clip_by_value(done, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class LinearSchedule(_Ramp):
    """From `start` to `end` in equal steps, then constant."""

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns start + (end - start) p."""
        return self._at(self._progress(step))


@dataclasses.dataclass(frozen=True)
class CosineSchedule(_Ramp):
    """From `start` to `end` along half a cosine, slow at both ends, then constant."""

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns start + (end - start) (1 - cos(pi p)) / 2."""
        return self._at(0.5 * (1.0 - tf.cos(math.pi * self._progress(step))))


@dataclasses.dataclass(frozen=True)
class CyclicSchedule(_Between):
    """From `start` to `end` in equal steps, a rest at `end`, and again from `start`.

    Attributes:
        start: Value at the start of each period.
        end: Value during the rest.
        period: Steps after which it starts again, at least 1.
        rise: Share of the period before the rest, in (0, 1].
    """

    period: int
    rise: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.integer(self.period, "period", at_least=1)
        checks.real(self.rise, "rise", above=0.0, at_most=1.0)

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """Returns start + (end - start) min(1, phase / rise)."""
        # The remainder as an integer: float32 cannot tell late steps apart.
        position = tf.math.floormod(tf.cast(step, tf.int64), self.period)
        phase = tf.cast(position, tf.float32) / self.period
        return self._at(tf.minimum(phase / self.rise, 1.0))
