"""FactorVAE: a VAE with a latent critic, for any objective that needs one.

One step is simultaneous gradient descent (Kim & Mnih, section 3). Both sides are
updated from their current weights, after one pass through the encoder:

    1. the encoder gives q(z|x); a sample z is decoded and shown to the critic;
    2. encoder, decoder and latents take a step on the objective, with the critic fixed;
    3. the critic takes `updates` steps on its own loss, with z fixed: the codes are the
       same, and are permuted anew each time.

References:
    Kim & Mnih, "Disentangling by Factorising", ICML 2018, arXiv:1802.05983. The first
    version (2017) permutes the batch's own codes and updates the critic five times;
    the last one permutes those of a second batch (algorithm 2) and updates it once.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents import Latents
from tf_disentangle.models.critic_training import CriticTraining, WithCritic
from tf_disentangle.models.vae import VAE
from tf_disentangle.objectives import CriticPenalty, Inference, Objective


@keras.saving.register_keras_serializable(package="tf_disentangle")
class FactorVAE(WithCritic, VAE):
    """A VAE with any latent space and prior, and an objective with one critic penalty.

    Args:
        encoder: As for `VAE`.
        decoder: As for `VAE`.
        latents: As for `VAE`.
        objective: What to minimise, with one penalty that needs a critic.
        critic: Samples [B, D] -> logits [B, 1], each sample by itself:
            codes and permuted codes come in one batch, which batch normalisation mixes.
        critic_training: How the critic is trained; None means five updates per step.
        seed: As for `VAE`.
        **options: As for `VAE`.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Latents,
        objective: Objective,
        critic: keras.Model,
        critic_training: CriticTraining | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(encoder, decoder, latents, objective, seed, **options)
        rule = f"map {latents.num_decoded} numbers to one for these latents"
        self._take_critic(critic, critic_training, (latents.num_decoded,), rule)

    def check(self, objective: Objective, latents: Latents) -> None:
        """Raises `ArgumentError` if this model cannot train the objective."""
        names = [penalty.name for penalty in objective.critic_penalties]
        remedy = "Each would need its own critic: keep one. For none use VAE."
        rule = "have exactly one that needs a critic"
        checks.require(len(names) == 1, "penalties", rule, names, remedy)
        objective.check(latents, critic=lambda z: tf.reduce_sum(z, 1, keepdims=True))

    @property
    def row_names(self) -> tuple[str, ...]:
        """The scalars of a step, in the order of the records."""
        return (*super().row_names, "critic_loss")

    @property
    def batches_per_step(self) -> int:
        """How many batches of images a step takes."""
        return 2 if self.critic_training.second_batch else 1

    @property
    def penalty(self) -> CriticPenalty:
        """The penalty that reads the critic."""
        return self.objective.critic_penalties[0]

    # ---- Tensors in, tensors out.

    def infer(
        self,
        images: tf.Tensor,
        seed: tf.Tensor,
        step: tf.Tensor | int = 0,
        training: bool = False,
    ) -> Inference:
        """Returns posterior, sample and critic for a batch of images; as for `VAE`."""
        inference = super().infer(images, seed, step, training)
        critic = functools.partial(self.critic, training=training)
        return inference._replace(critic=critic)

    def scalars(self, images: tf.Tensor, inference: Inference) -> dict[str, tf.Tensor]:
        """Returns the mean of each term of `row_names` over held-out images.

        The critic's loss compares the batch's codes with those same codes, permuted.
        """
        seed = tfp.random.split_seed(inference.seed, n=1, salt="critic")[0]
        loss = self.penalty.critic_loss(inference, inference.sample, seed)
        return {**super().scalars(images, inference), "critic_loss": loss}

    # ---- Keras.

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes one step of the VAE and the critic's updates."""
        images, *second = self.batches_of(self.images_of(data))
        seed = self.step_seed()
        others_seed, *seeds = tfp.random.split_seed(
            seed, n=1 + self.critic_training.updates, salt="critic"
        )
        # Before the weights change, so that the same encoder encodes both batches.
        others = [self.posterior(x, True).sample(seed=others_seed) for x in second]
        inference, scalars = self.minimize(images, seed)
        others = others[0] if others else inference.sample

        def critic_loss(seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            loss = self.penalty.critic_loss(inference, others, seed)
            return loss, {"critic_loss": loss}

        updates = [self.update_critic(functools.partial(critic_loss, s)) for s in seeds]
        # The first loss, like the other terms, is of a batch new to the critic.
        return self._end_step({**scalars, **updates[0]})
