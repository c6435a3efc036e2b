"""What happens at the end of each logging interval, one callback per duty.

An epoch of `fit` is a logging interval. The order matters, and `experiment.py` keeps
it: nothing is recorded or saved of an interval in which a term was not finite, and
what the checkpoint holds is what the rows say.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tqdm import tqdm

from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.training.checkpoints import Checkpoints, step_of
from tf_disentangle.training.run_folder import RunFolder
from tf_disentangle.training.validation import Validation

# What a row says of each latent: its name in TensorBoard, and what it is.
_PER_LATENT = {
    "kl_per_latent": (
        "marginal_kl_per_latent",
        "KL of q(z_i|x) to the prior's marginal p(z_i), in nats, mean over held-out "
        "images. With a full covariance these do not sum to the KL.",
    ),
    "information_per_latent": (
        "information_per_latent",
        "Lower bound of the mutual information of a latent and the images that are "
        "generated of it, in nats.",
    ),
}


class NonFiniteError(ArithmeticError):
    """A loss term became NaN or infinite."""


class IntervalCallback(keras.callbacks.Callback):
    """A callback that acts every `every` steps, a multiple of the interval.

    Not at the end of an interval that a second signal cut short: its numbers come
    when the run has gone on to its end.

    Args:
        interval: Steps per epoch of `fit`.
        every: Steps between two actions; 0 is never.
    """

    def __init__(self, interval: int, every: int | None = None) -> None:
        super().__init__()
        self.interval = interval
        self.every = interval if every is None else every

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Calls `act` with the number of steps done."""
        step = (epoch + 1) * self.interval
        if self.every and step % self.every == 0 and self.steps_done() == step:
            self.act(step, logs)

    def steps_done(self) -> int:
        """Returns the number of steps that the weights have seen."""
        return int(self.model.optimizer.iterations.numpy())

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Does the duty; may add to `logs`, which the next callbacks see."""
        raise NotImplementedError


class FiniteGuard(IntervalCallback):
    """Stops the run when a term was not finite, before anything is saved of it."""

    def __init__(self, interval: int, checkpoints: Checkpoints) -> None:
        super().__init__(interval)
        self._checkpoints = checkpoints

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Looks also at an interval that was cut short, which is saved too."""
        self.act(self.steps_done(), logs)

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Raises `NonFiniteError` naming step, term and last good checkpoint."""
        num_steps = (step - 1) % self.interval + 1
        found = self._first_bad(num_steps)
        if found is None:
            return
        position, names = found
        last = self._checkpoints.latest
        good = f"Last good checkpoint: {last} (step {step_of(last)})." if last else ""
        raise NonFiniteError(
            f"{', '.join(names)} not finite at step {step - num_steps + position}. "
            f"{good or 'There is no checkpoint yet.'} Remedies: a lower learning "
            "rate, train.optimizer with global_clipnorm, float32."
        )

    def _first_bad(self, num_steps: int) -> tuple[int, tuple[str, ...]] | None:
        """Returns the first bad step of the interval and what was bad there."""
        found = self.model.statistics.first_nonfinite(num_steps)
        if found is not None:
            return found
        # A step's terms are those before its update: the last one's shows here only.
        weights = self.model.trainable_variables
        if all(bool(tf.reduce_all(tf.math.is_finite(w.value))) for w in weights):
            return None
        return num_steps, ("weights after the update",)


class Speed(IntervalCallback):
    """Adds images_per_second of the interval, pauses for other duties left out."""

    def __init__(self, interval: int, batch_size: int) -> None:
        super().__init__(interval)
        self._batch_size = batch_size

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self._first, self._start = self.steps_done(), time.perf_counter()

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Reads the clock."""
        images = (step - self._first) * self._batch_size
        logs["images_per_second"] = images / (time.perf_counter() - self._start)


class Validate(IntervalCallback):
    """Adds the terms on held-out images, and keeps the best checkpoint by one of them.

    By the model's `checkpoint_metric`, such as the ELBO, if it names one.

    Args:
        interval: Steps per epoch of `fit`.
        every: Steps between two validations.
        validation: The terms on held-out images.
        checkpoints: Where the best is kept.
        best: Best value of that term so far, of a resumed run.

    Attributes:
        best: Best value of that term so far.
    """

    def __init__(
        self,
        interval: int,
        every: int,
        validation: Validation,
        checkpoints: Checkpoints,
        best: float = -math.inf,
    ) -> None:
        super().__init__(interval, every)
        self._validation = validation
        self._checkpoints = checkpoints
        self.best = best

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Validates, and saves if this is the best so far."""
        terms, per_latent = self._validation()
        logs.update({f"validation/{name}": value for name, value in terms.items()})
        logs[f"{self.model.per_latent}_per_latent"] = [float(v) for v in per_latent]
        if terms.get(self.model.checkpoint_metric, -math.inf) > self.best:
            self.best = terms[self.model.checkpoint_metric]
            self._checkpoints.save(step, best=True)


class Save(IntervalCallback):
    """Writes a checkpoint at its intervals and, however the run ends, at the end."""

    def __init__(self, interval: int, every: int, checkpoints: Checkpoints) -> None:
        super().__init__(interval, every)
        self._checkpoints = checkpoints

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Saves."""
        self._checkpoints.save(step)

    def on_train_end(self, logs: Any = None) -> None:
        """Saves the last step, also of a run that was told to stop."""
        step, latest = self.steps_done(), self._checkpoints.latest
        if step and (latest is None or step_of(latest) != step):
            self._checkpoints.save(step)


class Record(IntervalCallback):
    """Writes each interval's numbers to metrics.jsonl and TensorBoard.

    Args:
        interval: Steps per epoch of `fit`.
        folder: Where the rows go.
        writer: TensorBoard writer.
        columns: What each latent is.
    """

    def __init__(
        self,
        interval: int,
        folder: RunFolder,
        writer: tf.summary.SummaryWriter,
        columns: Sequence[CodeColumn],
    ) -> None:
        super().__init__(interval)
        self._folder = folder
        self._writer = writer
        self._columns = columns

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Appends one row and its scalars."""
        row = {"step": step, **{k: _plain(v) for k, v in logs.items()}}
        self._folder.append({**row, "wall_time": round(time.time(), 3)})
        with self._writer.as_default(step):
            for name, value in row.items():
                if name in _PER_LATENT:
                    group, text = _PER_LATENT[name]
                    for column, number in zip(self._columns, value, strict=True):
                        label = f"{group}/{column.name}"
                        tf.summary.scalar(label, number, description=text)
                elif name != "step":
                    group = "" if "/" in name else "train/"
                    tf.summary.scalar(f"{group}{name}", value)


class Pictures(IntervalCallback):
    """Puts pictures into TensorBoard at a intervals.

    Args:
        interval: Steps per epoch of `fit`.
        every: Steps between two sets of pictures; 0 is never.
        writer: TensorBoard writer.
        draw: Returns pictures, uint8 [H, W, 3] by name.
    """

    def __init__(
        self,
        interval: int,
        every: int,
        writer: tf.summary.SummaryWriter,
        draw: Callable[[], dict[str, Any]],
    ) -> None:
        super().__init__(interval, every)
        self._writer = writer
        self._draw = draw

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Draws and writes."""
        with self._writer.as_default(step):
            for name, picture in self._draw().items():
                tf.summary.image(name, picture[None])


class Progress(IntervalCallback):
    """A bar on stderr: steps, steps/s, ETA, images/s and the loss terms."""

    def __init__(self, interval: int, num_steps: int) -> None:
        super().__init__(interval)
        self._total = num_steps

    def on_train_begin(self, logs: Any = None) -> None:
        """Shows the bar."""
        self._bar = tqdm(
            total=self._total,
            initial=self.steps_done(),
            unit="step",
            dynamic_ncols=True,
            smoothing=0.1,
            mininterval=0.5 if sys.stderr.isatty() else 10.0,
        )

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Moves the bar."""
        shown = {"images/s": f"{logs['images_per_second']:.0f}"}
        for name in self.model.statistics.names:
            shown[name] = f"{logs[name]:.4g}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(step - self._bar.n)

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the finished bar."""
        self._bar.close()


class ContinueInterval(keras.callbacks.Callback):
    """Gives the first interval the running means that it had when it was cut short.

    `fit` clears them at the start of an epoch. To stand first among the callbacks.
    """

    def __init__(self, statistics: keras.metrics.Metric) -> None:
        super().__init__()
        self._values = [(v.value, v.numpy()) for v in statistics.variables]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Restores them."""
        for variable, value in self._values:
            variable.assign(value)


class StopOnSignal(IntervalCallback):
    """Ctrl-C and SIGTERM end the run after the interval; a second one, after the step.

    Either way a checkpoint is written. A third one interrupts at once, without.

    Attributes:
        received: The signal's number, None if none came.
    """

    def __init__(self, interval: int) -> None:
        super().__init__(interval)
        self.received: int | None = None
        self._times = 0
        self._previous: dict[int, Any] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes over the two signals, where Python allows it: the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                previous = signal.signal(number, self._handle)
            except ValueError:
                return
            self._previous.setdefault(number, previous)

    def restore(self) -> None:
        """Gives the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Asks `fit` to stop."""
        if self.received is not None:
            self.model.stop_training = True

    def _handle(self, number: int, frame: Any) -> None:
        self._times += 1
        if self._times == 1:
            self.received = number
            text = "after this interval; once more to stop after this step"
        elif self._times == 2:
            self.model.stop_training = True
            text = "after this step"
        else:
            raise KeyboardInterrupt
        print(f"\nStopping {text}. The same command goes on.", file=sys.stderr)


def _plain(value: Any) -> Any:
    """Returns `value` as JSON can hold it, floats with six digits."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return float(f"{float(value):.6g}")
