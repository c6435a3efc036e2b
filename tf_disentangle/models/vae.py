"""The VAE: encoder, latents, decoder and an objective, wired as a Keras model."""

from __future__ import annotations

from typing import ClassVar

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents import Latents
from tf_disentangle.models.base import LatentModel, as_float, per_replica, step_seed
from tf_disentangle.objectives import Inference, Objective, Terms, diagnostics


class VAE(LatentModel):
    """Any latent space, prior and critic-free objective, trained by `fit`.

    Args:
        encoder: Images [B, H, W, C] in [0, 1] -> [B, latents.num_parameters].
        decoder: z [B, latents.num_decoded] -> parameters of p(x|z), [B, H, W, C].
        latents: The latent space with its prior.
        objective: What to minimise.
        seed: Of every draw in training.
    """

    monitored: ClassVar[str | None] = "elbo"

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Latents,
        objective: Objective,
        seed: int = 0,
    ) -> None:
        super().__init__(encoder, decoder, latents, objective, seed)
        _check_likelihood(objective, self.image_shape, decoder)

    def check(self, objective: Objective, latents: Latents) -> None:
        """Raises `ArgumentError` if this model cannot train the objective."""
        objective.check(latents)

    @property
    def row_names(self) -> tuple[str, ...]:
        """The scalars of a step, in the order of the records."""
        return self.objective.term_names(self.latents)

    # ---- Tensors in, tensors out.

    def decode_tensor(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the mean of p(x|z), float32 [B, H, W, C].

        That of images is in [0, 1]: a normal likelihood's mean is cut off there.
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
            images: [B, H, W, C], uint8 or float32 in [0, 1].
            seed: int32 [2].
            step: Number of steps done, for schedules.
            training: Whether networks are in training mode.
        """
        sample_seed, term_seed = tfp.random.split_seed(seed, n=2)
        posterior = self.posterior(images, training)
        sample = posterior.sample(sample_seed)
        return Inference(
            self.latents, posterior, sample, step, term_seed, self.num_examples
        )

    def terms(
        self, images: tf.Tensor, inference: Inference, training: bool = False
    ) -> Terms:
        """Returns the objective's terms for the images of an inference, decoded."""
        outputs = self.decoder(inference.sample, training=training)
        return self.objective(as_float(images), outputs, inference)

    def validate(
        self, images: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns (the terms, marginal KL of each latent [L]), in nats per image."""
        inference = self.infer(images, seed, step)
        marginal = inference.posterior.marginal_kl(inference.sample)
        return self.terms(images, inference).scalars(), tf.reduce_mean(marginal, axis=0)

    def monitors(self, images: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what `objectives.diagnostics` says of a batch, scalars in nats."""
        return diagnostics(self.infer(images, seed))

    # ---- Keras.

    def train_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Takes one optimiser step."""
        step = self.steps_done
        _, scalars = self.descend(self.loaded(batch), step_seed(self.seed, step), step)
        self.statistics.update_state(scalars)
        return self.get_metrics_result()

    def descend(
        self, images: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tuple[Inference, dict[str, tf.Tensor]]:
        """Moves the weights down the loss; returns what it was taken from."""
        with tf.GradientTape() as tape:
            inference = self.infer(images, seed, step, True)
            scalars = self.terms(images, inference, training=True).scalars()
            loss = per_replica(scalars["loss"])
        variables = self.descended
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return inference, scalars


def _check_likelihood(
    objective: Objective, image_shape: tuple[int, int, int], decoder: keras.Model
) -> None:
    """Raises `ArgumentError` unless the likelihood fits data and decoder."""
    likelihood = objective.likelihood
    checks.require(
        likelihood.real_valued or not checks.is_vector(image_shape),
        "likelihood",
        "be one of real values for vectors",
        type(likelihood).__name__,
        "Give the objective likelihood=Normal().",
    )
    channels = image_shape[-1] * likelihood.outputs_per_value
    checks.require(
        decoder.output_shape[-1] == channels,
        "decoder",
        f"emit {channels} channels for this likelihood",
        decoder.output_shape[-1],
    )
