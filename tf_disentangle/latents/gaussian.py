"""Gaussian latents: q(z|x) = N(mu(x), S(x)), S diagonal, full or the identity."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents.base import Latents
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
    - identity: mu alone, S = I, so that an image cannot tell more of a latent than
      about half a nat (the codes of InfoGAN's code), L numbers.

    Args:
        num_latents: L, at least 1.
        covariance: "diagonal", "full" or "identity".
        prior: p(z); None is the standard normal.

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

    def _gaussian(
        self, parameters: tf.Tensor
    ) -> tfd.MultivariateNormalDiag | tfd.MultivariateNormalTriL:
        size = self.num_latents
        parameters = tf.cast(parameters, tf.float32)
        loc, rest = parameters[:, :size], parameters[:, size:]
        if self.covariance == "diagonal":
            return tfd.MultivariateNormalDiag(loc, tf.exp(0.5 * rest))
        if self.covariance == "identity":
            return tfd.MultivariateNormalDiag(loc, tf.ones_like(loc))
        tril = tf.linalg.band_part(tf.reshape(rest, [-1, size, size]), -1, 0)
        diagonal = tf.nn.softplus(tf.linalg.diag_part(tril)) + _JITTER
        tril = tf.linalg.set_diag(tril, diagonal)
        covariance = tf.matmul(tril, tril, transpose_b=True) + _JITTER * tf.eye(size)
        return tfd.MultivariateNormalTriL(loc, tf.linalg.cholesky(covariance))
