"""Checks the parts of a run and prepares its model, all before the first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.models.optimizers import checked_optimizer
from tf_disentangle.training.checkpoints import has_any
from tf_disentangle.training.input_pipeline import Batches
from tf_disentangle.training.options import Device, Intervals
from tf_disentangle.training.run_folder import RunFolder


def check_types(
    model: Any, data: Any, intervals: Any, device: Any, metrics: Any
) -> None:
    """Checks the types of what a run is made of."""
    remedy = f"Pass an object: {data.__name__}()." if isinstance(data, type) else ""
    if isinstance(data, np.ndarray):
        remedy = "Make one of the array: datasets.ImageTable(images)."
    elif isinstance(model, Dataset):
        remedy = "The model comes first: train(model, data, steps=...)."
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
    checks.require_type(metrics, (list, tuple), "metrics", "Put it in a list: [...]")


def check_numbers(steps: Any, seed: Any, with_replacement: Any) -> None:
    """Checks numbers and switches, each by itself."""
    checks.integer(steps, "steps", at_least=1)
    checks.require(steps < 2**53, "steps", "be less than 2**53", steps)
    checks.seed(seed)
    checks.require_type(with_replacement, bool, "with_replacement")


def check_length(data: Dataset | None, num_images: int) -> None:
    """Checks that a data set, if there is one, has as many images as the run's."""
    length = num_images if data is None else len(data)
    rule = f"have the {num_images} images of the run"
    checks.require(length == num_images, "data", rule, length)


def compiled(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
    batches: Batches,
    optimizer: Callable[[], keras.optimizers.Optimizer] | None,
    device: Device,
    folder: RunFolder | None,
    warm_start: Callable[[], RunFolder] | None,
) -> LatentModel:
    """Returns the model with its optimisers, and with the weights to start from.

    A resumed run has weights of its own, and the source of its warm start may be gone.
    It compiles steps as it did before, since the default depends on the machine.

    Args:
        model: As for `train`, like the other arguments.
        data: The data set, whose images give the shape.
        batches: The batches, which must be large enough for the objective.
        optimizer: The function that makes the optimiser.
        device: Says how steps are compiled.
        folder: Where the run is, None for a run in memory.
        warm_start: Opens the folder whose weights to start from.

    Raises:
        ArgumentError: If model, data, batches and device do not fit each other, or the
            weights to start from are not those of a run of such a model.
    """
    goes_on = folder is not None and has_any(folder.checkpoints)
    source = None if warm_start is None or goes_on else warm_start()
    jit = device.jit
    if goes_on and device.jit_compile is None:
        jit = bool(folder.describe().get("training", {}).get("jit_compile", jit))
    strategy = device.make_strategy(batches.batch_size)
    with strategy.scope():
        built = _built(model, data, batches, strategy)
        built.num_examples = len(batches.training)
        built.compile(
            optimizer=checked_optimizer(optimizer),
            jit_compile=jit,
            steps_per_execution=device.steps_per_execution,
        )
        built.build_optimizers()
        for name, used in built.optimizers.items():
            _check_no_averages(name, used)
        if source is not None:
            source.restore(built)
    return built


def _check_no_averages(name: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuses averages of weights, which checkpoints would not record truthfully."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    checks.require(
        not inner.use_ema,
        f"{name}.use_ema",
        "be False: Keras replaces the weights by their averages only when training "
        "ends, so earlier scores and checkpoints would be of other weights",
        True,
        "A learning rate that falls to zero, such as "
        "keras.optimizers.schedules.CosineDecay, averages over the last steps too.",
    )


def _built(
    model: LatentModel | Callable[..., LatentModel],
    data: Dataset,
    batches: Batches,
    strategy: tf.distribute.Strategy,
) -> LatentModel:
    """Returns the model, built if it was a function, that fits data and batches."""
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
    """Checks that there are images enough for a step, and per device for penalties."""
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
        f"be at most {images // each}, since each step takes {each} x batch_size of "
        f"the {images} training images",
        batch_size,
        "Lower batch_size, or CriticTraining.updates of a GAN, or set "
        "CriticTraining.second_batch = False; or train on more images.",
    )
