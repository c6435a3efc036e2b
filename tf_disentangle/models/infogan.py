"""InfoGAN: a generator, a critic of its images, and a network that reads its codes.

The recognition network is the model's `encoder`, so that `encode` works as for a VAE;
the generator is its `decoder`, which takes noise in addition to the codes. One step:

    1. the critic takes `updates` steps on its loss, each with different images;
    2. generator and recognition network take a step on theirs, with the critic fixed;
    3. if the recognition network has batch normalisation, the running statistics that
       `encode` uses are updated once, from the step's first batch of real images.
       Generated images have different statistics, above all in layers shared with the
       critic, which learns to tell the two apart. With statistics of both, the network
       would read real images as if they were nearly all alike.

Recognition network and critic may share layers, as in Chen et al. As in their code, the
critic's optimiser then updates both networks at each of its steps, on the critic's loss
less lambda L_I, and the other optimiser updates the generator alone. If the shared
layers followed the generator's loss too, they would learn to mistake its images for
real ones.

References:
    Chen et al., "InfoGAN", NeurIPS 2016, arXiv:1606.03657.
    Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017,
    arXiv:1704.00028, algorithm 1: five updates of the critic for one of the generator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.interfaces import Decode
from tf_disentangle.latents import Latents
from tf_disentangle.models import wiring
from tf_disentangle.models.base import LatentModel, as_graph, in_chunks
from tf_disentangle.models.critic_training import CriticTraining, WithCritic
from tf_disentangle.models.fitting import minimize
from tf_disentangle.models.images import as_float
from tf_disentangle.objectives import AdversarialObjective


@keras.saving.register_keras_serializable(package="tf_disentangle")
class InfoGAN(WithCritic, LatentModel):
    """A GAN over any latent space whose prior has a density for each latent.

    Args:
        encoder: The recognition network Q: images [B, H, W, C] in [0, 1] ->
            [B, latents.num_parameters].
        decoder: The generator: [B, latents.num_decoded + num_noise], the codes first ->
            logits of the pixels, [B, H, W, C].
        latents: The codes, with their prior.
        objective: The GAN's loss, and the weight of the information term.
        critic: Images [B, H, W, C] in [0, 1] -> [B, 1]. If it shares trained layers
            with the encoder, `critic_training.optimizer` moves both.
        critic_training: How the critic is trained; None means five updates per step.
        seed: As for `LatentModel`.
        **options: As for `LatentModel`.

    Attributes:
        num_noise: How many noise values the generator takes in addition to the codes.
    """

    per_latent: ClassVar[str] = "information"
    reconstructs: ClassVar[bool] = False

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Latents,
        objective: AdversarialObjective,
        critic: keras.Model,
        critic_training: CriticTraining | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(encoder, decoder, latents, objective, seed, **options)
        self.num_noise = wiring.input_shape(decoder)[-1] - latents.num_decoded
        rule = f"map images {self.image_shape} to one number"
        self._take_critic(critic, critic_training, self.image_shape, rule)
        two = self.critic_training.second_batch
        rule = "be False for InfoGAN, whose critic takes new images at each update"
        checks.require(not two, "second_batch", rule, two)
        for name, network in (("encoder", encoder), ("critic", critic)):
            dtype, rule = wiring.input_dtype(network), "take floats in [0, 1]"
            checks.require(dtype == tf.float32, name, rule, dtype.name)
        if not self.is_vector:
            inputs = latents.num_decoded + self.num_noise
            wiring.warn_of_probabilities(decoder, inputs)

    def check(self, objective: AdversarialObjective, latents: Latents) -> None:
        """Raises `ArgumentError` if this model cannot train the objective."""
        remedy = "Pass objectives.infogan(), for example."
        checks.require_type(objective, AdversarialObjective, "objective", remedy)
        objective.check(latents)

    def num_decoder_inputs(self, decoder: keras.Model, latents: Latents) -> int:
        """Returns how many numbers the generator takes, codes and noise."""
        shape = wiring.input_shape(decoder)
        rule = f"take at least {latents.num_decoded} numbers for these latents"
        remedy = "A subclassed model does not say it: wrap it into keras.Sequential."
        fits = shape is not None and shape[-1] >= latents.num_decoded
        checks.require(fits, "decoder", rule, shape, "" if shape else remedy)
        return shape[-1]

    @property
    def row_names(self) -> tuple[str, ...]:
        """The scalars of a step, in the order of the records."""
        return self.objective.term_names

    @property
    def batches_per_step(self) -> int:
        """How many batches of images a step takes: one for each of the updates."""
        return self.critic_training.updates

    # ---- Tensors in, tensors out.

    def draw(self, count: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws (codes [count, D], categorical ones one-hot; noise [count, n])."""
        codes, noise = self.sample_inputs(count, *tfp.random.split_seed(seed, n=2))
        return self.latents.to_decoder_input(codes), noise

    def sample_inputs(
        self, count: int, code_seed: tf.Tensor, noise_seed: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Draws (codes [count, L], noise [count, n])."""
        codes = super().sample_inputs(count, code_seed, noise_seed)
        return (*codes, self._noise(count, noise_seed))

    def _noise(self, count: int, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal(tf.stack([count, self.num_noise]), seed)

    def generate(
        self, codes: tf.Tensor, noise: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        """Maps codes [B, D] and noise [B, n] to images, float32 [B, H, W, C]."""
        inputs = tf.concat([codes, noise], axis=-1)
        outputs = tf.cast(self.decoder(inputs, training=training), tf.float32)
        return outputs if self.is_vector else tf.sigmoid(outputs)

    def decode_tensor(
        self, codes: tf.Tensor, noise: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the images [B, H, W, C] of codes [B, L]; None means zero noise."""
        if noise is None:
            noise = tf.zeros(tf.stack([tf.shape(codes)[0], self.num_noise]))
        return self.generate(self.latents.to_decoder_input(codes), noise)

    def held_out_terms(
        self, images: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns (the terms, the information of each latent [L]) for held-out images.

        The critic's terms compare the images with as many generated ones; the other
        terms are of generated images alone. Batch normalisation uses the statistics of
        training: those of the recognition network, in shared layers too, are of real
        images; those of the critic's other layers are of generated ones too.
        """
        del step
        draw_seed, critic_seed = tfp.random.split_seed(seed, n=2)
        real = as_float(images)
        codes, noise = self.draw(tf.shape(real)[0], draw_seed)
        generated = self.generate(codes, noise)
        information, logits = self.information_and_logits(generated, codes)
        terms = self.objective.generator_terms(self.latents, information, logits)
        of_critic = self.critic_terms(real, generated, logits, critic_seed)
        return {**terms, **of_critic}, tf.reduce_mean(information, axis=0)

    @property
    def critic_variables(self) -> list[keras.Variable]:
        """The variables that `critic_optimizer` updates.

        They are the critic's, and the recognition network's if the two share any.
        """
        found = {id(v): v for v in self.critic.trainable_variables}
        if self._learn_together:
            found.update((id(v), v) for v in self.encoder.trainable_variables)
        return list(found.values())

    @property
    def _learn_together(self) -> bool:
        """Whether recognition network and critic share trained variables."""
        of_critic = {id(v) for v in self.critic.trainable_variables}
        return any(id(v) in of_critic for v in self.encoder.trainable_variables)

    def information_and_logits(
        self, images: tf.Tensor, codes: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Reads generated images [B, H, W, C] of the codes [B, D].

        Returns:
            The information of each latent in nats, [B, L]; the critic's outputs,
            [B, 1]. Layers that the two networks share are computed once.
        """
        if self.pair is None:
            posterior = self.posterior_of(images, training)
            return posterior.information(codes), self.logits(images, training)
        *heads, logits = self.pair(images, training=training)
        posterior = self.latents.posterior(wiring.joined(heads))
        return posterior.information(codes), tf.cast(logits, tf.float32)

    def logits(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the critic's outputs, float32 [B, 1], for images in [0, 1]."""
        return tf.cast(self.critic(images, training=training), tf.float32)

    def critic_terms(
        self,
        real: tf.Tensor,
        generated: tf.Tensor,
        logits: tf.Tensor,
        seed: tf.Tensor,
        training: bool = False,
    ) -> dict[str, tf.Tensor]:
        """Returns the critic's terms, given its outputs [B, 1] for generated images."""
        critic = functools.partial(self.logits, training=training)
        gan_loss = self.objective.gan_loss
        return dict(gan_loss.critic_terms(critic, real, generated, logits, seed))

    # ---- Keras.

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Takes the critic's updates and the step that follows them."""
        reals = self.batches_of(as_float(self.images_of(data)))
        statistics = self._encoder_statistics
        before = [tf.identity(variable) for variable in statistics]
        seed = self.step_seed()
        own, *seeds = tfp.random.split_seed(seed, n=1 + len(reals), salt="critic")
        pairs = zip(reals, seeds, strict=True)
        of_critic = [self.critic_step(real, each) for real, each in pairs]
        count = tf.shape(reals[0])[0]

        def of_generator() -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            codes, noise = self.draw(count, own)
            generated = self.generate(codes, noise, True)
            both = self.information_and_logits(generated, codes, True)
            terms = self.objective.generator_terms(self.latents, *both)
            return terms["loss"], terms

        variables, jit = self.optimized_variables, self.jit_compile
        terms = minimize(self.optimizer, variables, of_generator, jit_compile=jit)
        if statistics:
            for variable, value in zip(statistics, before, strict=True):
                variable.assign(value)
            self.encoder(reals[0], training=True)
        # From before the last update, on a batch that the critic had not seen.
        return self._end_step({**terms, **of_critic[-1]})

    @property
    def _encoder_statistics(self) -> list[keras.Variable]:
        """The running means and variances of batch normalisation, if there is any."""
        held = self.encoder.non_trainable_variables
        return [variable for variable in held if variable.name.startswith("moving_")]

    def critic_step(self, real: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Takes a step of the critic on real images; returns its terms before the step.

        A recognition network that shares layers with the critic is updated too.
        """
        draw_seed, critic_seed = tfp.random.split_seed(seed, n=2)
        codes, noise = self.draw(tf.shape(real)[0], draw_seed)
        generated = self.generate(codes, noise, True)

        def of_critic() -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            if not self._learn_together:
                logits = self.logits(generated, True)
                terms = self.critic_terms(real, generated, logits, critic_seed, True)
                return terms["critic_loss"], terms
            information, logits = self.information_and_logits(generated, codes, True)
            terms = self.critic_terms(real, generated, logits, critic_seed, True)
            information_term = self.objective.information_term(
                self.latents, information
            )
            return terms["critic_loss"] + information_term, terms

        return self.update_critic(of_critic)

    # ---- Arrays in, arrays out.

    def decode(self, codes: np.ndarray, noise: np.ndarray | None = None) -> np.ndarray:
        """Maps codes [N, L] to images, float32 [N, H, W, C] in [0, 1], or vectors.

        Args:
            codes: As `encode` returns them.
            noise: [N, num_noise]; None means zero, the centre of the noise, which in
                many dimensions is far from every sample. `sampler` draws samples.

        Raises:
            ArgumentError: If codes or noise have another shape, or a code holds a value
                that a categorical latent does not have.
        """
        codes = self.latents.validate_codes(codes)
        shape = (len(codes), self.num_noise)
        noise = np.zeros(shape) if noise is None else np.asarray(noise)
        checks.require(
            noise.shape == shape, "noise", f"have shape {shape}", noise.shape
        )
        return in_chunks(self._decode_noisy, codes, noise.astype(np.float32))

    def sampler(self, count: int, seed: tf.Tensor) -> Decode:
        """Returns a decoder with `count` noise vectors, which the codes use in turn."""
        noise = self._noise(count, seed).numpy()

        def decode(codes: np.ndarray) -> np.ndarray:
            return self.decode(codes, np.resize(noise, (len(codes), self.num_noise)))

        return decode

    @functools.cached_property
    def _decode_noisy(self) -> Callable:
        noise = tf.TensorSpec([None, self.num_noise], tf.float32)
        return as_graph(self.decode_tensor, self.codes_spec, noise)
