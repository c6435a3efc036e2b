"""A Gaussian under an inverse-Wishart hyperprior on its covariance: CHyVAE's terms.

The model is Sigma ~ IW_p(Psi, nu), z | Sigma ~ N(0, Sigma), x | z. Given one z, Sigma
is again inverse-Wishart, and the regulariser of the paper's objective (13) is

    E_{Sigma ~ IW(Psi + z z^T, nu + 1)} KL(N(mu, S) || N(0, Sigma))
        + KL(IW(Psi + z z^T, nu + 1) || IW(Psi, nu)),    S = L L^T

which is written here as

    prior = InverseWishart(df=nu, scale_operator=psi)
    posterior = prior.conditioned_on(z)
    expected_gaussian_kl(mu, L, posterior) + tfd.kl_divergence(posterior, prior)

In this form values and gradients are accurate in float32 for nu from p + 1.5 to 100,000
and |z| up to about 3 sqrt(p); docs/reproduction.md has the ranges and what happens
beyond them. With a dense matrix in place of the update they are not accurate, and
cannot be: rounding the sum Psi + z z^T already loses z.

References:
    Ansari and Soh. "Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations". AAAI 2019, arXiv 1809.04497.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import rank_one
from tf_disentangle.distributions.inverse_wishart import InverseWishart
from tf_disentangle.distributions.math import digamma_p

tfd = tfp.distributions


class MeanFieldGaussian(tfd.MultivariateNormalTriL):
    """q(z|x) that also carries the q(Sigma|x) of the same image.

    Args:
        loc: mu [B, p].
        scale_tril: Factor of S, [B, p, p].
        covariance_posterior: q(Sigma|x), batch shape [B].
        name: Prefix of the operations' names.
    """

    def __init__(
        self,
        loc: tf.Tensor,
        scale_tril: tf.Tensor,
        covariance_posterior: InverseWishart,
        name: str = "MeanFieldGaussian",
    ) -> None:
        parameters = dict(locals())
        self.covariance_posterior = covariance_posterior
        super().__init__(loc, scale_tril, name=name)
        self._parameters = parameters

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType | None, num_classes: int | None = None
    ) -> dict[str, Any]:
        return {
            **super()._parameter_properties(dtype, num_classes),
            "covariance_posterior": tfp.util.BatchedComponentProperties(),
        }


def expected_gaussian_kl(
    loc: tf.Tensor, scale_tril: tf.Tensor, inverse_wishart: InverseWishart
) -> tf.Tensor:
    """Returns the KL from a Gaussian to N(0, Sigma), averaged over Sigma.

        E_{Sigma ~ IW(Phi, lam)} KL(N(mu, S) || N(0, Sigma))
            = 1/2 [lam tr(Phi^-1 (S + mu mu^T)) - p - log|S|
                   + log|Phi| - p log 2 - psi_p(lam/2)],    S = L L^T

    The second term of (13). psi_p is the multivariate digamma function.

    Args:
        loc: mu [..., p].
        scale_tril: L [..., p, p], its diagonal positive.
        inverse_wishart: IW(Phi, lam) of batch shape [...], usually a posterior
            `prior.conditioned_on(z)`; that form is accurate in float32.

    Returns:
        [...] nats, at least 0.

    Raises:
        ArgumentError: If the last dimensions of `loc` or `scale_tril` are not p.
    """
    phi, p = inverse_wishart.scale_operator, inverse_wishart.dimension
    loc = tf.convert_to_tensor(loc, inverse_wishart.dtype)
    scale_tril = tf.convert_to_tensor(scale_tril, inverse_wishart.dtype)
    rule = f"have shape [..., {p}]"
    checks.require(loc.shape[-1:] == [p], "loc", rule, tuple(loc.shape))
    rule = f"have shape [..., {p}, {p}]"
    shape = tuple(scale_tril.shape)
    checks.require(shape[-2:] == (p, p), "scale_tril", rule, shape)

    lam = tf.convert_to_tensor(inverse_wishart.df)
    log_det_s = 2 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(scale_tril)), axis=-1)
    trace = rank_one.inverse_quadratic(phi, scale_tril)
    trace += rank_one.inverse_quadratic(phi, loc[..., tf.newaxis])
    mean_log_det_wishart = tf.cast(p * math.log(2) + digamma_p(lam / 2, p), loc.dtype)
    log_dets = rank_one.log_determinant(phi) - mean_log_det_wishart - log_det_s
    return (lam * trace - p + log_dets) / 2


def marginal_student_t(
    inverse_wishart: InverseWishart,
) -> tfd.MultivariateStudentTLinearOperator:
    """Returns the marginal of z for z ~ N(0, Sigma), Sigma ~ IW(Psi, nu).

        p(z) = t_p(z; nu - p + 1 degrees of freedom, 0, Psi / (nu - p + 1))

    This is the prior of CHyVAE's model with the covariance integrated out; it is
    a *multivariate* Student-t, not a product of univariate ones.

    Args:
        inverse_wishart: IW(Psi, nu) of batch shape [...].

    Returns:
        A distribution over z [..., p].
    """
    p = inverse_wishart.dimension
    df = inverse_wishart.df - p + 1
    shrink = tf.linalg.LinearOperatorScaledIdentity(
        p, tf.math.rsqrt(df), is_non_singular=True
    )
    root = rank_one.factor(inverse_wishart.scale_operator)
    return tfd.MultivariateStudentTLinearOperator(
        df=df,
        loc=tf.zeros([p], inverse_wishart.dtype),
        scale=tf.linalg.LinearOperatorComposition([root, shrink], is_non_singular=True),
        validate_args=inverse_wishart.validate_args,
        allow_nan_stats=inverse_wishart.allow_nan_stats,
    )
