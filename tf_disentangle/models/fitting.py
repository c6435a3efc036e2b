"""Keras's `compile`, `fit` and `evaluate` for models with a loss of their own.

The objective is the loss, so `compile` takes an optimiser and no loss. The logs of each
epoch and what `evaluate` returns have the same names, those of the objective's terms.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import images as entering
from tf_disentangle.models import kernels
from tf_disentangle.models.optimizers import checked_optimizer
from tf_disentangle.models.statistics import TermStatistics

# Folded into the model's seed, to keep training and evaluation apart.
_TRAINING, _EVALUATION = 0, 1


def require_unweighted(weights: Any, argument: str) -> None:
    """Raises `ArgumentError` for weights of images, which the terms do not take."""
    rule = "be None: every image counts the same"
    checks.require(weights is None, argument, rule, weights)


def _refusing_unscaled(method: Callable) -> Callable:
    """Returns a method of Keras that refuses images outside [0, 1] clearly."""

    @functools.wraps(method)
    def refusing(self: FittableModel, *args: Any, **options: Any) -> Any:
        validation = options.get("validation_data")
        pair = validation if isinstance(validation, (tuple, list)) else [validation]
        for data in (*args[:1], options.get("x"), *pair[:1]):
            entering.require_scaled(data)
        for name in ("sample_weight", "class_weight"):
            require_unweighted(options.get(name), name)
        with entering.clear_refusals():
            return method(self, *args, **options)

    return refusing


class FittableModel(keras.Model):
    """A Keras model whose subclass computes its own loss terms.

    The data are images, or pairs (images, anything) of which only the images are used;
    sample weights are refused. Images are uint8, or floats in [0, 1].

    A subclass defines `image_shape`, `row_names`, `train_step` and `held_out_terms`.

    Args:
        seed: Seed of all random numbers, in [0, 2**31). Step t of training folds its
            seed from (seed, t, replica), and batch i of an evaluation from (seed, i,
            replica), so no generator's state needs saving.
        **options: Options of `keras.Model`: `name`, `dtype`.

    Attributes:
        steps: The number of steps done since `compile`, a variable.
        statistics: The running means of the terms.
        load_images: A function that returns the images of a batch, which may be
            indices; None uses batches as they are.
    """

    def __init__(self, seed: int = 0, **options: Any) -> None:
        # Images keep their type whatever the dtype policy: the networks have their own.
        super().__init__(autocast=False, **options)
        self.seed = checks.seed(seed)
        self.load_images: Callable[[tf.Tensor], tf.Tensor] | None = None
        self.steps = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            aggregation="only_first_replica",
            name="steps",
        )
        self._num_examples: int | None = None
        self._counted: int | None = None

    def start_statistics(self) -> None:
        """Makes the statistics, once `row_names` is known."""
        self.statistics = TermStatistics(self.row_names)

    @property
    def row_names(self) -> tuple[str, ...]:
        """The scalars of a step, in the order of the records."""
        raise NotImplementedError

    @property
    def scheduled_names(self) -> tuple[str, ...]:
        """Which of `row_names` are values of schedules; none by default."""
        return ()

    def held_out_terms(
        self, images: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns (scalar terms by name, a number for each latent [L]) of a batch."""
        raise NotImplementedError

    # ---- Steps and examples.

    @property
    def steps_done(self) -> tf.Tensor:
        """Number of training steps done so far, int64 scalar.

        With gradient accumulation, each batch counts as a step, whether or not the
        weights change after it.
        """
        return tf.convert_to_tensor(self.steps.value)

    @property
    def num_examples(self) -> int | None:
        """Number of training images, for terms about the aggregate posterior.

        `fit` sets it where it can find out: from the length of arrays less the
        validation split, or from the cardinality of a tf.data.Dataset and its first and
        last batch, for which it is read through once. A value set by hand is kept.
        """
        return self._num_examples

    @num_examples.setter
    def num_examples(self, value: int | None) -> None:
        if value is not None:
            value = checks.integer(value, "num_examples", at_least=1)
        if value != self._num_examples:
            self._num_examples = value
            self.forget_traces()

    def forget_traces(self) -> None:
        """Drops the compiled functions that hold `num_examples`."""
        self.train_function = self.test_function = None

    # ---- Keras.

    def compile(
        self,
        optimizer: Any = None,
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        **options: Any,
    ) -> None:
        """Takes the optimiser and makes its variables; counts the steps from 0.

        Args:
            optimizer: As Keras takes it, or a function that makes it; None means Adam
                at 1e-4.
            loss: None; the objective is the loss.
            loss_weights: None.
            metrics: None; the terms of the objective are reported.
            **options: Options of `keras.Model.compile`.

        Raises:
            ArgumentError: If a loss or metrics are given, or a setting of the
                optimiser is invalid.
        """
        refused = {"loss": loss, "loss_weights": loss_weights, "metrics": metrics}
        refused["weighted_metrics"] = options.pop("weighted_metrics", None)
        for name, value in refused.items():
            rule = "be None: the model's objective is the loss, and its terms the logs"
            checks.require(value is None, name, rule, value)
        if isinstance(optimizer, (str, dict)):
            optimizer = keras.optimizers.get(optimizer)
        super().compile(optimizer=checked_optimizer(optimizer), **options)
        self.steps.assign(0)
        self.build_optimizers()
        kernels.use_faster_kernels(self.layers, self.optimizers.values())

    def get_compile_config(self) -> dict[str, Any]:
        """Returns what `compile` was given as JSON, and the number of examples."""
        config = super().get_compile_config()
        return {**config, "num_examples": self.num_examples} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles with what `get_compile_config` returned."""
        self.num_examples = self._counted = config.pop("num_examples", None)
        self.compile(**keras.saving.deserialize_keras_object(config))

    @_refusing_unscaled
    @functools.wraps(keras.Model.fit, assigned=())
    def fit(self, *args: Any, **options: Any) -> keras.callbacks.History:
        """Trains as `keras.Model.fit`; sets `num_examples` where it can be known."""
        if self.load_images is None and self.num_examples == self._counted:
            signature = inspect.signature(keras.Model.fit)
            arguments = signature.bind(self, *args, **options).arguments
            if isinstance(arguments.get("x"), Dataset):
                remedy = (
                    "Pass data.images(), or call tf_disentangle.train(model, data)."
                )
                raise checks.ArgumentTypeError(
                    checks.message("x", "be images", arguments["x"], remedy)
                )
            split = arguments.get("validation_split", 0.0)
            if arguments.get("validation_data") is not None:
                split = 0.0
            self._counted = _num_images(arguments.get("x"), split)
            self.num_examples = self._counted
        return super().fit(*args, **options)

    evaluate = _refusing_unscaled(keras.Model.evaluate)
    predict = _refusing_unscaled(keras.Model.predict)
    train_on_batch = _refusing_unscaled(keras.Model.train_on_batch)
    test_on_batch = _refusing_unscaled(keras.Model.test_on_batch)
    predict_on_batch = _refusing_unscaled(keras.Model.predict_on_batch)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Adds the terms of a batch of held-out images, with fixed random numbers."""
        images = self.images_of(data)
        seed = fold(self.seed, _EVALUATION, tf.cast(self.statistics.count, tf.int64))
        terms, _ = self.held_out_terms(images, seed, self.steps_done)
        self.statistics.update_state(terms, tf.shape(images)[0])
        return self.get_metrics_result()

    def images_of(self, data: Any) -> tf.Tensor:
        """Returns the images of what Keras passes to a step.

        Raises:
            ArgumentError: If the images' shape is wrong, or there are sample weights.
        """
        batch, _, weights = keras.utils.unpack_x_y_sample_weight(data)
        require_unweighted(weights, "sample_weight")
        if self.load_images is not None:
            batch = self.load_images(batch)
        return entering.require_batch(batch, self.image_shape)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The statistics that Keras resets at the start of an epoch."""
        return [self.statistics]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        return list(self.row_names)

    def _flatten_metrics_in_order(self, logs: dict[str, Any]) -> list[Any]:
        """Returns `logs` as a list in the order of `metrics_names`, for Keras."""
        return [logs[name] for name in self.row_names]

    # ---- Optimisers.

    @property
    def optimized_variables(self) -> list[keras.Variable]:
        """The variables that `optimizer` moves."""
        return self.trainable_variables

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimisers by the name of their attribute, once compiled."""
        return {"optimizer": self.optimizer}

    def build_optimizers(self) -> None:
        """Makes the optimisers' variables, in the scope in which it is called."""
        if not self.optimizer.built:
            self.optimizer.build(self.optimized_variables)
            self.optimizer.built = True

    # ---- Steps of training.

    def step_seed(self) -> tf.Tensor:
        """Returns the int32 [2] seed of the next training step."""
        return step_seed(self.seed, self.steps_done)

    def _end_step(self, scalars: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Counts a step and adds its scalars; returns the means for the logs."""
        self.steps.assign_add(1)
        self.statistics.update_state(scalars)
        return self.get_metrics_result()


def minimize(
    optimizer: keras.optimizers.Optimizer,
    variables: list[keras.Variable],
    terms: Callable[[], tuple[tf.Tensor, Any]],
    *,
    jit_compile: bool,
) -> Any:
    """Takes one step of an optimiser down a loss.

    Args:
        optimizer: The optimiser.
        variables: The variables that it updates.
        terms: A function that returns (the loss, anything else wanted from that pass).
        jit_compile: Whether the step is compiled by XLA, which has kernels of its own.

    Returns:
        What `terms` returned in addition to the loss, computed before the step.
    """
    with contextlib.nullcontext() if jit_compile else kernels.faster():
        with tf.GradientTape() as tape:
            loss, rest = terms()
            # Gradients are summed over replicas, but their mean is wanted.
            loss = loss / tf.distribute.get_strategy().num_replicas_in_sync
            loss = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(loss, variables), variables)
    return rest


def step_seed(seed: int, step: tf.Tensor) -> tf.Tensor:
    """Returns the int32 [2] seed of one training step on this replica."""
    return fold(seed, _TRAINING, step)


def fold(seed: int, kind: int, index: tf.Tensor) -> tf.Tensor:
    """Returns the int32 [2] seed of one step or batch on this replica."""
    fold_in = tf.random.experimental.stateless_fold_in
    context = tf.distribute.get_replica_context()
    replica = 0 if context is None else context.replica_id_in_sync_group
    per_step = fold_in(tf.constant([seed, kind], tf.int32), index)
    return fold_in(per_step, replica)


def _num_images(data: Any, validation_split: float) -> int | None:
    """Returns how many images an epoch of `fit` has; None if that is not known.

    Args:
        data: The `x` of `fit`.
        validation_split: The part of an array that Keras sets aside.
    """
    if isinstance(data, np.ndarray) or tf.is_tensor(data):
        return math.floor(len(data) * (1.0 - validation_split)) or None
    if not isinstance(data, tf.data.Dataset):
        return None
    num_batches = int(data.cardinality())
    if num_batches <= 0:  # endless, unknown or empty
        return None
    first = keras.tree.flatten(next(iter(data)))[0]
    if not first.shape.rank:
        return None
    last, size = first, keras.tree.flatten(data.element_spec)[0].shape[:1]
    if num_batches > 1 and size.as_list() in (None, [None]):  # It may be shorter.
        last = keras.tree.flatten(next(iter(data.skip(num_batches - 1))))[0]
    return len(first) * (num_batches - 1) + len(last)
