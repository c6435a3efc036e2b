"""q(z|x) of a batch of images in a latent space: samples, codes and KL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import kl_or_monte_carlo

if TYPE_CHECKING:
    from tf_disentangle.latents.base import Latents

tfd = tfp.distributions


class Posterior:
    """q(z|x), batch shape [B], with its prior and its deterministic code.

    Below, L is the number of latents, M the number of continuous ones, and D the length
    of z: one number for each continuous latent, n for a categorical one of n values.

    A subclass for a family of posteriors defines `marginals`; everything else follows
    from the distribution. Without `marginals` there are no terms of single latents.

    Args:
        latents: The latent space that it belongs to.
        distribution: q(z|x), batch shape [B], event shape [D], reparameterised.
    """

    def __init__(self, latents: Latents, distribution: tfd.Distribution) -> None:
        self.latents = latents
        self.distribution = distribution

    # ---- Of z alone.

    def sample(self, seed: tf.Tensor, sample_shape: int | tuple = ()) -> tf.Tensor:
        """Draws z, float32 [*sample_shape, B, D]; `seed` is int32 [2]."""
        return self.distribution.sample(sample_shape, seed=seed)

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log q(z|x) [..., B] of z [..., B, D], in nats."""
        return self.distribution.log_prob(z)

    def marginals(self) -> tfd.Distribution:
        """Returns q(z_i|x) of each latent, batch shape [B, L], scalar events."""
        name = type(self).__name__
        raise NotImplementedError(f"{name} has no density of single latents.")

    def marginal_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log q(z_i|x) [..., B, L] of z [..., B, D], in nats."""
        return self.marginals().log_prob(z)

    def code(self) -> tf.Tensor:
        """Returns the deterministic code [B, L].

        It is the mean of a continuous latent, the most probable value of a
        categorical one.
        """
        return self.mean()

    def mean(self) -> tf.Tensor:
        """Returns the mean of the continuous latents, [B, M]."""
        return self.distribution.mean()

    def covariance(self) -> tf.Tensor:
        """Returns the covariance of the continuous latents, [B, M, M]."""
        return self.distribution.covariance()

    def stddev(self) -> tf.Tensor:
        """Returns the standard deviation of each latent, [B, L].

        For a categorical latent with probabilities p it is that of its one-hot vector
        as a whole, sqrt(1 - sum_k p_k^2): 0 where the value is certain.
        """
        return self.distribution.stddev()

    def probabilities(self) -> Mapping[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each categorical latent, by its name."""
        return {}

    # ---- Compared with the prior, in nats.

    def kl(self, sample: tf.Tensor, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of KL(q(z|x) || p(z)), each [B].

        Args:
            sample: z [B, D], drawn from this posterior.
            seed: int32 [2], for parts that need random numbers of their own.
        """
        return self.latents.prior.kl(self.distribution, sample, seed)

    def marginal_kl(self, sample: tf.Tensor) -> tf.Tensor:
        """Returns KL(q(z_i|x) || p(z_i)) of each latent, [B, L].

        Where q(z|x) and p(z) are products over the latents, the sum over i is the KL;
        elsewhere it is not. Where TFP has no closed form (a Student-t marginal), this
        is the estimate from one sample, to be averaged over many images.
        """
        prior = self.latents.prior.marginals()
        return kl_or_monte_carlo(self.marginals(), prior, sample)

    def information(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log q(z_i|x) - log p(z_i) of each latent, [B, L].

        Its mean over z ~ p(z) and images x generated from them bounds the mutual
        information I(z_i; x) from below (Barber & Agakov, 2003).

        Args:
            z: [B, D], from which the images were generated; categories are one-hot.
        """
        prior = self.latents.prior.marginal_log_prob(z)
        return self.marginal_log_prob(z) - prior


class GaussianPosterior(Posterior):
    """A multivariate normal q(z|x)."""

    def marginals(self) -> tfd.Normal:
        """Returns q(z_i|x) of each latent, batch shape [B, L], scalar events."""
        return tfd.Normal(self.distribution.mean(), self.distribution.stddev())


class IndependentPosterior(Posterior):
    """A `tfd.Independent` q(z|x): a product over the latents."""

    def marginals(self) -> tfd.Distribution:
        """Returns q(z_i|x) of each latent, batch shape [B, L], scalar events."""
        return self.distribution.distribution

    def covariance(self) -> tf.Tensor:
        """Returns the diagonal covariance, [B, L, L]."""
        return tf.linalg.diag(self.distribution.variance())
