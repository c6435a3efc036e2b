"""A critic that is trained beside the model that it criticises, and how."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Self

import keras
import tensorflow as tf

from tf_disentangle import checks, configs
from tf_disentangle.models import serialization
from tf_disentangle.models.fitting import minimize
from tf_disentangle.models.optimizers import checked_optimizer


@dataclasses.dataclass(frozen=True)
class CriticTraining:
    """How a critic is trained beside the model.

    Attributes:
        updates: Its steps for each step of the model, at least 1.
        second_batch: Of FactorVAE: whether the codes to be permuted are those of
            further images, as many as the batch has, which a step then encodes too.
        optimizer: A function that makes its optimiser; None is Adam at 1e-4 with
            betas 0.5 and 0.9. A schedule of its rate counts the critic's own updates.
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
        chosen = self.optimizer or (lambda: default(1e-4, beta_1=0.5, beta_2=0.9))
        return checked_optimizer(chosen, prefix="critic.")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments as JSON, the optimiser by what it makes."""
        made = keras.saving.serialize_keras_object(self.make_optimizer())
        del made["config"]["name"]  # Keras numbers it.
        return {
            "updates": self.updates,
            "second_batch": self.second_batch,
            "optimizer": {"keras": made},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns the settings of this config."""
        make = functools.partial(serialization.deserialize, config["optimizer"])
        return cls(config["updates"], config["second_batch"], make)


class WithCritic:
    """What a model with a critic has beside; stands before the model's class.

    Attributes:
        critic: The network.
        critic_training: How it is trained.
        critic_optimizer: Moves the critic, and nothing else does; `compile` makes it.
    """

    def take_critic(self, critic: keras.Model, training: CriticTraining) -> None:
        """Keeps the critic and makes its optimiser."""
        self.critic, self.critic_training = critic, training
        self._make_critic_optimizer()

    def _make_critic_optimizer(self) -> None:
        made = self.critic_training.make_optimizer()
        scales = isinstance(made, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not scales:
            made = keras.optimizers.LossScaleOptimizer(made)  # as `compile` does
        self.critic_optimizer = made

    def compile(self, *args: Any, **options: Any) -> None:
        """Compiles the model; the critic's optimiser starts anew too."""
        if self.critic_optimizer.built:
            self._make_critic_optimizer()
        super().compile(*args, **options)

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """What is trained, by the name of its attribute."""
        return {**super().parts, "critic": self.critic}

    @property
    def optimized_variables(self) -> list[keras.Variable]:
        """The variables that `optimizer` moves: all but the critic's."""
        parts = [part for name, part in self.parts.items() if name != "critic"]
        return [v for part in parts for v in part.trainable_variables]

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimisers by the name of their attribute, once compiled."""
        return {**super().optimizers, "critic_optimizer": self.critic_optimizer}

    def build_optimizers(self) -> None:
        """Makes both optimisers' variables, in the scope in which it is called."""
        super().build_optimizers()
        if self.critic_optimizer.built:
            return
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.critic_optimizer.built = True
        # Keras ends `fit` by this call, of one optimiser: weight averages become the
        # weights.
        finalize = self.optimizer.finalize_variable_values

        def finalize_both(variables: list[keras.Variable]) -> None:
            finalize(variables)
            of_critic = self.critic.trainable_variables
            self.critic_optimizer.finalize_variable_values(of_critic)

        self.optimizer.finalize_variable_values = finalize_both

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor as JSON."""
        return {
            **super().get_config(),
            "critic": serialization.serialize_network(self.critic),
            "critic_training": serialization.serialize(self.critic_training),
        }

    def get_build_config(self) -> None:
        """Returns None, after checking that the model can be made again.

        Raises:
            CannotRebuildError: If a network cannot, or critic and encoder share layers:
                each is saved by itself, and they would not share them afterwards.
        """
        super().get_build_config()
        of_critic = {id(v) for v in self.critic.variables}
        if any(id(v) in of_critic for v in self.encoder.variables):
            reason = (
                "its encoder and critic share layers; save the weights alone with "
                "save_weights"
            )
            raise configs.CannotRebuildError(type(self).__name__, reason)

    def batches_of(self, images: tf.Tensor) -> list[tf.Tensor]:
        """Returns a batch of images in `batches_per_step` parts of one size.

        What is left over is left out; of too few images some are taken again.
        """
        parts = self.batches_per_step
        known = images.shape[0]
        if parts > 1 and (known is None or known % parts):
            count = tf.shape(images)[0]
            size = tf.maximum(count // parts, 1)
            images = tf.gather(images, tf.range(parts * size) % count)
        return tf.split(images, parts)

    def update_critic(self, terms: Callable[[], dict[str, tf.Tensor]]) -> dict:
        """Takes a step of the critic down "critic_loss" of the terms.

        Returns:
            The terms of before it.
        """

        def loss_first() -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            found = terms()
            return found["critic_loss"], found

        variables = self.critic.trainable_variables
        return minimize(self.critic_optimizer, variables, loss_first)
