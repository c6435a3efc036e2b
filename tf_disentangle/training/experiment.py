"""One run, from data and model to a scored, inspected run folder.

prepare(...) -> Experiment      everything built and checked, nothing written
Experiment.run()                trains, scores, draws; resumes what it finds
train(...)                      both
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_disentangle import checks, files
from tf_disentangle.datasets.pipeline import (
    ResidentImages,
    index_batches,
    split_indices,
)
from tf_disentangle.models import VAE
from tf_disentangle.protocols import Dataset
from tf_disentangle.training import callbacks as duties
from tf_disentangle.training.checkpoints import Checkpoints, find, restore_weights
from tf_disentangle.training.options import Cadence, Device
from tf_disentangle.training.pictures import Painter
from tf_disentangle.training.run_folder import RunFolder, environment
from tf_disentangle.training.scores import Metric, as_row, score
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
    model: VAE
    step: int
    terms: dict[str, Any]
    scores: dict[str, Any]
    signal: int | None = None

    def represent(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [N, H, W, C] to codes [N, L]."""
        return self.model.represent(images)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Which images a run sees, and when: a function of (seed, step).

    Attributes:
        training: Indices of the training images.
        held_out: Indices of the validation images.
        batch_size: Images per step.
        seed: Seed of the order.
        with_replacement: Whether images are drawn with replacement.
    """

    training: np.ndarray
    held_out: np.ndarray
    batch_size: int
    seed: int
    with_replacement: bool

    def __post_init__(self) -> None:
        """Checks the batch against the data."""
        checks.integer(self.batch_size, "batch_size", at_least=1)
        checks.require(
            self.batch_size <= len(self.training),
            "batch_size",
            f"be at most the {len(self.training)} training images",
            self.batch_size,
        )

    def starting_at(self, step: int, num_steps: int) -> tf.data.Dataset:
        """Returns batches `step` to `num_steps` of indices, int64 [B]."""
        return index_batches(
            self.training,
            self.batch_size,
            self.seed,
            first_step=step,
            with_replacement=self.with_replacement,
            num_steps=num_steps - step,
        )


@dataclasses.dataclass
class Experiment:
    """A run that is built and checked, and has written nothing yet.

    Attributes:
        model: The compiled model.
        dataset: What it trains on.
        batches: Which images it sees when.
        folder: Where it writes.
        steps: Number of optimiser steps in all.
        cadence: How often it does what.
        extras: Further Keras callbacks.
        metrics: What scores it afterwards.
    """

    model: VAE
    dataset: Dataset
    batches: Batches
    folder: RunFolder
    steps: int
    cadence: Cadence
    extras: tuple[keras.callbacks.Callback, ...] = ()
    metrics: tuple[Metric, ...] = ()

    def run(self, config: str = "") -> Result:
        """Trains, scores and draws, going on from the folder's last checkpoint.

        Args:
            config: The gin configuration, for config.gin and TensorBoard.

        Raises:
            NonFiniteError: If a loss term became NaN or infinite.
        """
        started = time.time()
        self.folder.create()
        self.folder.describe(**environment(), **self._settings(), status="running")
        if config:
            files.write_text(self.folder.config, config)
        checkpoints = Checkpoints(
            self.model, self.folder.checkpoints, self.cadence.keep
        )
        first = checkpoints.restore_latest() or 0
        self.folder.cut(first)
        signal = self._fit(first, checkpoints, config) if first < self.steps else None
        finished = signal is None
        scores = self._finish() if finished else {}
        seconds = self.folder.describe().get("wall_seconds", 0.0)
        self.folder.describe(
            status="finished" if finished else "stopped",
            wall_seconds=round(seconds + time.time() - started, 1),
        )
        return Result(
            folder=self.folder,
            model=self.model,
            step=int(self.model.optimizer.iterations.numpy()),
            terms=_last_terms(self.folder),
            scores=scores,
            signal=signal,
        )

    def _settings(self) -> dict[str, Any]:
        """Returns what run.json says of this run."""
        return {
            "seed": self.batches.seed,
            "steps": self.steps,
            "batch_size": self.batches.batch_size,
            "devices": [d.name for d in tf.config.list_logical_devices()],
            "replicas": self.model.distribute_strategy.num_replicas_in_sync,
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "jit_compile": bool(self.model.jit_compile),
            "objective": self.model.objective.name,
            "dataset": type(self.dataset).__name__,
        }

    def _fit(self, first: int, checkpoints: Checkpoints, config: str) -> int | None:
        """Trains from step `first`; returns the signal that stopped it, if any."""
        interval = self.cadence.log
        writer = tf.summary.create_file_writer(str(self.folder.tensorboard))
        with writer.as_default(first):
            if config:
                # Indented by four, Markdown shows it as code.
                text = "\n".join("    " + line for line in config.splitlines())
                tf.summary.text("config.gin", text)
        with self.model.distribute_strategy.scope():
            self.model.load_images = ResidentImages(self.dataset.images())
        stop = duties.StopOnSignal(interval)
        try:
            self.model.fit(
                self.batches.starting_at(first, self.steps),
                epochs=self.steps // interval,
                initial_epoch=first // interval,
                steps_per_epoch=interval,
                callbacks=[*self._duties(first, checkpoints, writer), stop],
                verbose=0,
            )
        finally:
            stop.restore()
            writer.close()
            self.model.load_images = None
        return stop.received

    def _duties(
        self, first: int, checkpoints: Checkpoints, writer: tf.summary.SummaryWriter
    ) -> list[keras.callbacks.Callback]:
        """Returns the callbacks, in the order in which they must act."""
        cadence, interval = self.cadence, self.cadence.log
        images = self.dataset.images()
        painter = Painter(self.model, images[np.sort(self.batches.held_out)[:8]])
        callbacks = [
            duties.FiniteGuard(interval, checkpoints),
            duties.Speed(interval, self.batches.batch_size),
            *self.extras,
            duties.Save(interval, cadence.save, checkpoints),
            duties.Record(interval, self.folder, writer),
            duties.Pictures(interval, cadence.pictures, writer, painter.sheets),
            duties.Progress(interval, first, self.steps),
        ]
        if len(self.batches.held_out):
            held_out = images[np.sort(self.batches.held_out)]
            validation = Validation(self.model, held_out, self.batches.seed)
            best = _best_elbo(self.folder)
            callbacks.insert(
                2,
                duties.Validate(
                    interval, cadence.evaluate, validation, checkpoints, best
                ),
            )
        return callbacks

    def _finish(self) -> dict[str, Any]:
        """Scores the trained model and draws its pictures."""
        scores = score(self.dataset, self.model.represent, self.metrics)
        if scores:
            self.folder.append({"step": self.steps, "scores": as_row(scores)})
        held_out = np.sort(self.batches.held_out)[:8]
        indices = held_out if len(held_out) else np.arange(8)
        painter = Painter(self.model, self.dataset.images()[indices])
        painter.save(self.folder.pictures, notes(self.folder, self.dataset, scores))
        return scores


def train(model: VAE | Callable[..., VAE], dataset: Dataset, **options: Any) -> Result:
    """Trains a model on a data set; `prepare` describes the options."""
    return prepare(model, dataset, **options).run()


def prepare(
    model: VAE | Callable[..., VAE],
    dataset: Dataset,
    *,
    output: str,
    steps: int,
    batch_size: int = 64,
    optimizer: Callable[[], keras.optimizers.Optimizer] | None = None,
    seed: int = 0,
    validation_size: int = 2000,
    with_replacement: bool = False,
    cadence: Cadence | None = None,
    device: Device | None = None,
    metrics: Sequence[Metric] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warm_start: str | None = None,
) -> Experiment:
    """Builds and checks everything that a run will use.

    Args:
        model: A model, or a function (image_shape, seed) -> model. A strategy of
            several devices needs the function, to build the model in its scope.
        dataset: What to train on.
        output: The run folder. A run found there goes on from its last checkpoint.
        steps: Number of optimiser steps in all, a multiple of the cadences' interval.
        batch_size: Images per step, over all devices.
        optimizer: A function that makes the optimiser; None is Adam at 1e-4. Keras's
            optimisers carry schedules (learning_rate=) and clipping (global_clipnorm=).
        seed: Seed of weights, batches and draws.
        validation_size: Images held out for the validation ELBO.
        with_replacement: Draw images with replacement, as the 2019 study did.
        cadence: How often to log, evaluate and save.
        device: Where and how to run.
        metrics: Functions (dataset, represent) -> result, called after training.
        callbacks: Further Keras callbacks.
        warm_start: A run folder whose last weights to start from.

    Raises:
        ArgumentError: If a value has no meaning, or parts do not fit each other.
    """
    cadence = Cadence() if cadence is None else cadence
    device = Device() if device is None else device
    checks.require_type(dataset, Dataset, "dataset", "See protocols.Dataset.")
    steps = checks.integer(steps, "steps", at_least=1)
    training, held_out = split_indices(len(dataset), validation_size, seed)
    batches = Batches(training, held_out, batch_size, seed, with_replacement)
    strategy = device.make_strategy(batch_size)
    with strategy.scope():
        built = _built(model, dataset, seed, strategy)
        built.compile(
            optimizer=_optimizer(optimizer),
            jit_compile=device.jit,
            steps_per_execution=device.steps_per_execution,
        )
        built.optimizer.build(built.trainable_variables)
        if warm_start is not None:
            source = RunFolder.existing(warm_start)
            restore_weights(built, find(source.checkpoints))
    return Experiment(
        model=built,
        dataset=dataset,
        batches=batches,
        folder=RunFolder(output),
        steps=steps,
        cadence=cadence.fitted(steps, device.steps_per_execution),
        extras=tuple(callbacks),
        metrics=tuple(metrics),
    )


def _built(
    model: VAE | Callable[..., VAE],
    dataset: Dataset,
    seed: int,
    strategy: tf.distribute.Strategy,
) -> VAE:
    """Returns the model, built if a function was given, fit for the data."""
    if isinstance(model, keras.Model):
        checks.require(
            strategy.num_replicas_in_sync == 1,
            "model",
            "be a function (image_shape, seed) -> model for several devices",
            type(model).__name__,
            "For example functools.partial(models.vae, objective=...).",
        )
    else:
        model = model(dataset.image_shape, seed)
    checks.require(
        model.image_shape == tuple(dataset.image_shape),
        "model",
        f"take the data's images of shape {tuple(dataset.image_shape)}",
        model.image_shape,
    )
    return model


def _optimizer(
    optimizer: Callable[[], keras.optimizers.Optimizer] | None,
) -> keras.optimizers.Optimizer:
    """Returns the optimiser; made here, so that its variables are in the scope."""
    if optimizer is None:
        return keras.optimizers.Adam(1e-4)
    made = optimizer() if callable(optimizer) else optimizer
    checks.require_type(
        made, keras.optimizers.Optimizer, "optimizer", "Pass a function that makes one."
    )
    return made


def _best_elbo(folder: RunFolder) -> float:
    """Returns the best validation ELBO that the rows know."""
    return max(
        (r.get("validation/elbo", -math.inf) for r in folder.rows()), default=-math.inf
    )


def _last_terms(folder: RunFolder) -> dict[str, Any]:
    """Returns the last training row with the last validation's terms."""
    terms: dict[str, Any] = {}
    for row in folder.rows():
        terms.update({k: v for k, v in row.items() if k != "scores"})
    return terms
