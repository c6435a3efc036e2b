"""What a run reports while it trains: rows, TensorBoard, a bar or lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from tf_disentangle.progress import progress_bar, shows_bars
from tf_disentangle.training.callbacks import Action, Position, Row
from tf_disentangle.training.tensorboard import TensorBoard


class Speed(Action):
    """Adds the interval's images_per_second, without the time of other callbacks."""

    def __init__(self, position: Position, batch_size: int) -> None:
        super().__init__(position)
        self._batch_size = batch_size

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Reads the clock."""
        images = (step - self.position.begin) * self._batch_size
        logs["images_per_second"] = images / (time.perf_counter() - self._start)


class Record(Action):
    """Writes each interval's numbers to the rows and to TensorBoard.

    Args:
        position: The run's position.
        append: Called with each row.
        board: Gets each row too.
    """

    def __init__(
        self, position: Position, append: Callable[[Row], None], board: TensorBoard
    ) -> None:
        super().__init__(position)
        self._append = append
        self._board = board

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Appends one row and its scalars."""
        trained = {k: v for k, v in logs.items() if not k.startswith("val_")}
        row = {k: _plain(v) for k, v in {**trained, **self.position.row}.items()}
        self._append({"step": step, **row, "wall_time": round(time.time(), 3)})
        self._board.write_row(step, row)


class Codes(Action):
    """Shows in TensorBoard how the codes of some images are distributed.

    Args:
        position: The run's position.
        every: Steps between two histograms.
        images: Held-out images, [N, H, W, C].
        board: Takes the codes.
    """

    def __init__(
        self, position: Position, every: int, images: np.ndarray, board: TensorBoard
    ) -> None:
        super().__init__(position, every)
        self._images = images
        self._board = board

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Encodes the images."""
        self._board.write_codes(step, self.model.encode(self._images))


class Progress(Action):
    """Steps, speed and loss terms on stderr: a bar, or lines if it is no terminal."""

    async_safe = True

    def __init__(self, position: Position) -> None:
        super().__init__(position)
        self._bar: tqdm | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Shows the bar."""
        self._first, self._start = self.position.step, time.perf_counter()
        if self._first:
            print(f"Resuming from step {self._first}.", file=sys.stderr)
        if shows_bars():
            self._bar = progress_bar(
                total=self.position.total,
                initial=self._first,
                unit="step",
                dynamic_ncols=True,
                smoothing=0.1,
                mininterval=0.5,
            )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar."""
        if self._bar is not None:
            self._bar.update(self.position.step - self._bar.n)

    def act(self, step: int, logs: dict[str, Any]) -> None:
        """Shows the terms."""
        shown = {"images/s": f"{logs['images_per_second']:.0f}"}
        for name in self.model.statistics.names:
            shown[name] = f"{logs[name]:.4g}"
        if self._bar is not None:
            self._bar.set_postfix(shown, refresh=False)
            self._bar.update(step - self._bar.n)
            return
        speed = (step - self._first) / (time.perf_counter() - self._start)
        left = tqdm.format_interval((self.position.total - step) / speed)
        terms = " ".join(f"{name}={value}" for name, value in shown.items())
        text = f"step {step}/{self.position.total}, {left} left, {terms}"
        print(text, file=sys.stderr, flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the finished bar."""
        self.close()

    def close(self) -> None:
        """Ends the bar's line, so that what is printed next has its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _plain(value: Any) -> Any:
    """Returns `value` as JSON can hold it, floats with six digits."""
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return float(f"{float(value):.6g}")
