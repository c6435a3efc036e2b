"""CHyVAE's mean-field form, q(z|x) q(Sigma|x): an experiment that the paper gave up.

    q(Sigma|x) = IW(Phi(x), lam(x)),   Phi and lam from the encoder
    KL = E_{q(Sigma|x)} KL(N(mu, S) || N(0, Sigma)) + KL(IW(Phi, lam) || IW(Psi, nu))

Section 3.1 reports that "training was unstable and results were poor", and gives no
parameterisation. The one here starts from the prior: encoder outputs of zero give
Phi = Psi and lam = nu, for which the second KL is 0. docs/free_combination.md has the
results.

The best q(Sigma|x) is known to be IW(Psi + S + mu mu^T, nu + 1), so the encoder only
learns what a formula gives. This form is here for comparison.

References:
    Ansari & Soh, "Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations", AAAI 2019, arXiv:1809.04497, section 3.1.
"""

from __future__ import annotations

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import InverseWishart, MeanFieldGaussian, rank_one
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import GaussianPosterior
from tf_disentangle.priors import MeanFieldInverseWishartPrior

tfd = tfp.distributions

# softplus(_UNIT) = 1.
_UNIT = math.log(math.e - 1)
# Smallest diagonal of T and smallest lam - (p - 1): at 0, Sigma would have no density.
_FLOOR = 1e-3


class MeanFieldLatents(GaussianLatents):
    """Gaussian latents whose encoder also emits a posterior of their covariance.

    In addition to the numbers of `GaussianLatents`, the encoder emits one number for
    lam and a p x p matrix whose lower triangle is T, with C C^T = Psi:

        lam = p - 1 + (nu - p + 1) softplus(.),   Phi = C T T^T C^T

    Args:
        num_latents: p, at least 1.
        covariance: That of q(z|x), "full" or "diagonal".
        prior: A `MeanFieldInverseWishartPrior`.
    """

    posterior_type = MeanFieldGaussian

    def __init__(
        self,
        num_latents: int = 10,
        covariance: str = "full",
        prior: MeanFieldInverseWishartPrior | None = None,
    ) -> None:
        checks.require(
            isinstance(prior, MeanFieldInverseWishartPrior),
            "prior",
            "be a MeanFieldInverseWishartPrior, the one that reads q(Sigma|x)",
            type(prior).__name__,
            "Use GaussianLatents with other priors.",
        )
        super().__init__(num_latents, covariance, prior)
        self.num_gaussian_parameters = self.num_parameters
        self.num_parameters += 1 + self.num_latents**2

    def posterior(self, parameters: tf.Tensor) -> GaussianPosterior:
        """Turns the encoder's output [B, num_parameters] into q(z|x), q(Sigma|x)."""
        count = self.num_gaussian_parameters
        gaussian = self._gaussian(parameters[:, :count])
        rest = tf.cast(parameters[:, count:], tf.float32)
        distribution = MeanFieldGaussian(
            gaussian.loc,
            gaussian.scale.to_dense(),
            self._covariance_posterior(rest[:, 0], rest[:, 1:]),
        )
        return GaussianPosterior(self, distribution)

    def moments(self, parameters: tf.Tensor) -> Moments:
        """Returns the moments of q(z|x), those of `GaussianLatents`."""
        return super().moments(parameters[:, : self.num_gaussian_parameters])

    def _covariance_posterior(
        self, raw_df: tf.Tensor, raw: tf.Tensor
    ) -> InverseWishart:
        """Returns q(Sigma|x), batch shape [B], from raw_df [B] and raw [B, p^2]."""
        p, hyperprior = self.num_latents, self.prior.inverse_wishart()
        excess = (self.prior.nu - p + 1) * tf.nn.softplus(raw_df + _UNIT)
        tril = tf.linalg.band_part(tf.reshape(raw, [-1, p, p]), -1, 0)
        diagonal = tf.nn.softplus(tf.linalg.diag_part(tril) + _UNIT) + _FLOOR
        tril = tf.linalg.set_diag(tril, diagonal)
        root = rank_one.factor(hyperprior.scale_operator)
        return InverseWishart(p - 1 + _FLOOR + excess, scale_tril=root.matmul(tril))
