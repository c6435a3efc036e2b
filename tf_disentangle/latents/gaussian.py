"""Gaussian latents: q(z|x) = N(mu(x), S(x)), S diagonal, full or the identity."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import GaussianPosterior
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions

# Added to the diagonal of L, and to S, by CHyVAE's published code.
_JITTER = 1e-4

#: The forms of S(x).
COVARIANCES = ("diagonal", "full", "identity")


class GaussianLatents(Latents):
    """L continuous latents with a Gaussian posterior and any prior.

    The encoder emits, per image,

    - diagonal: mu and log sigma^2, 2 L numbers (Kingma & Welling, 2014);
    - full: mu and an L x L matrix whose lower triangle is the factor T, with softplus
      and 1e-4 on its diagonal; S = T T^T + 1e-4 I (CHyVAE's code), L + L^2 numbers;
    - identity: mu alone, L numbers; S = I, so that an image cannot tell more than about
      half a nat about a latent (as for the codes in InfoGAN's own implementation).

    Args:
        num_latents: L, at least 1.
        covariance: "diagonal", "full" or "identity".
        prior: p(z); None means the standard normal.

    Example:
        >>> import tf_disentangle as td
        >>> latents = td.latents.GaussianLatents(10)
        >>> latents.num_parameters  # What the encoder emits for each image.
        20
    """

    posterior_type = tfd.MultivariateNormalLinearOperator

    def __init__(
        self,
        num_latents: int = 10,
        covariance: str = "diagonal",
        prior: Prior | None = None,
    ) -> None:
        super().__init__(num_latents, prior)
        self.covariance = checks.one_of(covariance, COVARIANCES, "covariance")
        size = self.num_latents
        widths = {"diagonal": 2 * size, "full": size + size**2, "identity": size}
        self.num_parameters = widths[covariance]

    def posterior(self, parameters: tf.Tensor) -> GaussianPosterior:
        """Turns the encoder's output [B, num_parameters] into q(z|x)."""
        return GaussianPosterior(self, self._gaussian(parameters))

    def moments(self, parameters: tf.Tensor) -> Moments:
        """Returns mean and deviations, and the covariance if it is full."""
        loc, rest = self._split(parameters)
        if self.covariance != "full":
            return Moments(loc, self._scale(loc, rest))
        factor = self._factor(rest)
        variances = tf.reduce_sum(factor * factor, axis=-1) + _JITTER
        return Moments(loc, tf.sqrt(variances), self._covariance(factor))

    def _gaussian(
        self, parameters: tf.Tensor
    ) -> tfd.MultivariateNormalDiag | tfd.MultivariateNormalTriL:
        loc, rest = self._split(parameters)
        if self.covariance != "full":
            return tfd.MultivariateNormalDiag(loc, self._scale(loc, rest))
        covariance = self._covariance(self._factor(rest))
        return tfd.MultivariateNormalTriL(loc, tf.linalg.cholesky(covariance))

    def _split(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mu [B, L] and the numbers that S is made of, float32."""
        parameters = tf.cast(parameters, tf.float32)
        return parameters[:, : self.num_latents], parameters[:, self.num_latents :]

    def _scale(self, loc: tf.Tensor, rest: tf.Tensor) -> tf.Tensor:
        """Returns the standard deviations [B, L] of a diagonal or identity S."""
        if self.covariance == "identity":
            return tf.ones_like(loc)
        return tf.exp(0.5 * rest)

    def _factor(self, rest: tf.Tensor) -> tf.Tensor:
        """Returns T [B, L, L], lower triangular."""
        size = self.num_latents
        raw, eye = tf.reshape(rest, [-1, size, size]), np.eye(size, dtype=np.float32)
        below = np.tril(np.ones_like(eye), -1)
        return raw * below + (tf.nn.softplus(raw) + _JITTER) * eye

    def _covariance(self, factor: tf.Tensor) -> tf.Tensor:
        """Returns S = T T^T + 1e-4 I, [B, L, L]."""
        eye = np.eye(self.num_latents, dtype=np.float32)
        return tf.matmul(factor, factor, transpose_b=True) + _JITTER * eye
