"""A critic that is trained beside the model that it criticises, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.models.base import per_replica
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


class WithCritic:
    """What a model with a critic has beside; stands before the model's class.

    Attributes:
        critic: The network.
        critic_training: How it is trained.
        critic_optimizer: Moves the critic, and nothing else does.
    """

    def take_critic(self, critic: keras.Model, training: CriticTraining) -> None:
        """Keeps the critic and makes its optimiser."""
        self.critic, self.critic_training = critic, training
        self.critic_optimizer = training.make_optimizer()

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """What is trained, by the name of its attribute."""
        return {**super().parts, "critic": self.critic}

    @property
    def descended(self) -> list[keras.Variable]:
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
        self.critic_optimizer.build(self.critic.trainable_variables)

    def move_critic(self, terms: Callable[[], dict[str, tf.Tensor]]) -> dict:
        """Moves the critic down "critic_loss" of the terms; returns them as before."""
        with tf.GradientTape() as tape:
            before = terms()
            loss = per_replica(before["critic_loss"])
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(loss, variables), variables)
        return before
