"""The VAE: encoder, latents, decoder and an objective, wired as a Keras model."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents import Latents, Posterior
from tf_disentangle.models import wiring
from tf_disentangle.models.base import LatentModel
from tf_disentangle.models.fitting import minimize
from tf_disentangle.models.images import as_float
from tf_disentangle.objectives import Inference, Objective, Terms, diagnostics


@keras.saving.register_keras_serializable(package="tf_disentangle")
class VAE(LatentModel):
    """A VAE with any latent space, prior and critic-free objective, trained by `fit`.

    Args:
        encoder: As for `LatentModel`.
        decoder: z [B, latents.num_decoded] -> parameters of p(x|z), [B, H, W, C] times
            the likelihood's `outputs_per_value`: logits for Bernoulli.
        latents: The latent space with its prior.
        objective: What to minimise.
        seed: As for `LatentModel`.
        **options: As for `LatentModel`.
    """

    checkpoint_metric: ClassVar[str | None] = "elbo"

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Latents,
        objective: Objective,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(encoder, decoder, latents, objective, seed, **options)
        likelihood = objective.likelihood
        fits = likelihood.real_valued or not self.is_vector
        rule, name = "be one of real values for vectors", type(likelihood).__name__
        remedy = "Give the objective likelihood=Normal()."
        checks.require(fits, "likelihood", rule, name, remedy)
        if not likelihood.real_valued:
            wiring.warn_of_probabilities(decoder, latents.num_decoded)

    def check(self, objective: Objective, latents: Latents) -> None:
        """Raises `ArgumentError` if this model cannot train the objective."""
        objective.check(latents)

    def outputs_per_value(self, objective: Objective) -> int:
        """Returns how many numbers the decoder emits for each value of an image."""
        return objective.likelihood.outputs_per_value

    @property
    def row_names(self) -> tuple[str, ...]:
        """The scalars of a step, in the order of the records."""
        return self.objective.term_names(self.latents)

    @property
    def scheduled_names(self) -> tuple[str, ...]:
        """Which of `row_names` are values of schedules."""
        return self.objective.scheduled_names(self.latents)

    # ---- Tensors in, tensors out.

    def decode_tensor(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the mean of p(x|z), float32 [B, H, W, C].

        For images it is in [0, 1]: the mean of a normal likelihood is clipped there.
        """
        z = self.latents.to_decoder_input(codes)
        mean = self.objective.likelihood.mean(self.decoder(z, training=False))
        return mean if self.is_vector else tf.clip_by_value(mean, 0.0, 1.0)

    def infer(
        self,
        images: tf.Tensor,
        seed: tf.Tensor,
        step: tf.Tensor | int = 0,
        training: bool = False,
    ) -> Inference:
        """Returns posterior and sample for a batch of images.

        Args:
            images: [B, H, W, C], uint8 or floats in [0, 1].
            seed: int32 [2].
            step: Number of steps done, for schedules.
            training: Whether networks are in training mode.
        """
        sample_seed, term_seed = tfp.random.split_seed(seed, n=2)
        posterior = self.posterior(images, training)
        sample = posterior.sample(sample_seed)

        def reencode(change: Callable[[tf.Tensor], tf.Tensor]) -> Posterior:
            return self.posterior(change(as_float(images)), training)

        return Inference(
            *(self.latents, posterior, sample, step, term_seed, self.num_examples),
            reencode=reencode,
        )

    def terms(
        self, images: tf.Tensor, inference: Inference, training: bool = False
    ) -> Terms:
        """Returns the objective's terms for the images of an inference, decoded."""
        outputs = self.decoder(inference.sample, training=training)
        return self.objective(as_float(images), outputs, inference)

    def held_out_terms(
        self, images: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns (the terms, marginal KL of each latent [L]), in nats per image."""
        inference = self.infer(images, seed, step)
        marginal = inference.posterior.marginal_kl(inference.sample)
        return self.scalars(images, inference), tf.reduce_mean(marginal, axis=0)

    def scalars(self, images: tf.Tensor, inference: Inference) -> dict[str, tf.Tensor]:
        """Returns the mean of each term of `row_names` over held-out images."""
        return self.terms(images, inference).scalars()

    def diagnostics(self, images: np.ndarray, seed: int) -> dict[str, float]:
        """Returns the `objectives.diagnostics` of a batch, scalars in nats.

        Those that are not finite are left out.

        Args:
            images: [N, H, W, C], the more the better.
            seed: Random seed.
        """
        draws = tf.constant([checks.seed(seed), 0], tf.int32)
        tensors = self._diagnostics(self.validate_images(images), draws)
        values = {name: float(value) for name, value in tensors.items()}
        return {name: value for name, value in values.items() if np.isfinite(value)}

    @functools.cached_property
    def _diagnostics(self) -> Callable:
        def of_batch(images: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            return diagnostics(self.infer(images, seed))

        # The size of the batch is part of the trace: some diagnostics depend on it.
        return tf.function(of_batch, autograph=False)

    def forget_traces(self) -> None:
        """Drops the compiled functions that hold `num_examples`."""
        super().forget_traces()
        self.__dict__.pop("_diagnostics", None)

    # ---- Keras.

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes one optimiser step."""
        _, scalars = self.minimize(self.images_of(data), self.step_seed())
        return self._end_step(scalars)

    def minimize(
        self, images: tf.Tensor, seed: tf.Tensor
    ) -> tuple[Inference, dict[str, tf.Tensor]]:
        """Takes a step on the loss; returns inference and terms before it."""
        step = self.steps_done

        def terms() -> tuple[tf.Tensor, tuple[Inference, dict[str, tf.Tensor]]]:
            inference = self.infer(images, seed, step, True)
            scalars = self.terms(images, inference, training=True).scalars()
            return scalars["loss"], (inference, scalars)

        variables = self.optimized_variables
        jit = self.jit_compile
        return minimize(self.optimizer, variables, terms, jit_compile=jit)
