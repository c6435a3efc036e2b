"""Builds and checks a run: everything that can fail does so before the first step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.models.optimizers import checked_optimizer
from tf_disentangle.training.batches import Batches
from tf_disentangle.training.checkpoints import find, has_any, restore_weights
from tf_disentangle.training.experiment import Experiment, Result
from tf_disentangle.training.input_pipeline import split_indices
from tf_disentangle.training.memory import require_memory
from tf_disentangle.training.options import Device, Intervals
from tf_disentangle.training.run_folder import RunFolder
from tf_disentangle.training.scores import Metric

_PARENTHESES = "In gin, write @Name() with its parentheses."
_NO_PARENTHESES = "In gin, write @name without parentheses."


def train(
    model: LatentModel | Callable[..., LatentModel], data: Dataset, **options: Any
) -> Result:
    """Trains a model on a data set, scores it and draws it.

    Args:
        model: A model, or a function (image_shape, seed) -> model.
        data: What to train on.
        **options: `output` and `steps` at least; `prepare` describes them all.

    Returns:
        The trained model with its run folder, last terms and scores.

    Raises:
        ArgumentError: If a value has no meaning, or parts do not fit each other.
        NonFiniteError: If a loss term became NaN or infinite.
    """
    return prepare(model, data, **options).run()


def prepare(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
    *,
    output: str,
    steps: int,
    batch_size: int = 64,
    optimizer: Callable[[], keras.optimizers.Optimizer] | None = None,
    seed: int = 0,
    validation_size: int = 2000,
    with_replacement: bool = False,
    intervals: Intervals | None = None,
    device: Device | None = None,
    metrics: Sequence[Metric] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    warm_start: str | None = None,
) -> Experiment:
    """Builds and checks everything that a run will use.

    Args:
        model: A model, or a function (image_shape, seed) -> model. A strategy of
            several devices needs the function, to build the model in its scope. A
            model that was trained before starts from the weights it has.
        data: What to train on.
        output: The run folder. A run found there goes on from its last checkpoint.
        steps: Number of optimiser steps in all, a multiple of the intervals' interval.
        batch_size: Images per step, over all devices.
        optimizer: A function that makes the optimiser; None is Adam at 1e-4. Keras's
            optimisers carry schedules (learning_rate=) and clipping (global_clipnorm=).
        seed: Seed of weights, batches and draws.
        validation_size: Images held out for the validation ELBO.
        with_replacement: Draw images with replacement, as the 2019 study did.
        intervals: How often to log, evaluate and save.
        device: Where and how to run.
        metrics: Functions (data, encode) -> result, called after training.
        callbacks: Further Keras callbacks.
        warm_start: A run folder whose last weights to start from.

    Raises:
        ArgumentError: If a value has no meaning, or parts do not fit each other.
    """
    intervals = Intervals() if intervals is None else intervals
    device = Device() if device is None else device
    _check_types(model, data, intervals, device)
    callbacks = _callbacks(callbacks)
    metrics = _metrics(metrics, data)
    steps = checks.integer(steps, "steps", at_least=1)
    checks.require(steps < 2**53, "steps", "be less than 2**53", steps)
    seed = checks.integer(seed, "seed", at_least=0)
    checks.require(seed < 2**31, "seed", "be less than 2**31", seed)
    validation_size = checks.integer(validation_size, "validation_size", at_least=0)
    checks.require_type(with_replacement, bool, "with_replacement")
    # A run that goes on has weights of its own, and its source may be gone.
    goes_on = has_any(RunFolder(output).checkpoints)
    source = None if goes_on else _source(warm_start)
    training, held_out = split_indices(len(data), validation_size, seed)
    batches = Batches(training, held_out, batch_size, seed, with_replacement)
    strategy = device.make_strategy(batch_size)
    with strategy.scope():
        built = _built(model, data, batches, strategy)
        built.num_examples = len(training)
        built.compile(
            optimizer=checked_optimizer(optimizer),
            jit_compile=_jit(device, RunFolder(output) if goes_on else None),
            steps_per_execution=device.steps_per_execution,
        )
        built.build_optimizers()
        if not tf.config.list_physical_devices("GPU"):
            require_memory(built, batch_size)
        if source is not None:
            restore_weights(built, find(source.checkpoints))
    return Experiment(
        model=built,
        dataset=data,
        batches=batches,
        folder=RunFolder(output),
        steps=steps,
        intervals=intervals.fitted(steps, device.steps_per_execution),
        extras=callbacks,
        metrics=metrics,
        resident=device.resident,
    )


def _jit(device: Device, run: RunFolder | None) -> bool:
    """Returns whether steps are compiled: as in the run that goes on, if none is said.

    The default depends on the machine, and a run may go on on another one.
    """
    if run is None or device.jit_compile is not None:
        return device.jit
    return bool(run.describe().get("jit_compile", device.jit))


def _check_types(model: Any, dataset: Any, intervals: Any, device: Any) -> None:
    """Checks what a gin file binds by reference: parentheses are easily forgotten."""
    rule = "be a data set (interfaces.Dataset)"
    is_set = isinstance(dataset, Dataset) and not isinstance(dataset, type)
    checks.require(is_set, "dataset", rule, dataset, _PARENTHESES)
    checks.require_type(intervals, Intervals, "intervals", _PARENTHESES)
    checks.require_type(device, Device, "device", _PARENTHESES)
    rule = "be a model or a function (image_shape, seed) -> model"
    fits = isinstance(model, keras.Model) or checks.accepts(model, (64, 64, 1), 0)
    checks.require(fits, "model", rule, model, "In gin: @build_vae")


def _source(run: Any) -> RunFolder | None:
    """Returns the run whose weights to start from, if one is given."""
    if run is None:
        return None
    checks.require_type(run, (str, os.PathLike), "warm_start")
    rule = "be the folder of a run (with run.json)"
    there = RunFolder(run).description.exists()
    checks.require(there, "warm_start", rule, str(run))
    return RunFolder.existing(run)


def _callbacks(callbacks: Any) -> tuple[keras.callbacks.Callback, ...]:
    """Returns the callbacks, checked."""
    for callback in _listed(callbacks, "callbacks"):
        checks.require_type(
            callback, keras.callbacks.Callback, "callbacks", _PARENTHESES
        )
    return tuple(callbacks)


def _metrics(metrics: Any, dataset: Dataset) -> tuple[Metric, ...]:
    """Returns the metrics, checked."""
    for metric in _listed(metrics, "metrics"):
        rule = "be functions (dataset, encode)"
        fits = checks.accepts(metric, dataset, None)
        checks.require(fits, "metrics", rule, metric, _NO_PARENTHESES)
    return tuple(metrics)


def _listed(items: Any, argument: str) -> tuple:
    """Returns `items` as a tuple, refusing a lone one."""
    checks.require_type(items, (list, tuple), argument, "Put it in a list: [...]")
    return tuple(items)


def _built(
    model: LatentModel | Callable[..., LatentModel],
    dataset: Dataset,
    batches: Batches,
    strategy: tf.distribute.Strategy,
) -> LatentModel:
    """Returns the model, built if a function was given, fit for data and batches."""
    if isinstance(model, keras.Model):
        checks.require(
            strategy.num_replicas_in_sync == 1,
            "model",
            "be a function (image_shape, seed) -> model for several devices",
            type(model).__name__,
            "For example functools.partial(models.build_vae, objective=...).",
        )
    else:
        model = model(dataset.image_shape, batches.seed)
        rule = "make a model"
        checks.require(isinstance(model, keras.Model), "model", rule, model)
    checks.require(
        model.image_shape == tuple(dataset.image_shape),
        "model",
        f"take the data's images of shape {tuple(dataset.image_shape)}",
        model.image_shape,
    )
    _check_decoder(model)
    _check_batch(model, batches, strategy.num_replicas_in_sync)
    return model


def _check_batch(model: LatentModel, batches: Batches, devices: int) -> None:
    """Checks that the images are enough for a step, and each device's for penalties."""
    least, batch_size = model.objective.min_batch_size, batches.batch_size
    checks.require(
        batch_size // devices >= least,
        "batch_size",
        f"give each device at least {least} images, for the penalties of "
        f"{model.objective.name}",
        batch_size,
        f"Raise train.batch_size to {least * devices} or more.",
    )
    each, images = model.batches_per_step, len(batches.training)
    checks.require(
        each * batch_size <= images,
        "batch_size",
        f"be at most a part in {each} of the {images} training images, for this model "
        "takes as many batches a step",
        batch_size,
        "Lower train.batch_size, or CriticTraining.updates of a GAN, or set "
        "CriticTraining.second_batch = False.",
    )


def _check_decoder(model: LatentModel) -> None:
    """Checks that the decoder makes images, of which pictures are made at the end."""
    made, wanted = tuple(model.decoder.output_shape[1:3]), model.image_shape[:2]
    rule = f"emit images of height and width {wanted}"
    checks.require(made == wanted, "decoder", rule, made)
