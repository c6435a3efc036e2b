"""Likelihoods p(x | z) of images, given the decoder's outputs.

Each is a family of TFP distributions, as q(z|x) and p(z) are:

    likelihood = Normal(scale=0.1)
    likelihood.distribution(decoder(z)).sample(seed=seed)
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks

tfd = tfp.distributions

# The smallest decoded scale. The authors of the decomposition VAE have it for their
# encoder; their decoder has none.
_SMALLEST_SCALE = 1e-6


class Likelihood(abc.ABC):
    """A family of distributions of images x, its parameters decoded from z.

    Attributes:
        real_valued: Whether x may leave [0, 1], as vectors do.
    """

    real_valued: ClassVar[bool] = False

    @property
    def outputs_per_value(self) -> int:
        """How many numbers the decoder emits for each value of x."""
        return 1

    @abc.abstractmethod
    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Returns p(x | z), batch shape [B], event shape [H, W, C], float32.

        Args:
            outputs: The decoder's outputs, [B, H, W, C * outputs_per_value].
        """

    def log_prob(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns log p(x | z), summed over the values of an image.

        Args:
            images: x [B, H, W, C], of a float type and in [0, 1]; or vectors
                [B, 1, 1, C].
            outputs: The decoder's outputs, [B, H, W, C * outputs_per_value].

        Returns:
            float32 [B] nats per image.

        Raises:
            ArgumentError: If the shapes do not fit.
            ArgumentTypeError: If the images are integers.
        """
        distribution = self.distribution(outputs)
        images = tf.convert_to_tensor(images)
        if not images.dtype.is_floating:
            rule, remedy = "be floats in [0, 1]", "Divide uint8 images by 255."
            text = checks.message("images", rule, images.dtype.name, remedy)
            raise checks.ArgumentTypeError(text)
        shape = distribution.batch_shape + distribution.event_shape
        rule = f"have the images' shape {images.shape}"
        checks.require(images.shape.is_compatible_with(shape), "outputs", rule, shape)
        return distribution.log_prob(tf.cast(images, tf.float32))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z], float32 [B, H, W, C].

        The library's own are written in plain operations, for exported graphs.
        """
        return self.distribution(outputs).mean()


@dataclasses.dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Independent Bernoulli pixels, the decoder's outputs being the logits.

        log p(x | z) = sum_i x_i log sigmoid(o_i) + (1 - x_i) log sigmoid(-o_i)

    Grey values in [0, 1] are allowed. The sum is then the expected log-probability
    of binary pixels that are on with probability x_i, and no density of x.
    """

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Returns p(x | z) over binary images, float32 zeros and ones."""
        logits = tf.cast(outputs, tf.float32)
        return tfd.Independent(_Bernoulli(logits, dtype=tf.float32), 3)

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z], float32 [B, H, W, C]."""
        return tf.sigmoid(tf.cast(outputs, tf.float32))


@dataclasses.dataclass(frozen=True)
class _LocationScale(Likelihood):
    """Independent values of one fixed scale or of decoded scales."""

    scale: float | None = 1.0
    real_valued: ClassVar[bool] = True
    family: ClassVar[type[tfd.Distribution]]

    def __post_init__(self) -> None:
        """Checks the scale."""
        if self.scale is not None:
            checks.real(self.scale, "scale", above=0.0)

    @property
    def outputs_per_value(self) -> int:
        """2 with decoded scales, else 1."""
        return 2 if self.scale is None else 1

    def distribution(self, outputs: tf.Tensor) -> tfd.Distribution:
        """Returns p(x | z), batch shape [B], event shape [H, W, C]."""
        mean, raw = self._split(outputs)
        scale = tf.nn.softplus(raw) + _SMALLEST_SCALE if self.scale is None else raw
        return tfd.Independent(self.family(mean, scale), 3)

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns E[x | z], float32 [B, H, W, C]."""
        return self._split(outputs)[0]

    def _split(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | float]:
        """Returns the means and what decodes to the scales, or the fixed scale."""
        outputs = tf.cast(outputs, tf.float32)
        if self.scale is not None:
            return outputs, self.scale
        rule = "have two numbers for each value"
        checks.require(outputs.shape[-1] % 2 == 0, "outputs", rule, outputs.shape)
        return tf.split(outputs, 2, axis=-1)


class _Bernoulli(tfd.Bernoulli):
    """TFP's, with the rounding of TensorFlow's own cross entropy for grey values."""

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        logits = tf.convert_to_tensor(self.logits)
        # TensorFlow's cross entropy does not broadcast, as several samples need.
        if not x.shape.is_compatible_with(logits.shape):
            shape = tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(logits))
            x, logits = tf.broadcast_to(x, shape), tf.broadcast_to(logits, shape)
        return -tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)


class _Normal(tfd.Normal):
    """TFP's subtracts x/s and m/s, in which a small scale s loses x - m."""

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        error = (x - self.loc) / self.scale
        return -0.5 * error**2 - tf.math.log(self.scale) - 0.5 * math.log(2 * math.pi)


@dataclasses.dataclass(frozen=True)
class Normal(_LocationScale):
    """Independent normal values, of one fixed scale or of decoded scales.

        log p(x | z) = sum_i -(x_i - m_i)^2 / (2 s_i^2) - log s_i - log(2 pi) / 2

    With a fixed scale the outputs are the means m. With `scale=None` the decoder emits
    two numbers for each value, the last axis being first the C means and then C
    numbers o with s = softplus(o) + 1e-6. This is a density: it may exceed 1, and its
    logarithm 0. The smaller the decoded scales become, the larger it can be.

    Attributes:
        scale: Standard deviation s of every value, greater than 0; None decodes it.
    """

    family: ClassVar[type[tfd.Distribution]] = _Normal


@dataclasses.dataclass(frozen=True)
class Laplace(_LocationScale):
    """Independent Laplace values, of one fixed scale or of decoded scales.

        log p(x | z) = sum_i -|x_i - m_i| / s_i - log(2 s_i)

    The outputs are as `Normal`'s. The decomposition VAE's experiments on
    Fashion-MNIST have a fixed scale of 0.1 (Mathieu et al., arXiv:1812.02833, and its
    authors' code).

    Attributes:
        scale: Scale s of every value, greater than 0, its standard deviation being
            sqrt(2) s; with None it is decoded.
    """

    family: ClassVar[type[tfd.Distribution]] = tfd.Laplace
