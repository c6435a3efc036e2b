"""A hyperprior on the variance of each latent by itself.

    s_i ~ IG(a, b),   z_i | s_i ~ N(0, s_i),   Sigma = diag(s)

It takes the place of CHyVAE's inverse-Wishart, with the same structured posterior,
q(s_i | z_i) = IG(a + 1/2, b + z_i^2/2), exact by conjugacy, and the same two KL terms.
Its purpose: under Psi = c I the inverse-Wishart is indifferent to rotations of the
latents. This prior is not, because p(z) is a *product* of Student-t densities, whose
heavy tails lie along the axes. A small a lets each latent choose its variance anew for
each image; a large a fixes it at b/a.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import expected_product_normal_kl
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions

_FIGURE_A = (1.0, 10.0, 100.0)


class InverseGammaPrior(Prior):
    """p(z) = product over i of the integral of N(z_i | 0, s) IG(s | a, b_i) over s.

    With the variances integrated out, z_i is Student-t with 2 a degrees of freedom and
    scale sqrt(b_i/a). q(z|x) may be of any family with finite variances.

    Args:
        concentration: a, greater than 0. Smaller gives heavier tails.
        scale: b, greater than 0, or one for each latent; None means a, so that each z_i
            is a Student-t of scale 1.
    """

    kl_names = ("kl_gaussian", "kl_covariance")
    label = "s ~ IG, z ~ N(0, diag(s))"

    def __init__(
        self, concentration: float, scale: float | Sequence[float] | None = None
    ) -> None:
        super().__init__()
        self.concentration = checks.real(concentration, "concentration", above=0.0)
        self.scale = self.concentration if scale is None else scale
        for value in np.atleast_1d(np.asarray(self.scale, object)):
            checks.real(value, "scale", above=0.0)

    def build(self, input_shape: tuple) -> None:
        """Checks the scales against the number of latents."""
        super().build(input_shape)
        rule = f"be one number, or {self.num_latents} for {self.num_latents} latents"
        fits = np.shape(self.scale) in ((), (1,), (self.num_latents,))
        checks.require(fits, "scale", rule, self.scale)
        self.scales = np.broadcast_to(
            np.asarray(self.scale, np.float32), self.num_latents
        )

    def inverse_gamma(self, concentration: float | None = None) -> tfd.InverseGamma:
        """Returns the hyperprior over s, batch shape [L].

        Args:
            concentration: A value of a other than the prior's own, at the same b/a, for
                comparisons.
        """
        a = self.concentration if concentration is None else concentration
        return tfd.InverseGamma(a, self.scales * np.float32(a / self.concentration))

    def marginals(self) -> tfd.Distribution:
        """Returns the L Student-t marginals, 2 a degrees of freedom."""
        a = self.concentration
        scale = tf.sqrt(tf.constant(self.scales / a, tf.float32))
        return tfd.StudentT(2.0 * a, tf.zeros(self.num_latents), scale)

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns samples of Sigma for three a and the prior's own, at its b/a."""
        matrices = {}
        for a in sorted({*_FIGURE_A, self.concentration}):
            variances = self.inverse_gamma(a).sample(1, seed=seed)[0]
            own = " (this model)" if a == self.concentration else ""
            if np.isfinite(variances).all():
                matrices[f"a = {a:g}{own}"] = np.diag(variances)
        return matrices

    def sample(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws s, then z ~ N(0, diag(s)), [num_samples, L]."""
        variance_seed, z_seed = tfp.random.split_seed(seed, n=2)
        variances = self.inverse_gamma().sample(num_samples, seed=variance_seed)
        normal = tf.random.stateless_normal([num_samples, self.num_latents], z_seed)
        return tf.sqrt(variances) * normal

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the two KL terms of CHyVAE's (13) for this model, each [B], in nats.

            kl_gaussian   = E_{q(s|z')} KL(q(z|x) || N(0, diag(s)))
            kl_covariance = sum_i KL(IG(a + 1/2, b + z'_i^2/2) || IG(a, b))

        As there, z' is drawn independently of the `sample` that is decoded.
        """
        del sample
        z = posterior.sample(seed=seed)
        hyperprior = self.inverse_gamma()
        q_variances = tfd.InverseGamma(
            hyperprior.concentration + 0.5, hyperprior.scale + tf.square(z) / 2
        )
        covariance = tfd.kl_divergence(q_variances, hyperprior)
        return {
            "kl_gaussian": expected_product_normal_kl(posterior, q_variances),
            "kl_covariance": tf.reduce_sum(covariance, axis=-1),
        }
