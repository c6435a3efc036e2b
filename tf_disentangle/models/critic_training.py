"""A critic that is trained alongside a model, and the settings of its training."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Self

import keras
import tensorflow as tf

from tf_disentangle import checks, configs
from tf_disentangle.models import wiring
from tf_disentangle.models.base import LatentModel, network_config
from tf_disentangle.models.fitting import minimize
from tf_disentangle.models.optimizers import checked_optimizer


@dataclasses.dataclass(frozen=True)
class CriticTraining:
    """How a critic is trained alongside the model.

    Attributes:
        updates: Steps of the critic for each step of the model, at least 1. They also
            update InfoGAN's recognition network if it shares trained layers with the
            critic.
        second_batch: For FactorVAE: whether the codes that are permuted come from a
            second batch of the same size, which each step then encodes as well.
        optimizer: A function that makes the critic's optimiser; None means Adam at 1e-4
            with betas 0.5 and 0.9. A schedule of its learning rate counts the
            critic's own updates.
    """

    updates: int = 5
    second_batch: bool = False
    optimizer: Callable[[], keras.optimizers.Optimizer] | None = None

    def __post_init__(self) -> None:
        """Checks the arguments but for the optimiser, which is checked when made."""
        checks.integer(self.updates, "updates", at_least=1)
        checks.require_type(self.second_batch, bool, "second_batch")

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the optimiser, made in the scope in which this is called."""
        default = keras.optimizers.Adam
        make = self.optimizer or (lambda: default(1e-4, beta_1=0.5, beta_2=0.9))
        return checked_optimizer(make, prefix="critic.")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments as JSON, the optimiser as the one that is made."""
        made = keras.saving.serialize_keras_object(self.make_optimizer())
        del made["config"]["name"]  # Keras numbers it.
        return {
            "updates": self.updates,
            "second_batch": self.second_batch,
            "optimizer": {"keras": made},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns the settings of this config.

        Raises:
            CannotRebuildError: If the optimiser is one that only its user can make.
            ArgumentTypeError: If it is not an optimiser.
        """
        # Now, while the names that a record may use are restricted; from a copy, since
        # Keras empties what it reads.
        made = configs.deserialize(copy.deepcopy(config["optimizer"]))
        checks.require_type(made, keras.optimizers.Optimizer, "optimizer")
        settings = made.get_config()
        del settings["name"]  # Keras numbers it.

        def make() -> keras.optimizers.Optimizer:
            return type(made).from_config(copy.deepcopy(settings))

        return cls(config["updates"], config["second_batch"], make)


class WithCritic(LatentModel):
    """A mixin for models with a critic; list it before the model's class.

    Attributes:
        critic: The network. It may share layers with the encoder.
        critic_training: How it is trained.
        critic_optimizer: Updates `critic_variables`; made by `compile`.
    """

    def _take_critic(
        self,
        critic: keras.Model,
        training: CriticTraining | None,
        example: tuple[int, ...],
        rule: str,
    ) -> None:
        """Keeps the critic and makes its optimiser.

        Args:
            critic: The network.
            training: How it is trained; None means five updates per step.
            example: The shape of one example that it must take.
            rule: The same in words, for the error.

        Raises:
            ArgumentError: If the critic takes something else, or does not emit one
                number.
            ArgumentTypeError: If it is not a model.
        """
        checks.require_type(critic, keras.Model, "critic")
        taken = wiring.input_shape(critic) or example
        shapes = (taken, wiring.one_output(critic, taken, "critic"))
        checks.require(shapes == (example, (1,)), "critic", rule, shapes)
        wiring.require_no_losses(critic, "critic")
        self.critic = critic
        self.critic_training = CriticTraining() if training is None else training
        self._make_critic_optimizer()

    def _make_critic_optimizer(self) -> None:
        made = self.critic_training.make_optimizer()
        scales = isinstance(made, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not scales:
            made = keras.optimizers.LossScaleOptimizer(made)  # as `compile` does
        self.critic_optimizer = made

    def compile(self, *args: Any, **options: Any) -> None:
        """Compiles the model; the critic's optimiser starts afresh too."""
        if self.critic_optimizer.built:
            self._make_critic_optimizer()
        super().compile(*args, **options)

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The parts that are trained, by the names of their attributes."""
        return {**super().parts, "critic": self.critic}

    @property
    def shares_layers(self) -> bool:
        """Whether encoder and critic have layers in common."""
        of_critic = {id(v) for v in self.critic.variables}
        return any(id(v) in of_critic for v in self.encoder.variables)

    # The name `pair` sorts after "critic" and "encoder": Keras files weights under the
    # first attribute, in order of name, that leads to them.
    @functools.cached_property
    def pair(self) -> keras.Model | None:
        """Encoder and critic as one model, if they share layers and can be one.

        Its outputs are the encoder's and then the critic's.
        """
        if not self.shares_layers:
            return None
        try:
            outputs = [*self.encoder.outputs, *self.critic.outputs]
            return keras.Model(self.encoder.inputs, outputs, name="encoder_and_critic")
        except (AttributeError, ValueError):  # not functional, or of equal names
            return None

    @property
    def critic_variables(self) -> list[keras.Variable]:
        """The variables that `critic_optimizer` updates."""
        return list(self.critic.trainable_variables)

    @property
    def optimized_variables(self) -> list[keras.Variable]:
        """The variables that `optimizer` updates: all others."""
        of_critic = {id(v) for v in self.critic_variables}
        return [v for v in super().optimized_variables if id(v) not in of_critic]

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimisers by the name of their attribute, once compiled."""
        return {**super().optimizers, "critic_optimizer": self.critic_optimizer}

    def build_optimizers(self) -> None:
        """Makes both optimisers' variables, in the scope in which it is called."""
        super().build_optimizers()
        if self.critic_optimizer.built:
            return
        self.critic_optimizer.build(self.critic_variables)
        self.critic_optimizer.built = True
        # Keras ends `fit` by calling this for one optimiser and all variables, which
        # turns weight averages into the weights.
        finalize = self.optimizer.finalize_variable_values

        def finalize_both(_: list[keras.Variable]) -> None:
            finalize(self.optimized_variables)
            self.critic_optimizer.finalize_variable_values(self.critic_variables)

        self.optimizer.finalize_variable_values = finalize_both

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor as JSON.

        A critic that shares layers with the encoder is part of the encoder's config,
        and "critic" is None, so that the two share layers in a copy too.
        """
        config = super().get_config()
        config["critic"] = network_config(self.critic)
        config["critic_training"] = configs.serialize(self.critic_training)
        if self.shares_layers:
            config["critic"] = None
            config["encoder"] = (
                {"class_name": "An encoder and a critic that share layers"}
                if self.pair is None
                else network_config(self.pair)
            )
        return config

    def get_build_config(self) -> None:
        """Returns None, as `LatentModel` does.

        Raises:
            CannotRebuildError: Also if encoder and critic share layers and cannot be
                one model.
        """
        if self.shares_layers and self.pair is None:
            what = "A model whose encoder and critic share layers"
            reason = (
                "Keras cannot make one model of the two; build both with keras.Model "
                "from one keras.Input and name their layers differently, or save the "
                "weights alone with save_weights"
            )
            raise configs.CannotRebuildError(what, reason)
        super().get_build_config()

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns a model of this config, with initial weights.

        Raises:
            CannotRebuildError: If it holds an object that only its user can make.
        """
        parts = configs.deserialize(copy.deepcopy(dict(config)))
        if parts["critic"] is None:
            both = parts["encoder"]
            *heads, output = both.outputs
            outputs = heads if len(heads) > 1 else heads[0]
            parts["encoder"] = keras.Model(both.inputs[0], outputs)
            parts["critic"] = keras.Model(both.inputs[0], output)
        return cls(**parts)

    def batches_of(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Returns a batch of images in `batches_per_step` parts of equal size.

        Images that are left over are dropped; if there are too few, some are reused.
        """
        parts = self.batches_per_step
        size = images.shape[0]
        if parts > 1 and (size is None or size % parts):
            count = tf.shape(images)[0]
            size = tf.maximum(count // parts, 1)
            images = tf.gather(images, tf.range(parts * size) % count)
        return tf.split(images, parts)

    def update_critic(
        self, terms: Callable[[], tuple[tf.Tensor, dict[str, tf.Tensor]]]
    ) -> dict[str, tf.Tensor]:
        """Takes a step of the critic.

        Args:
            terms: A function that returns (the loss, values to record from that pass).

        Returns:
            The values to record, computed before the step.
        """
        variables, jit = self.critic_variables, self.jit_compile
        return minimize(self.critic_optimizer, variables, terms, jit_compile=jit)
