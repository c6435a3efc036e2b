"""The training loop: from a built and checked run to a trained, scored, drawn one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tf_disentangle import checks, files
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics import Evaluation, check_arguments, evaluate
from tf_disentangle.metrics.results import as_row, results_by_call, scalars
from tf_disentangle.models import LatentModel
from tf_disentangle.models.encoder import ModelEncoder
from tf_disentangle.training import callbacks as ours
from tf_disentangle.training import reporting
from tf_disentangle.training.checkpoints import Checkpoints, newest, step_of
from tf_disentangle.training.description import (
    changes,
    copy_modules,
    describe,
    machine,
)
from tf_disentangle.training.input_pipeline import Batches, InputPipeline, images_at
from tf_disentangle.training.options import Device, Intervals
from tf_disentangle.training.pictures import latent_annotations, make_plotter
from tf_disentangle.training.projector import write_projector
from tf_disentangle.training.run_folder import RunFolder, environment
from tf_disentangle.training.tensorboard import TensorBoard
from tf_disentangle.training.user_callbacks import (
    NUM_DIAGNOSED,
    CallbackState,
    check_monitors,
    continue_files,
    state_of,
)

#: A name such as "mig", or a function (data, encoder) -> dataclass with `score` first.
Metric = str | Callable[..., Any]


@dataclasses.dataclass
class TrainingLoop:
    """A run that is built and checked, and has written nothing yet.

    Attributes:
        model: The compiled model.
        data: What it trains on.
        batches: Which images it sees, and when.
        folder: Where it writes; None means that it writes nothing.
        steps: Number of optimiser steps in all.
        intervals: How often it logs, validates, saves and so on.
        device: Where and how its steps run.
        callbacks: The user's Keras callbacks.
        metrics: What scores it afterwards.
        warm_start: Folder of the run whose weights it starts from.
        description: What `description.describe` says of it.
        step: Steps that the weights have seen.
        epochs: Epochs of Keras that the run had done when it was resumed.
        rows: The rows of a run without a folder.
        scores: Results of the metrics by name; empty until the run has finished.
        kept: Results of a finished run, by call, which are not computed again.
        card: Returns the model card of the trained run, for TensorBoard.
        signal: Number of the signal that stopped the run, None if it finished.
    """

    model: LatentModel
    data: Dataset
    batches: Batches
    folder: RunFolder | None
    steps: int
    intervals: Intervals
    device: Device
    callbacks: Sequence[keras.callbacks.Callback] = ()
    metrics: Sequence[Metric] = ()
    warm_start: str | os.PathLike | None = None
    description: dict[str, Any] = dataclasses.field(init=False)
    step: int = 0
    epochs: int = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    scores: dict[str, Any] = dataclasses.field(default_factory=dict)
    kept: dict[str, Any] = dataclasses.field(default_factory=dict)
    card: Callable[[], str] | None = None
    signal: int | None = None

    def __post_init__(self) -> None:
        """Describes the run before any schedule or callback changes a part of it."""
        self.board = TensorBoard(self.folder.path if self.folder else None, self.model)
        self.description = describe(
            self.model,
            self.data,
            self.batches,
            self.metrics,
            steps=self.steps,
            intervals=self.intervals,
            device=self.device,
            callbacks=[type(callback).__name__ for callback in self.callbacks],
            warm_start=self.warm_start,
        )

    def run(self, config: str = "", modules: Collection[str] = ()) -> None:
        """Trains, scores and draws, resuming from the folder's last checkpoint.

        Args:
            config: The gin configuration, for config.gin and TensorBoard.
            modules: Modules to copy into the folder beside those of the parts' classes.

        Raises:
            NonFiniteError: If a loss term became NaN or infinite.
        """
        self.scores, self.signal = {}, None
        if self.folder is None:
            rule, remedy = "be untrained", "A run with an output folder can resume."
            checks.require(self.step == 0, "run", rule, self.step, remedy)
            self._fit(0, None)
            if self.signal is None:
                self._score(self.step)
            return
        self.folder.create()
        with (
            self.folder.locked(),
            ours.explaining_full_disk(self.folder),
            contextlib.closing(self.board),
        ):
            self._run_in_folder(config, modules)

    def _run_in_folder(self, config: str, modules: Collection[str]) -> None:
        folder = self.folder
        checkpoints = Checkpoints(self.model, folder.checkpoints, self.intervals.keep)
        # First, so that a run that cannot be resumed stays as it is.
        self.step = checkpoints.restore(self._require_goes_on())
        folder.clean()
        checkpoints.set_aside_damaged()
        before = folder.describe().get("training", {}).get("callbacks")
        folder.describe(**environment(), **machine(self.model), **self.description)
        copy_modules(folder, self.description, modules)
        if config:
            files.write_text(folder.config, config)
        # A callback such as EarlyStopping may have ended the run before its steps.
        notes = checkpoints.record().get("notes", {})
        self.epochs = notes.get("epochs", 0)
        same = before == folder.describe()["training"]["callbacks"]
        is_done = self.steps in (self.step, notes.get("ended_of") if same else None)
        # A finished run is scored only by metrics that have not scored it yet.
        rows = folder.rows() if is_done else []
        self.kept = results_by_call(rows, self.step, "mean")
        folder.cut(self.step)
        with self._status(checkpoints):
            self.board.begin(self.step, self.description, config)
            if not is_done:
                self._fit(self.step, checkpoints)
            if self.signal is None:
                self._finish()

    def check(self) -> None:
        """Checks all that `run` checks before it writes anything."""
        check_arguments(list(self.metrics), self.data, self.model.columns)
        check_monitors(
            self.callbacks, self.model, self.data, self.batches, self.intervals
        )
        if self.folder is not None:
            self._require_goes_on()

    def _require_goes_on(self) -> pathlib.Path | None:
        """Returns the folder's newest intact checkpoint, None if it holds no run.

        It first checks steps and description against those of that run.
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
                f"The run in {self.folder} must resume with its own settings; "
                f"received others:{lines}\n  For another run, choose another output. "
                f"{checks.see('resume_and_reproduce')}"
            )
        each = self.device.steps_per_execution
        rule = f"divide the {first} steps that the run has done"
        checks.require(first % each == 0, "steps_per_execution", rule, each)
        return path

    @contextlib.contextmanager
    def _status(self, checkpoints: Checkpoints) -> Iterator[None]:
        """Keeps run.json's status, wall time and step up to date, even on failure."""
        started = time.monotonic()  # The clock may jump.

        def describe_end(status: str) -> None:
            seconds = self.folder.describe().get("wall_seconds", 0.0)
            seconds = round(seconds + time.monotonic() - started, 1)
            # What was trained after the last checkpoint is lost.
            step = step_of(checkpoints.latest) if checkpoints.latest else 0
            self.folder.describe(status=status, wall_seconds=seconds, step=step)

        self.folder.describe(status="running")
        try:
            yield
        except Exception as error:
            # A full disk may be what has failed: its message is the one to show.
            with contextlib.suppress(checks.ArgumentError):
                describe_end(f"failed: {type(error).__name__}")
            raise
        except BaseException:  # Ctrl-C, SIGTERM
            describe_end("stopped")
            raise
        describe_end("finished" if self.signal is None else "stopped")

    def _fit(self, first: int, checkpoints: Checkpoints | None) -> None:
        """Trains from step `first`; a signal that stops it is kept in `signal`."""
        position = ours.Position(first, self.steps)
        stop = ours.StopOnSignal(position, is_saved=checkpoints is not None)
        progress = reporting.Progress(position)
        with contextlib.ExitStack() as stack:
            stack.enter_context(
                ours.explaining_exhaustion(self.batches.batch_size, self.folder)
            )
            stack.callback(progress.close)
            actions = self._actions(position, checkpoints, stop)
            with self.model.distribute_strategy.scope():
                images, each = self.data.images(), self.model.batches_per_step
                resident = self.device.resident
                pipeline = InputPipeline(images, self.batches, resident, each)
            self.model.load_images = pipeline.load_images
            stack.callback(setattr, self.model, "load_images", None)
            stack.enter_context(stop)
            continue_files(self.callbacks if first else (), self.epochs)
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
        """Calls `fit` for each series of intervals of equal length."""
        log = self.intervals.log
        for start, end in self.intervals.segments(first, self.steps):
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
                "epochs": -(-position.step // self.intervals.log),
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

            def draw(step: int) -> None:
                self.board.write_pictures(step, plotter.figures())

            pictures = [ours.Every(position, intervals.pictures, draw)]

        return [
            ours.FiniteGuard(position, checkpoints),
            reporting.Speed(position, self.batches.batch_size),
            *validate,
            *self.callbacks,
            CallbackState(self.callbacks, notes.get("callbacks", [])),
            stop,
            # Rows first: a row past the checkpoint can be cut, a lost one stays lost.
            reporting.Record(position, self._append, self.board),
            # The end of the run scores in any case.
            ours.Every(position, intervals.score, self._score, at_end=False),
            *save,
            *self._codes_action(position),
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
            few = images[:NUM_DIAGNOSED]
            diagnostics = self.model.diagnostics(few, self.batches.seed)
            return {**terms, **diagnostics}, per_latent

        values, best = notes.get("validation"), notes.get("best")
        every = self.intervals.evaluate
        return [ours.Validate(position, every, validate, checkpoints, values, best)]

    def _codes_action(self, position: ours.Position) -> list[reporting.Codes]:
        """Returns the callback that shows codes in TensorBoard, if there are any."""
        few = self.batches.held_out[:NUM_DIAGNOSED]
        if self.folder is None or not len(few):
            return []
        images = images_at(self.data.images(), few)
        every = self.intervals.evaluate
        return [reporting.Codes(position, every, images, self.board)]

    def _append(self, row: dict[str, Any]) -> None:
        """Adds a row to the folder's, or to those in memory."""
        if self.folder is None:
            self.rows.append(row)
        else:
            self.folder.append(row)

    def _score(self, step: int) -> None:
        """Scores the current model; writes each result as it comes, TensorBoard too."""
        if not self.metrics:
            return
        rows = self.folder.rows() if self.folder else self.rows
        known = set(map(json.dumps, rows))
        before = len(known)

        def record(name: str, _seed: int | None, result: Any, call: str) -> None:
            row = {"step": step, "call": call, "scores": as_row({name: result})}
            if json.dumps(row) not in known:
                known.add(json.dumps(row))
                self._append(row)

        options: dict[str, Any] = {"done": self.kept, "on_result": record}
        options["held_out"] = self.batches.held_out
        table = evaluate(self.data, ModelEncoder(self.model), self.metrics, **options)
        self.scores = {
            name: entry.results[0] if isinstance(entry, Evaluation) else entry
            for name, entry in table.items()
        }
        if len(known) > before or not self.board.has_scores(step):
            numbers = {name: scalars(result) for name, result in self.scores.items()}
            self.board.write_scores(step, numbers)

    def _finish(self) -> None:
        """Scores the trained model and draws its pictures."""
        self._score(self.step)
        self.draw()

    def draw(self) -> None:
        """Writes pictures of the trained model, and what TensorBoard shows of it."""
        rows = self.folder.rows()
        plotter = make_plotter(self.model, self.data, self.batches)
        plotter.save(self.folder.pictures, **latent_annotations(rows, self.step))
        self.board.write_over_time(self.step, rows)
        if self.card is not None:
            self.board.write_card(self.step, self.card())
        write_projector(self.folder.path, self.model, self.data, self.batches)
