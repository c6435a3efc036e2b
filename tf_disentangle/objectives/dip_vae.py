"""DIP-VAE I and II: the covariance of the code is pulled to the identity.

    L = ELBO - lambda_od sum_{i != j} C_ij^2 - lambda_d sum_i (C_ii - 1)^2
    I:   C = Cov_x[mu(x)]
    II:  C = Cov_x[mu(x)] + E_x[S(x)],  the covariance of the aggregate posterior

mu(x) and S(x) are the mean and covariance of q(z|x); II uses all of S(x), including any
part off its diagonal. Covariance and mean are over the batch, divided by B as in the
published code. If some latents are categorical, C is the covariance of the continuous
ones.

References:
    Kumar, Sattigeri & Balakrishnan, "Variational Inference of Disentangled Latent
    Concepts from Unlabeled Observations", ICLR 2018, arXiv:1711.00848.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.terms import BatchPenalty, Inference

#: C is the covariance of the posterior means (I) or of the sampled codes (II).
OF = ("means", "samples")


def code_covariance(inference: Inference, of: str) -> tf.Tensor:
    """Returns C [L, L] of a batch, over its continuous latents.

    Args:
        inference: Posterior of the batch.
        of: "means", Cov[mu(x)], or "samples", Cov[mu(x)] + E[S(x)].
    """
    means = inference.posterior.mean()
    centred = means - tf.reduce_mean(means, axis=0)
    size = tf.cast(tf.shape(means)[0], means.dtype)
    covariance = tf.matmul(centred, centred, transpose_a=True) / size
    if of == "means":
        return covariance
    within = inference.posterior.covariance()
    return covariance + tf.reduce_mean(within, axis=0)


def squared_distance_to_identity(
    covariance: tf.Tensor, lambda_od: float, lambda_d: float
) -> tf.Tensor:
    """Returns lambda_od sum_{i != j} C_ij^2 + lambda_d sum_i (C_ii - 1)^2, a scalar.

    Args:
        covariance: C [L, L].
        lambda_od: Weight off the diagonal, where every pair counts twice.
        lambda_d: Weight on the diagonal.
    """
    diagonal = tf.linalg.diag_part(covariance)
    rest = tf.linalg.set_diag(covariance, tf.zeros_like(diagonal))
    off, on = (tf.reduce_sum(tf.square(x)) for x in (rest, diagonal - 1.0))
    return lambda_od * off + lambda_d * on


@dataclasses.dataclass(frozen=True)
class CovariancePenalty(BatchPenalty):
    """DIP-VAE's penalty, for any posterior with two moments.

    Attributes:
        lambda_od: Weight off the diagonal, at least 0.
        lambda_d: Weight on the diagonal, at least 0.
        of: "means" (DIP-VAE-I) or "samples" (DIP-VAE-II).
        name: Name of the term in the rows of a run.
    """

    lambda_od: float
    lambda_d: float
    of: str = "means"
    name: str = "weighted_covariance"

    def __post_init__(self) -> None:
        checks.real(self.lambda_od, "lambda_od", at_least=0.0)
        checks.real(self.lambda_d, "lambda_d", at_least=0.0)
        checks.one_of(self.of, OF, "of")

    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns the penalty, a scalar."""
        covariance = code_covariance(inference, self.of)
        return squared_distance_to_identity(covariance, self.lambda_od, self.lambda_d)


def dip_vae_i(
    lambda_od: float = 10.0,
    lambda_d: float | None = None,
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns DIP-VAE-I's objective (Kumar et al., 2018); weights of 0 give the ELBO.

    Args:
        lambda_od: Weight off the diagonal, at least 0.
        lambda_d: Weight on the diagonal, at least 0; None means 10 lambda_od, as in the
            study of Locatello et al. (2019).
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    if lambda_d is None:
        lambda_d = 10.0 * checks.real(lambda_od, "lambda_od", at_least=0.0)
    penalty = CovariancePenalty(lambda_od, lambda_d, "means")
    return Objective("dip_vae_i", likelihood, penalties=(penalty,))


def dip_vae_ii(
    lambda_od: float = 10.0,
    lambda_d: float | None = None,
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns DIP-VAE-II's objective (Kumar et al., 2018); weights of 0 give the ELBO.

    Args:
        lambda_od: As in `dip_vae_i`.
        lambda_d: As in `dip_vae_i`, but None means lambda_od.
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    lambda_d = lambda_od if lambda_d is None else lambda_d
    penalty = CovariancePenalty(lambda_od, lambda_d, "samples")
    return Objective("dip_vae_ii", likelihood, penalties=(penalty,))
