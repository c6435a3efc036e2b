"""How often, where and how: the settings of a run beside its model and data."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_disentangle import checks


@dataclasses.dataclass(frozen=True)
class Intervals:
    """Numbers of steps between two rows, validations, checkpoints and so on.

    Each is a multiple of `log`, since all of them happen at the end of a logging
    interval; 0 means never, except for `log`. The last interval of a run may be
    shorter; at its end everything happens except pictures and scores during the
    training.

    Attributes:
        log: Steps between two rows of numbers; an epoch of Keras's `fit` and of its
            callbacks.
        evaluate: Steps between two validations on held-out images; the first interval
            ends with one too.
        save: Steps between two checkpoints.
        pictures: Steps between two sets of pictures in TensorBoard.
        score: Steps between two scorings by the run's metrics during the training; they
            also score at its end, in any case.
        keep: How many of the last checkpoints to keep.
    """

    log: int = 100
    evaluate: int = 1000
    save: int = 1000
    pictures: int = 5000
    score: int = 0
    keep: int = 2

    def __post_init__(self) -> None:
        """Checks each value by itself."""
        checks.integer(self.log, "log", at_least=1)
        checks.integer(self.keep, "keep", at_least=1)
        for name in ("evaluate", "save", "pictures", "score"):
            checks.integer(getattr(self, name), name, at_least=0)

    def fitted(self, steps: int, steps_per_execution: int = 1) -> Intervals:
        """Returns the intervals for a run of `steps`, none of them longer than the run.

        Raises:
            ArgumentError: If an interval is not a multiple of `log`, or `steps` or
                `log` is not a multiple of `steps_per_execution`.
        """
        log = min(self.log, steps)
        for what, length in (("logging interval of", log), ("run of", steps)):
            checks.require(
                length % steps_per_execution == 0,
                "steps_per_execution",
                f"divide the {what} {length} steps",
                steps_per_execution,
            )
        shortened = {}
        for name in ("evaluate", "save", "pictures", "score"):
            value = min(getattr(self, name), steps)
            rule = f"be a multiple of the logging interval of {log} steps"
            checks.require(value % log == 0 or value == steps, name, rule, value)
            shortened[name] = value
        return dataclasses.replace(self, log=log, **shortened)

    def segments(self, first: int, steps: int) -> list[tuple[int, int]]:
        """Returns [first, steps] in parts of logging intervals of equal length.

        A run that resumes after a short last interval, or ends with one, has a part for
        it.
        """
        begin = min(-(-first // self.log) * self.log, steps)
        end = max(steps // self.log * self.log, begin)
        parts = [(first, begin), (begin, end), (end, steps)]
        return [(start, stop) for start, stop in parts if start < stop]


@dataclasses.dataclass(frozen=True)
class Device:
    """Where and how the steps run.

    Attributes:
        strategy: "one" device, or "mirrored" over all GPUs (over the logical CPUs if
            there is no GPU): the batch is split, gradients are summed.
        jit_compile: Whether to compile steps with XLA; None compiles on one GPU, and
            not otherwise (on a CPU it ran at half the speed). With XLA, the same seed
            gives different random numbers.
        steps_per_execution: Steps per call from Python.
        resident: Whether the device holds the images or they are streamed from the
            host, with the same result; None holds images that take at most half its
            memory.
    """

    strategy: str = "one"
    jit_compile: bool | None = None
    steps_per_execution: int = 1
    resident: bool | None = None

    def __post_init__(self) -> None:
        """Checks each value by itself."""
        checks.one_of(self.strategy, ("one", "mirrored"), "strategy")
        for name in ("jit_compile", "resident"):  # 1 == True, and is not meant.
            checks.require_type(getattr(self, name), (bool, type(None)), name)
        checks.integer(self.steps_per_execution, "steps_per_execution", at_least=1)

    @property
    def jit(self) -> bool:
        """`jit_compile`, resolved for this machine."""
        if self.jit_compile is not None:
            return self.jit_compile
        has_gpu = bool(tf.config.list_physical_devices("GPU"))
        return has_gpu and self.strategy == "one"

    def make_strategy(self, batch_size: int) -> tf.distribute.Strategy:
        """Returns the strategy, after checking that it can split the batch."""
        if self.strategy == "one":
            return tf.distribute.get_strategy()
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        strategy = tf.distribute.MirroredStrategy(devices)
        checks.require(
            batch_size % strategy.num_replicas_in_sync == 0,
            "batch_size",
            f"be a multiple of the {strategy.num_replicas_in_sync} devices",
            batch_size,
        )
        return strategy
