"""CHyVAE's prior in its mean-field form, q(z|x) q(Sigma|x).

    KL = E_{q(Sigma|x)} KL(N(mu, S) || N(0, Sigma)) + KL(IW(Phi, lam) || IW(Psi, nu))

`latents/mean_field.py` has the posterior and the reference.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import MeanFieldGaussian, expected_gaussian_kl
from tf_disentangle.priors.inverse_wishart import InverseWishartPrior

tfd = tfp.distributions


class MeanFieldInverseWishartPrior(InverseWishartPrior):
    """CHyVAE's prior, its KL taken with the encoder's own q(Sigma|x).

    Args:
        nu: As `InverseWishartPrior`.
        sigma0: As `InverseWishartPrior`.
        name: Of the Keras layer.
    """

    requires_kl_term = True

    def check_posterior(self, posterior_type: type[tfd.Distribution]) -> None:
        """Checks that the latents give a q(Sigma|x)."""
        checks.require(
            issubclass(posterior_type, MeanFieldGaussian),
            "prior",
            f"fit the latents' posterior, {posterior_type.__name__}",
            f"{type(self).__name__}, which needs a q(Sigma|x)",
            "Use MeanFieldLatents, or InverseWishartPrior.",
        )

    def kl(
        self, posterior: MeanFieldGaussian, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the two KL terms above, each [B], in nats; nothing is drawn."""
        del sample, seed
        q_sigma = posterior.covariance_posterior
        return {
            "kl_gaussian": expected_gaussian_kl(
                posterior.mean(), posterior.scale.to_dense(), q_sigma
            ),
            "kl_covariance": tfd.kl_divergence(q_sigma, self.inverse_wishart()),
        }
