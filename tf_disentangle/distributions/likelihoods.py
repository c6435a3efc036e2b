"""Likelihoods p(x | z) of images, given the decoder's outputs."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Protocol, runtime_checkable

import tensorflow as tf

from tf_disentangle import checks

# The least decoded standard deviation, that of the authors of the decomposition VAE
# for their encoder; their decoder has none.
_SMALLEST_SCALE = 1e-6


@runtime_checkable
class Likelihood(Protocol):
    """A family of distributions of images x, its parameters decoded from z.

    Attributes:
        outputs_per_value: How many numbers the decoder emits for each value of x:
            its outputs are [B, H, W, C * outputs_per_value].
        real_valued: Whether x may leave [0, 1], as vectors do.
    """

    outputs_per_value: int
    real_valued: bool

    def log_prob(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns log p(x | z), summed over the pixels.

        Args:
            images: x [B, H, W, C] in [0, 1], or vectors [B, 1, 1, C].
            outputs: The decoder's outputs [B, H, W, C * outputs_per_value].

        Returns:
            float32 [B] nats per image.
        """

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z], float32 [B, H, W, C], from the outputs."""


@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """Independent Bernoulli pixels, the decoder's outputs being the logits.

        log p(x | z) = sum_i x_i log sigmoid(o_i) + (1 - x_i) log sigmoid(-o_i)

    Grey values in [0, 1] are allowed. The sum is then the expected log-probability
    of binary pixels that are on with probability x_i, and no density of x.
    """

    outputs_per_value: ClassVar[int] = 1
    real_valued: ClassVar[bool] = False

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
        images, outputs = _checked(images, outputs)
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.cast(images, tf.float32), logits=tf.cast(outputs, tf.float32)
        )
        return -tf.reduce_sum(cross_entropy, axis=range(1, len(images.shape)))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z] = sigmoid(o), float32 [B, H, W, C] in [0, 1]."""
        return tf.sigmoid(tf.cast(outputs, tf.float32))


@dataclasses.dataclass(frozen=True)
class Normal:
    """Independent normal values, of one fixed scale or of decoded scales.

        log p(x | z) = sum_i -(x_i - m_i)^2 / (2 s_i^2) - log s_i - log(2 pi) / 2

    With a fixed scale the outputs are the means. With `scale=None` the decoder emits
    two numbers for each value, the last axis being first the C means m and then C
    numbers o with s = softplus(o) + 1e-6. This is a density: it may exceed 1, and its
    logarithm 0. Decoded scales can make it as large as they become small.

    Attributes:
        scale: Standard deviation s of every value, greater than 0; None is decoded.
    """

    scale: float | None = 1.0
    real_valued: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Checks the scale."""
        if self.scale is not None:
            checks.real(self.scale, "scale", above=0.0)

    @property
    def outputs_per_value(self) -> int:
        """2 with decoded scales, else 1."""
        return 2 if self.scale is None else 1

    def log_prob(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns log p(x | z), summed over the values.

        Args:
            images: x [B, H, W, C], of a float type.
            outputs: [B, H, W, C], or [B, H, W, 2 C] with decoded scales.

        Returns:
            float32 [B] nats per image.

        Raises:
            ArgumentError: If the shapes do not fit.
            ArgumentTypeError: If the images are integers.
        """
        mean, scale = self._parameters(outputs)
        images, mean = _checked(images, mean)
        error = (tf.cast(images, tf.float32) - mean) / scale
        log_density = -0.5 * error**2 - tf.math.log(scale) - 0.5 * math.log(2 * math.pi)
        return tf.reduce_sum(log_density, axis=range(1, len(images.shape)))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z] = m, float32 [B, H, W, C]."""
        return self._parameters(outputs)[0]

    def _parameters(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the means and the scales, which broadcast to them."""
        outputs = tf.cast(outputs, tf.float32)
        if self.scale is not None:
            return outputs, tf.constant(self.scale, tf.float32)
        rule = "have two numbers for each value"
        checks.require(outputs.shape[-1] % 2 == 0, "outputs", rule, outputs.shape)
        mean, raw = tf.split(outputs, 2, axis=-1)
        return mean, tf.nn.softplus(raw) + _SMALLEST_SCALE


def _checked(images: tf.Tensor, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns float images and the outputs that stand for them, of one shape."""
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
    return images, outputs
