"""The training loop: from a built and checked run to a trained, scored, drawn one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Collection, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_disentangle import checks, files
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics.results import results_by_call
from tf_disentangle.models import LatentModel
from tf_disentangle.training import callbacks as ours
from tf_disentangle.training import reporting
from tf_disentangle.training.checkpoints import Checkpoints, newest, step_of
from tf_disentangle.training.description import changes, copy_modules
from tf_disentangle.training.evaluating import (
    Metric,
    check_metrics,
    record_scores,
    score,
)
from tf_disentangle.training.input_pipeline import Batches, InputPipeline, images_at
from tf_disentangle.training.options import Intervals
from tf_disentangle.training.pictures import Plotter, annotations, random_images
from tf_disentangle.training.resources import explaining_exhaustion
from tf_disentangle.training.run_folder import RunFolder, environment
from tf_disentangle.training.user_callbacks import (
    CallbackState,
    continue_files,
    state_of,
)

#: Diagnostics are those of so many held-out images: what they estimate depends on it.
NUM_DIAGNOSED = 250


@dataclasses.dataclass
class TrainingLoop:
    """A run that is built and checked, and has written nothing yet.

    Attributes:
        model: The compiled model.
        data: What it trains on.
        batches: Which images it sees when.
        folder: Where it writes; None writes nothing.
        steps: Number of optimiser steps in all.
        intervals: How often it does what.
        description: What `description.describe` says of the run.
        callbacks: The user's Keras callbacks.
        metrics: What scores it afterwards.
        resident: Whether the device holds the images; None decides by their size.
        step: Steps that the weights have seen.
        rows: The rows of a run without a folder.
        scores: Results of the metrics by name; empty until the run has finished.
        kept: Results of a finished run, by call, which are not computed again.
        signal: Number of the signal that stopped the run, None if it finished.
    """

    model: LatentModel
    data: Dataset
    batches: Batches
    folder: RunFolder | None
    steps: int
    intervals: Intervals
    description: dict[str, Any]
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    metrics: tuple[Metric, ...] = ()
    resident: bool | None = None
    step: int = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    scores: dict[str, Any] = dataclasses.field(default_factory=dict)
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)
    signal: int | None = None

    def run(self, config: str = "", modules: Collection[str] = ()) -> None:
        """Trains, scores and draws, going on from the folder's last checkpoint.

        Args:
            config: The gin configuration, for config.gin and TensorBoard.
            modules: Modules to copy into the folder beside those of the parts' classes.

        Raises:
            NonFiniteError: If a loss term became NaN or infinite.
        """
        self.scores, self.signal = {}, None
        if self.folder is None:
            rule, remedy = "be untrained", "A run with an output folder can go on."
            checks.require(self.step == 0, "run", rule, self.step, remedy)
            self._fit(0, None, config)
            if self.signal is None:
                self._score(self.step)
            return
        self.folder.create()
        with self.folder.locked():
            self._run_in_folder(config, modules)

    def _run_in_folder(self, config: str, modules: Collection[str]) -> None:
        folder = self.folder
        checkpoints = Checkpoints(self.model, folder.checkpoints, self.intervals.keep)
        # Before anything is written: a run that cannot go on stays as it is.
        self.step = checkpoints.restore(self._require_goes_on())
        folder.clean()
        checkpoints.set_aside_damaged()
        folder.describe(**environment(), **_machine(self.model), **self.description)
        copy_modules(folder, self.description, modules)
        if config:
            files.write_text(folder.config, config)
        # A callback such as EarlyStopping may have ended the run before its steps.
        notes = checkpoints.record().get("notes", {})
        is_done = self.steps in (self.step, notes.get("ended_of"))
        # A finished run is scored again by what it has not been scored by.
        rows = folder.rows() if is_done else []
        self.kept = results_by_call(rows, self.step, "mean")
        folder.cut(self.step, keep_scores=not is_done)
        with self._status():
            if not is_done:
                self._fit(self.step, checkpoints, config)
            if self.signal is None:
                self._finish()

    def check(self) -> None:
        """Checks all that `run` checks before it writes anything."""
        check_metrics(self.model, self.data, self.metrics)
        if self.folder is not None:
            self._require_goes_on()

    def _require_goes_on(self) -> os.PathLike | None:
        """Checks steps and description against the run that the folder holds.

        Returns:
            Its newest intact checkpoint, None if there is no such run.
        """
        path = newest(self.folder.checkpoints)
        if path is None:
            return None
        first = step_of(path)
        rule = f"be at least the {first} steps that the run in {self.folder} has done"
        checks.require(self.steps >= first, "steps", rule, self.steps)
        changed = changes(self.folder.describe(), self.description)
        if changed:
            lines = "".join(f"\n  {line}" for line in changed)
            raise checks.ArgumentError(
                f"The run in {self.folder} must go on with its own settings; "
                f"received others:{lines}\n  Choose another output for another run."
            )
        executions = self.description["training"]["device"]["config"]
        each = executions["steps_per_execution"]
        rule = f"divide the {first} steps that the run has done"
        checks.require(first % each == 0, "steps_per_execution", rule, each)
        return path

    @contextlib.contextmanager
    def _status(self) -> Iterator[None]:
        """Keeps run.json's status and wall time true, also when the run fails."""
        started = time.monotonic()  # The clock may jump.
        self.folder.describe(status="running")
        try:
            yield
        except Exception as error:
            # A full disk may be what has failed: its message is the one to show.
            with contextlib.suppress(checks.ArgumentError):
                self._describe_end(started, f"failed: {type(error).__name__}")
            raise
        except BaseException:  # Ctrl-C, SIGTERM
            self._describe_end(started, "stopped")
            raise
        status = "finished" if self.signal is None else "stopped"
        self._describe_end(started, status)

    def _describe_end(self, started: float, status: str) -> None:
        seconds = self.folder.describe().get("wall_seconds", 0.0)
        seconds = round(seconds + time.monotonic() - started, 1)
        self.folder.describe(status=status, wall_seconds=seconds, step=self.step)

    def _fit(self, first: int, checkpoints: Checkpoints | None, config: str) -> None:
        """Trains from step `first`; a signal that stops it is kept in `signal`."""
        position = ours.Position(first, self.steps)
        stop = ours.StopOnSignal(position)
        progress = reporting.Progress(position)
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                explaining_exhaustion(self.batches.batch_size, self.folder)
            )
            writer = self._writer()
            stack.callback(writer.close)
            stack.callback(progress.close)
            _write_text(writer, config, first)
            actions = self._actions(position, checkpoints, writer, stop)
            with self.model.distribute_strategy.scope():
                pipeline = InputPipeline(
                    self.data.images(),
                    self.batches,
                    self.resident,
                    self.model.batches_per_step,
                )
            self.model.load_images = pipeline.load_images
            stack.callback(setattr, self.model, "load_images", None)
            stack.enter_context(stop)
            continue_files(self.callbacks if first else (), first // self.intervals.log)
            log = self.intervals.log
            training = ours.OneTraining(
                [position, *actions, progress],
                model=self.model,
                epochs=-(-self.steps // log),
                steps=log,
                verbose=0,
            )
            try:
                self._fit_segments(pipeline, first, training)
            finally:
                self.step = position.step
        self.signal = stop.received

    def _fit_segments(
        self, pipeline: InputPipeline, first: int, training: ours.OneTraining
    ) -> None:
        """Calls `fit` for each run of intervals of one length."""
        log = self.intervals.log
        for start, end in segments(first, self.steps, log):
            training.is_last = end == self.steps
            self.model.fit(
                pipeline.starting_at(start, end),
                epochs=-(-end // log),
                initial_epoch=start // log,
                steps_per_epoch=min(log, end - start),
                callbacks=training,
                shuffle=False,
                verbose=0,
            )
            if self.model.stop_training:
                break

    def _actions(
        self,
        position: ours.Position,
        checkpoints: Checkpoints | None,
        writer: tf.summary.SummaryWriter,
        stop: ours.StopOnSignal,
    ) -> list[keras.callbacks.Callback]:
        """Returns the callbacks, in the order in which they must act."""
        intervals = self.intervals
        notes = {} if checkpoints is None else checkpoints.record().get("notes", {})
        validate = self._validate_action(position, checkpoints, notes)

        def to_note() -> dict[str, Any]:
            ended = self.model.stop_training and stop.received is None
            return {
                "ended_of": self.steps if ended else None,
                "best": validate[0].best if validate else None,
                "validation": validate[0].values if validate else None,
                "callbacks": state_of(self.callbacks),
            }

        save = []
        if checkpoints is not None:
            checkpoints.notes = to_note
            save = [ours.Save(position, intervals.save, checkpoints)]
        pictures = []
        if self.folder is not None and intervals.pictures:
            plotter = make_plotter(self.model, self.data, self.batches)
            every, figures = intervals.pictures, plotter.figures
            pictures = [reporting.Pictures(position, every, writer, figures)]
        columns = self.model.latents.columns
        return [
            ours.FiniteGuard(position, checkpoints),
            reporting.Speed(position, self.batches.batch_size),
            *validate,
            *self.callbacks,
            CallbackState(self.callbacks, notes.get("callbacks", [])),
            stop,
            # Rows first: one past the checkpoint is cut, a lost one stays lost.
            reporting.Record(position, self._append, writer, columns),
            ours.Score(
                position, intervals.score, lambda step: self._score(step, writer)
            ),
            *save,
            *pictures,
        ]

    def _validate_action(
        self,
        position: ours.Position,
        checkpoints: Checkpoints | None,
        notes: dict[str, Any],
    ) -> list[ours.Validate]:
        """Returns the callback that validates, if images were held out for it."""
        if not (len(self.batches.held_out) and self.intervals.evaluate):
            return []
        images = images_at(self.data.images(), self.batches.held_out)

        def validate() -> tuple[dict[str, float], np.ndarray]:
            terms, per_latent = self.model.validation(images, self.batches.seed)
            diagnostics = self.model.diagnostics(
                images[:NUM_DIAGNOSED], self.batches.seed
            )
            return {**terms, **diagnostics}, per_latent

        values, best = notes.get("validation"), notes.get("best")
        every = self.intervals.evaluate
        return [ours.Validate(position, every, validate, checkpoints, values, best)]

    def _writer(self) -> tf.summary.SummaryWriter:
        """Returns TensorBoard's writer, which writes nothing without a folder."""
        if self.folder is None:
            return tf.summary.create_noop_writer()
        return tf.summary.create_file_writer(str(self.folder.tensorboard))

    def _append(self, row: dict[str, Any]) -> None:
        """Adds a row to the folder's, or to those in memory."""
        if self.folder is None:
            self.rows.append(row)
        else:
            self.folder.append(row)

    def _score(self, step: int, writer: tf.summary.SummaryWriter | None = None) -> None:
        """Scores the model as it is, and records the scores of this step."""
        held_out = self.batches.held_out
        self.scores, calls = score(
            self.model, self.data, self.metrics, held_out, self.kept
        )
        record_scores(self._append, step, self.scores, calls, writer)

    def _finish(self) -> None:
        """Scores the trained model and draws its pictures."""
        with contextlib.ExitStack() as stack:
            writer = None
            if self.intervals.score:
                writer = self._writer()
                stack.callback(writer.close)
            self._score(self.step, writer)
        self.draw()

    def draw(self) -> None:
        """Writes the pictures of the trained model into the run folder."""
        rows = [row for row in self.folder.rows() if row["step"] == self.step]
        plotter = make_plotter(self.model, self.data, self.batches)
        plotter.save(self.folder.pictures, **annotations(rows))


def make_plotter(
    model: LatentModel,
    data: Dataset,
    batches: Batches,
    seed: int | None = None,
    **options: Any,
) -> Plotter:
    """Returns what draws a model on random held-out images of its data.

    Args:
        model: The model.
        data: The data set.
        batches: Which of its images are held out; of none, training images are drawn.
        seed: Seed of the random images and of the samples; None is that of the run.
        **options: Of `pictures.Plotter`.
    """
    seed = batches.seed if seed is None else seed
    images = random_images(model, data.images(), batches, seed)
    return Plotter(model, images, seed=seed, **options)


def segments(first: int, steps: int, interval: int) -> list[tuple[int, int]]:
    """Returns [first, steps] in parts, each of intervals of one length.

    A run that goes on from a short last interval, or ends with one, has such a part.
    """
    begin = min(-(-first // interval) * interval, steps)
    end = max(steps // interval * interval, begin)
    parts = [(first, begin), (begin, end), (end, steps)]
    return [(start, stop) for start, stop in parts if start < stop]


def _machine(model: LatentModel) -> dict[str, Any]:
    """Returns what run.json says of the devices."""
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return {
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "replicas": model.distribute_strategy.num_replicas_in_sync,
        "threads": threads or os.cpu_count(),
    }


def _write_text(writer: tf.summary.SummaryWriter, config: str, step: int) -> None:
    """Shows the gin configuration in TensorBoard, if there is one."""
    if config:
        # Indented by four, Markdown shows it as code.
        text = "\n".join("    " + line for line in config.splitlines())
        with writer.as_default(step):
            tf.summary.text("config.gin", text)
