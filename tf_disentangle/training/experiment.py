"""One run, from data and model to a scored, inspected run folder."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_disentangle import checks, files
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.training import callbacks as duties
from tf_disentangle.training.batches import Batches
from tf_disentangle.training.callback_state import CallbackState, state_of
from tf_disentangle.training.checkpoints import (
    Checkpoints,
    newest,
    read_record,
    step_of,
)
from tf_disentangle.training.exhaustion import explained
from tf_disentangle.training.feeding import Feed, stretches
from tf_disentangle.training.identity import differences, parts_of
from tf_disentangle.training.options import Intervals
from tf_disentangle.training.pictures import Plotter, annotations, random_images
from tf_disentangle.training.run_folder import RunFolder, environment, own_row
from tf_disentangle.training.scores import (
    Metric,
    Score,
    dry_run,
    record_scores,
    score,
)
from tf_disentangle.training.validation import Validation


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        folder: The run folder.
        model: The trained model.
        step: Number of steps done.
        terms: Last row of loss terms, training and validation, in nats per image.
        scores: Results of the metrics by name; empty if the run was stopped.
        signal: Number of the signal that stopped the run, None if it finished.
    """

    folder: RunFolder
    model: LatentModel
    step: int
    terms: dict[str, Any]
    scores: dict[str, Any]
    signal: int | None = None

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [N, H, W, C] to codes [N, L]."""
        return self.model.encode(images)


@dataclasses.dataclass
class Experiment:
    """A run that is built and checked, and has written nothing yet.

    Attributes:
        model: The compiled model.
        dataset: What it trains on.
        batches: Which images it sees when.
        folder: Where it writes.
        steps: Number of optimiser steps in all.
        intervals: How often it does what.
        extras: Further Keras callbacks.
        metrics: What scores it afterwards.
        resident: Whether the device holds the images; None asks their size.
    """

    model: LatentModel
    dataset: Dataset
    batches: Batches
    folder: RunFolder
    steps: int
    intervals: Intervals
    extras: tuple[keras.callbacks.Callback, ...] = ()
    metrics: tuple[Metric, ...] = ()
    resident: bool | None = None

    def run(self, config: str = "") -> Result:
        """Trains, scores and draws, going on from the folder's last checkpoint.

        Args:
            config: The gin configuration, for config.gin and TensorBoard.

        Raises:
            NonFiniteError: If a loss term became NaN or infinite.
        """
        self.dry_run()
        self.folder.create()
        with self.folder.locked():
            checkpoints = Checkpoints(
                self.model,
                self.folder.checkpoints,
                self.intervals.keep,
                self.intervals.log,
            )
            settings = self._settings()
            # Before anything is written: a run that cannot go on stays as it is.
            first = checkpoints.restore(self._require_goes_on(settings))
            self.folder.clean()
            checkpoints.set_aside_damaged()
            self.folder.describe(**environment(), **settings)
            if config:
                files.write_text(self.folder.config, config)
            # A callback such as EarlyStopping may have ended the run before its steps.
            notes = checkpoints.record().get("notes", {})
            is_done = self.steps in (first, notes.get("ended_of"))
            self.folder.cut(first, keep_scores=not is_done)
            with self._status() as status:
                signal = None if is_done else self._fit(first, checkpoints, config)
                scores = self._finish() if signal is None else {}
                status["status"] = "finished" if signal is None else "stopped"
        return Result(
            folder=self.folder,
            model=self.model,
            step=self.step,
            terms=_last_terms(self.folder),
            scores=scores,
            signal=signal,
        )

    def dry_run(self) -> None:
        """Checks the arguments of the metrics, which are called only at the end."""
        dry_run(self.dataset, self.metrics, self.model.latents.columns)

    def check(self) -> None:
        """Checks all that `run` checks before it writes anything."""
        self.dry_run()
        self._require_goes_on(self._settings())

    def _require_goes_on(self, settings: dict[str, Any]) -> pathlib.Path | None:
        """Checks steps, settings and interval against the run that the folder holds.

        Returns:
            Its newest whole checkpoint, None if there is no such run.
        """
        path = newest(self.folder.checkpoints)
        if path is None:
            return None
        first = step_of(path)
        done = f"the {first} steps that the run in {self.folder} has done"
        checks.require(self.steps >= first, "steps", f"be at least {done}", self.steps)
        changed = differences(self.folder.describe(), settings)
        rule, remedy = f"be those of the run in {self.folder}", "Choose another output."
        checks.require(not changed, "settings", rule, changed, remedy)
        log = self.intervals.log
        # A run that was stopped inside an interval goes on inside that interval.
        fits = first % log == 0 or log == read_record(path)["interval"]
        checks.require(fits, "Intervals.log", f"divide {done}", log)
        return path

    @contextlib.contextmanager
    def _status(self) -> Iterator[dict[str, Any]]:
        """Keeps run.json's status and wall time true, also when the run fails."""
        started = time.monotonic()  # The clock may jump.
        result: dict[str, Any] = {}
        self.folder.describe(status="running")
        try:
            yield result
        except Exception as error:
            # A full disk may be what has failed: its message is the one to show.
            with contextlib.suppress(checks.ArgumentError):
                self._describe_end(started, f"failed: {type(error).__name__}")
            raise
        except BaseException:  # Ctrl-C, SIGTERM
            self._describe_end(started, "stopped")
            raise
        self._describe_end(started, result["status"])

    def _describe_end(self, started: float, status: str) -> None:
        seconds = self.folder.describe().get("wall_seconds", 0.0)
        seconds = round(seconds + time.monotonic() - started, 1)
        self.folder.describe(status=status, wall_seconds=seconds, step=self.step)

    @property
    def step(self) -> int:
        """Number of steps that the weights have seen."""
        return int(self.model.optimizer.iterations.numpy())

    def _settings(self) -> dict[str, Any]:
        """Returns what run.json says of this run."""
        return {
            "seed": self.batches.seed,
            "steps": self.steps,
            "batch_size": self.batches.batch_size,
            "devices": [d.name for d in tf.config.list_logical_devices()],
            "replicas": self.model.distribute_strategy.num_replicas_in_sync,
            "threads": tf.config.threading.get_intra_op_parallelism_threads()
            or os.cpu_count(),
            "jit_compile": bool(self.model.jit_compile),
            "with_replacement": self.batches.with_replacement,
            **parts_of(self.model, self.dataset),
        }

    def _fit(self, first: int, checkpoints: Checkpoints, config: str) -> int | None:
        """Trains from step `first`; returns the signal that stopped it, if any."""
        interval = self.intervals.log
        stop = duties.StopOnSignal(interval)
        with explained(self.batches.batch_size, self.folder):
            writer = tf.summary.create_file_writer(str(self.folder.tensorboard))
            callbacks = [*self._duties(checkpoints, writer, stop), stop]
            try:
                _write_text(writer, config, first)
                with self.model.distribute_strategy.scope():
                    feed = Feed(
                        self.dataset.images(),
                        self.batches,
                        self.resident,
                        self.model.batches_per_step,
                    )
                    self.model.load_images = feed.load_images
                for start, end in stretches(first, self.steps, interval):
                    self._fit_stretch(feed, start, end, callbacks)
                    if self.model.stop_training:
                        break
            finally:
                stop.restore()
                writer.close()
                self.model.load_images = None
        return stop.received

    def _fit_stretch(
        self,
        feed: Feed,
        start: int,
        end: int,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Trains from step `start` to `end`: whole intervals, or the rest of one."""
        interval = self.intervals.log
        within = start % interval
        extra = [duties.ContinueInterval(self.model.statistics)] if within else []
        self.model.fit(
            feed.starting_at(start, end),
            epochs=end // interval,
            initial_epoch=start // interval,
            steps_per_epoch=interval - within,
            callbacks=[*extra, *callbacks],
            shuffle=False,
            verbose=0,
        )

    def _duties(
        self,
        checkpoints: Checkpoints,
        writer: tf.summary.SummaryWriter,
        stop: duties.StopOnSignal,
    ) -> list[keras.callbacks.Callback]:
        """Returns the callbacks, in the order in which they must act."""
        intervals, interval = self.intervals, self.intervals.log
        notes = checkpoints.record().get("notes", {})
        validation = []
        if len(self.batches.held_out):
            held_out = self.dataset.images()[np.sort(self.batches.held_out)]
            terms = Validation(self.model, held_out, self.batches.seed)
            best = notes.get("best_elbo", -math.inf)
            validation = [
                duties.Validate(interval, intervals.evaluate, terms, checkpoints, best)
            ]

        def to_note() -> dict[str, Any]:
            ended = self.model.stop_training and stop.received is None
            return {
                "ended_of": self.steps if ended else None,
                "best_elbo": validation[0].best if validation else None,
                "callbacks": state_of(self.extras),
            }

        checkpoints.notes = to_note
        return [
            duties.FiniteGuard(interval, checkpoints),
            duties.Speed(interval, self.batches.batch_size),
            *validation,
            *self.extras,
            CallbackState(self.extras, notes.get("callbacks", [])),
            # Records first: a row past the checkpoint is cut, a lost one stays lost.
            duties.Record(interval, self.folder, writer, self.model.latents.columns),
            Score(
                interval, intervals.score, self.steps, self.folder, writer, self._scores
            ),
            duties.Save(interval, intervals.save, checkpoints),
            duties.Pictures(
                interval, intervals.pictures, writer, self._plotter().figures
            ),
            duties.Progress(interval, self.steps),
        ]

    def draw(self, folder: str | os.PathLike, step: int) -> list[pathlib.Path]:
        """Writes the pictures of the model as it is; returns their paths.

        Args:
            folder: Where to.
            step: Of the weights. Rows of the traversals carry the validation's numbers
                and the factors of the last score at that step, if there are any.
        """
        return self._plotter().save(folder, **self.annotations(step))

    def annotations(self, step: int) -> dict[str, Any]:
        """Returns what figures say of the latents at a step."""
        rows = (row for row in self.folder.rows() if own_row(row))
        return annotations(row for row in rows if row["step"] == step)

    def images_to_draw(self, seed: int = 0) -> np.ndarray:
        """Returns random held-out images, or training images if none are held out."""
        held_out = self.batches.held_out
        indices = held_out if len(held_out) else self.batches.training
        return random_images(self.model, self.dataset.images(), indices, seed)

    def _plotter(self) -> Plotter:
        return Plotter(self.model, self.images_to_draw())

    def _finish(self) -> dict[str, Any]:
        """Scores the trained model and draws its pictures."""
        scores = self._scores()
        with contextlib.ExitStack() as stack:
            writer = None
            if self.intervals.score:
                folder = str(self.folder.tensorboard)
                writer = tf.summary.create_file_writer(folder)
                stack.callback(writer.close)
            record_scores(self.folder, self.step, scores, writer)
        self.draw(self.folder.pictures, self.step)
        return scores

    def _scores(self) -> dict[str, Any]:
        """Returns the results of the metrics for the model as it is."""
        columns = self.model.latents.columns
        return score(self.dataset, self.model.encode, self.metrics, columns)


def _write_text(writer: tf.summary.SummaryWriter, config: str, step: int) -> None:
    """Shows the gin configuration in TensorBoard, if there is one."""
    if config:
        # Indented by four, Markdown shows it as code.
        text = "\n".join("    " + line for line in config.splitlines())
        with writer.as_default(step):
            tf.summary.text("config.gin", text)


def _last_terms(folder: RunFolder) -> dict[str, Any]:
    """Returns the last training row with the last validation's terms."""
    terms: dict[str, Any] = {}
    for row in folder.rows():
        terms.update({k: v for k, v in row.items() if k != "scores"})
    return terms
