"""Likelihoods p(x | z) of images, given the decoder's outputs."""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable

import tensorflow as tf

from tf_disentangle import checks


@runtime_checkable
class Likelihood(Protocol):
    """A family of distributions of images x, its parameters decoded from z."""

    def log_prob(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns log p(x | z), summed over the pixels.

        Args:
            images: x [B, H, W, C] in [0, 1].
            outputs: The decoder's outputs [B, H, W, C].

        Returns:
            float32 [B] nats per image.
        """

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z], float32 [B, H, W, C] in [0, 1], from the outputs."""


@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """Independent Bernoulli pixels, the decoder's outputs being the logits.

        log p(x | z) = sum_i x_i log sigmoid(o_i) + (1 - x_i) log sigmoid(-o_i)

    Grey values in [0, 1] are allowed. The sum is then the expected log-probability
    of binary pixels that are on with probability x_i, and no density of x.
    """

    def log_prob(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns log p(x | z), summed over the pixels.

        Args:
            images: x [B, H, W, C], of a float type and in [0, 1].
            outputs: Logits o [B, H, W, C].

        Returns:
            float32 [B] nats per image, at most 0.

        Raises:
            ArgumentError: If the two shapes differ.
            ArgumentTypeError: If the images are integers.
        """
        images, outputs = tf.convert_to_tensor(images), tf.convert_to_tensor(outputs)
        if not images.dtype.is_floating:
            rule, remedy = "be floats in [0, 1]", "Divide uint8 images by 255."
            text = checks.message("images", rule, images.dtype.name, remedy)
            raise checks.ArgumentTypeError(text)
        checks.require(
            images.shape.is_compatible_with(outputs.shape),
            "outputs",
            f"have the images' shape {images.shape}",
            outputs.shape,
        )
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.cast(images, tf.float32), logits=tf.cast(outputs, tf.float32)
        )
        return -tf.reduce_sum(cross_entropy, axis=range(1, len(images.shape)))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z] = sigmoid(o), float32 [B, H, W, C] in [0, 1]."""
        return tf.sigmoid(tf.cast(outputs, tf.float32))
