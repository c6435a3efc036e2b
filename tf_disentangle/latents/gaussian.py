"""Gaussian latents: q(z|x) = N(mu(x), S(x)) with diagonal or full covariance."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import kl_or_monte_carlo
from tf_disentangle.latents.priors import Prior, StandardNormalPrior
from tf_disentangle.protocols import CodeColumn

tfd = tfp.distributions

# Added to the diagonal of L, and to S, by CHyVAE's published code.
_JITTER = 1e-4


class GaussianLatents(keras.layers.Layer):
    """L continuous latents with a Gaussian posterior and any prior.

    The encoder emits, per image,

    - diagonal: mu and log sigma^2, 2 L numbers (Kingma & Welling, 2014);
    - full: mu and an L x L matrix whose lower triangle is the factor T, with softplus
      and 1e-4 on its diagonal; S = T T^T + 1e-4 I (CHyVAE's code), L + L^2 numbers.

    Args:
        num_latents: L, at least 1.
        covariance: "diagonal" or "full".
        prior: p(z); None is the standard normal.
        name: Of the Keras layer.
    """

    def __init__(
        self,
        num_latents: int = 10,
        covariance: str = "diagonal",
        prior: Prior | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.num_latents = checks.integer(num_latents, "num_latents", at_least=1)
        self.covariance = checks.one_of(covariance, ("diagonal", "full"), "covariance")
        self.prior = StandardNormalPrior() if prior is None else prior
        checks.require_type(self.prior, Prior, "prior", "Pass a latents.Prior.")
        self.prior.build((None, self.num_latents))
        self.built = True

    @property
    def num_parameters(self) -> int:
        """How many numbers the encoder emits per image."""
        size = self.num_latents
        return 2 * size if self.covariance == "diagonal" else size + size**2

    @property
    def kl_names(self) -> tuple[str, ...]:
        """The keys of what `kl` returns."""
        return self.prior.kl_names

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return tuple(CodeColumn(f"z{i}") for i in range(self.num_latents))

    def posterior(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Turns the encoder's output [B, num_parameters] into q(z|x).

        The distribution is float32 whatever the encoder's precision: bfloat16 has no
        Cholesky, and a KL in it is wrong in the third digit.
        """
        size = self.num_latents
        parameters = tf.cast(parameters, tf.float32)
        loc, rest = parameters[:, :size], parameters[:, size:]
        if self.covariance == "diagonal":
            return tfd.MultivariateNormalDiag(loc, tf.exp(0.5 * rest))
        tril = tf.linalg.band_part(tf.reshape(rest, [-1, size, size]), -1, 0)
        diagonal = tf.nn.softplus(tf.linalg.diag_part(tril)) + _JITTER
        tril = tf.linalg.set_diag(tril, diagonal)
        covariance = tf.matmul(tril, tril, transpose_b=True) + _JITTER * tf.eye(size)
        return tfd.MultivariateNormalTriL(loc, tf.linalg.cholesky(covariance))

    def code(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the deterministic code [B, L] that metrics use: the mean."""
        return posterior.mean()

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of KL(q(z|x) || p(z)), each [B], in nats."""
        return self.prior.kl(posterior, sample, seed)

    def marginal_kl(self, posterior: tfd.Distribution, sample: tf.Tensor) -> tf.Tensor:
        """Returns KL(q(z_i|x) || p(z_i)) of each latent, [B, L], in nats.

        For a diagonal posterior and a product prior the sum over i is the KL; for a
        full covariance it is not. Where TFP has no closed form (a Student-t marginal)
        it is the one-sample estimate, to be averaged over many images.
        """
        marginals = tfd.Normal(posterior.mean(), posterior.stddev())
        return kl_or_monte_carlo(marginals, self.prior.marginals(), sample)
