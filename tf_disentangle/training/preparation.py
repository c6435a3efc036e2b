"""Builds and checks a run: everything that can fail does so before the first step."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.models.optimizers import checked_optimizer
from tf_disentangle.training.checkpoints import find, has_any, restore_weights
from tf_disentangle.training.description import describe
from tf_disentangle.training.input_pipeline import (
    Batches,
    default_validation_size,
    images_at,
    split_indices,
)
from tf_disentangle.training.loop import NUM_DIAGNOSED, TrainingLoop
from tf_disentangle.training.options import Device, Intervals
from tf_disentangle.training.run_folder import RunFolder
from tf_disentangle.training.user_callbacks import check_callbacks, check_monitors


def prepare(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
    *,
    steps: int,
    output: str | os.PathLike | None,
    batch_size: int,
    optimizer: Callable[[], keras.optimizers.Optimizer] | None,
    seed: int,
    validation_size: int | None,
    with_replacement: bool,
    intervals: Intervals | None,
    device: Device | None,
    metrics: Sequence[str | Callable[..., Any]],
    callbacks: Sequence[keras.callbacks.Callback],
    warm_start: str | os.PathLike | None,
) -> TrainingLoop:
    """Builds and checks everything that a run will use; writes nothing.

    The arguments are those of `tf_disentangle.train`.

    Raises:
        ArgumentError: If a value has no meaning, or parts do not fit each other.
        ArgumentTypeError: If a value has another type.
    """
    intervals = Intervals() if intervals is None else intervals
    device = Device() if device is None else device
    _check_types(model, data, intervals, device)
    callbacks = check_callbacks(callbacks, has_folder=output is not None)
    checks.require_type(metrics, (list, tuple), "metrics", "Put it in a list: [...]")
    _check_numbers(steps, seed, with_replacement)
    folder = None if output is None else _checked_folder(output)
    # A run that goes on has weights of its own, and its source may be gone.
    goes_on = folder is not None and has_any(folder.checkpoints)
    source = None if goes_on else _source(warm_start)
    split = split_indices(len(data), _held_out_size(validation_size, data), seed)
    batches = Batches(*split, batch_size, seed, with_replacement)
    old = folder if goes_on else None
    built = _compiled(model, data, batches, optimizer, device, old)
    if source is not None:
        with built.distribute_strategy.scope():
            restore_weights(built, find(source.checkpoints))
    intervals = intervals.fitted(steps, device.steps_per_execution)
    _check_monitors(callbacks, built, data, batches, intervals)
    record = describe(
        built,
        data,
        batches,
        intervals,
        device,
        steps=steps,
        metrics=list(metrics),
        callbacks=[type(callback).__name__ for callback in callbacks],
        warm_start=warm_start,
    )
    return TrainingLoop(
        built,
        data,
        batches,
        folder,
        steps,
        intervals,
        record,
        callbacks=callbacks,
        metrics=tuple(metrics),
        resident=device.resident,
    )


def _checked_folder(output: str | os.PathLike) -> RunFolder:
    """Returns the run folder, which is new or holds a run."""
    folder = RunFolder(output)
    folder.check()
    return folder


def _held_out_size(size: int | None, data: Dataset) -> int:
    """Returns how many images are held out: the default fits the data."""
    return default_validation_size(len(data)) if size is None else size


def _compiled(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
    batches: Batches,
    optimizer: Callable[[], keras.optimizers.Optimizer] | None,
    device: Device,
    run: RunFolder | None,
) -> LatentModel:
    """Returns the model with its optimisers; as in the run that goes on, if any."""
    strategy = device.make_strategy(batches.batch_size)
    with strategy.scope():
        built = _built(model, data, batches, strategy)
        built.num_examples = len(batches.training)
        built.compile(
            optimizer=checked_optimizer(optimizer),
            jit_compile=_jit(device, run),
            steps_per_execution=device.steps_per_execution,
        )
        built.build_optimizers()
        _check_averages(built.optimizers)
    return built


def _check_numbers(steps: Any, seed: Any, with_replacement: Any) -> None:
    """Checks what is a number or a switch by itself."""
    checks.integer(steps, "steps", at_least=1)
    checks.require(steps < 2**53, "steps", "be less than 2**53", steps)
    checks.integer(seed, "seed", at_least=0)
    checks.require(seed < 2**31, "seed", "be less than 2**31", seed)
    checks.require_type(with_replacement, bool, "with_replacement")


def _jit(device: Device, run: RunFolder | None) -> bool:
    """Returns whether steps are compiled: as in the run that goes on, if none is said.

    The default depends on the machine, and a run may go on on another one.
    """
    if run is None or device.jit_compile is not None:
        return device.jit
    return bool(run.describe().get("training", {}).get("jit_compile", device.jit))


def _check_types(model: Any, data: Any, intervals: Any, device: Any) -> None:
    """Checks the types of what a run is made of."""
    remedy = f"Pass an object: {data.__name__}()." if isinstance(data, type) else ""
    is_set = isinstance(data, Dataset) and not isinstance(data, type)
    checks.require(is_set, "data", "be a data set (datasets.Dataset)", data, remedy)
    for name, value, kind in (
        ("intervals", intervals, Intervals),
        ("device", device, Device),
    ):
        remedy = f"Pass {kind.__name__}()." if isinstance(value, type) else ""
        checks.require_type(value, kind, name, remedy)
    rule = "be a model or a function (image_shape, seed) -> model"
    fits = isinstance(model, keras.Model) or checks.accepts(model, (64, 64, 1), 0)
    remedy = "For example models.build_vae, or a functools.partial of it."
    checks.require(fits, "model", rule, model, remedy)


def _source(run: Any) -> RunFolder | None:
    """Returns the run whose weights to start from, if one is given."""
    if run is None:
        return None
    checks.require_type(run, (str, os.PathLike), "warm_start")
    rule = "be the folder of a run (with run.json)"
    is_run = RunFolder(run).description.exists()
    checks.require(is_run, "warm_start", rule, str(run))
    return RunFolder.existing(run)


def _check_averages(optimizers: Mapping[str, keras.optimizers.Optimizer]) -> None:
    """Refuses averages of weights, of which checkpoints could not be true."""
    for name, optimizer in optimizers.items():
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        checks.require(
            not inner.use_ema,
            f"{name}.use_ema",
            "be False: Keras takes the averages for weights only at the end of a "
            "training, so that scores and checkpoints before it would be of other "
            "weights",
            True,
            "A learning rate that falls to zero, such as "
            "keras.optimizers.schedules.CosineDecay, averages over the last steps too.",
        )


def _check_monitors(
    callbacks: Sequence[keras.callbacks.Callback],
    model: LatentModel,
    data: Dataset,
    batches: Batches,
    intervals: Intervals,
) -> None:
    """Checks what callbacks monitor against the names that `logs` will have."""
    monitors = {getattr(callback, "monitor", None) for callback in callbacks}
    names = [*model.row_names, "images_per_second", "learning_rate"]
    remedy = "Hold images out by validation_size for those with val_."
    if len(batches.held_out) and intervals.evaluate:
        remedy = ""
        names += [f"val_{name}" for name in model.row_names]
        if not monitors <= {None, *names}:  # It may be a diagnostic.
            few = images_at(data.images(), batches.held_out[:NUM_DIAGNOSED])
            diagnostics = model.diagnostics(few, batches.seed)
            names += [f"val_{name}" for name in diagnostics]
    check_monitors(callbacks, names, remedy)


def _built(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
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
        model = model(data.image_shape, batches.seed)
    rule = "be a model of this library, or a function that makes one"
    checks.require(isinstance(model, LatentModel), "model", rule, model)
    checks.require(
        model.image_shape == tuple(data.image_shape),
        "model",
        f"take the data's images of shape {tuple(data.image_shape)}",
        model.image_shape,
    )
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
        f"Raise batch_size to {least * devices} or more.",
    )
    each, images = model.batches_per_step, len(batches.training)
    checks.require(
        each * batch_size <= images,
        "batch_size",
        f"be at most a part in {each} of the {images} training images, for this model "
        "takes as many batches a step",
        batch_size,
        "Lower batch_size, or CriticTraining.updates of a GAN, or set "
        "CriticTraining.second_batch = False.",
    )
