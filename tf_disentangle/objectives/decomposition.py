"""The decomposition VAE: overlap and structure of the latents as two separate knobs.

    L = E_q(z|x)[log p(x|z)] - beta KL(q(z|x) || p(z)) - alpha D(q(z), p(z))

(equation 7). beta sets how far the codes of different data overlap, alpha how closely
the aggregate posterior q(z) = E_x q(z|x) follows the prior. D is estimated from the
batch and a sample of p(z) of equal size:

    "mmd":  sum over latents of MMD^2(q(z_l), p(z_l)), `distributions.mmd`
    "kl":   KL(p(z) || q(z)) ~ 1/B sum_b [log p(z_b) - log 1/B sum_j q(z_b | x_j)],
            z_b ~ p(z)

"mmd" compares only the marginals of the latents. "kl" is too high on average if q(z)
covers more data than the batch (Jensen), and exact in expectation if it does not.

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833; both estimates are those of its authors' code.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import Likelihood, mmd_per_dimension
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.schedules import Schedule
from tf_disentangle.objectives.terms import BatchPenalty, Inference, WeightedKL

if TYPE_CHECKING:
    from tf_disentangle.latents import Posterior
    from tf_disentangle.priors import Prior

DIVERGENCES = ("mmd", "kl")


def decomposition_vae(
    alpha: float = 1.0,
    beta: float | Schedule = 1.0,
    divergence: str = "mmd",
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns the decomposition VAE's objective (Mathieu et al., 2019).

    Args:
        alpha: Weight of D, at least 0.
        beta: Weight of the KL, at least 0; or a Schedule of it.
        divergence: D: "mmd" or "kl".
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    penalty = AggregateDivergence(alpha, divergence)
    return Objective("decomposition_vae", likelihood, WeightedKL(beta), (penalty,))


@dataclasses.dataclass(frozen=True)
class AggregateDivergence(BatchPenalty):
    """The penalty alpha D(q(z), p(z)), for any latent space and prior.

    Attributes:
        alpha: Its weight, at least 0; with 0 nothing is computed.
        divergence: "mmd" or "kl".
        name: Name of the term in the rows of a run.
    """

    alpha: float = 1.0
    divergence: str = "mmd"
    name: str = "weighted_divergence"

    def __post_init__(self) -> None:
        checks.real(self.alpha, "alpha", at_least=0.0)
        checks.one_of(self.divergence, DIVERGENCES, "divergence")

    @property
    def min_batch_size(self) -> int:
        """Two images, unless nothing is computed: one code has no distribution."""
        return 2 if self.alpha > 0 else 1

    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns alpha D, a scalar."""
        if self.alpha == 0:
            return tf.zeros([])
        prior = inference.latents.prior
        # Salted, since a prior may use the same seed for its KL.
        seed = tfp.random.sanitize_seed(inference.seed, salt="aggregate_divergence")
        prior_sample = prior.sample(tf.shape(inference.sample)[0], seed)
        if self.divergence == "mmd":
            value = tf.reduce_sum(mmd_per_dimension(inference.sample, prior_sample))
        else:
            value = prior_to_aggregate_kl(inference.posterior, prior, prior_sample)
        return self.alpha * value


def prior_to_aggregate_kl(
    posterior: Posterior, prior: Prior, prior_sample: tf.Tensor
) -> tf.Tensor:
    """Returns the estimate of KL(p(z) || q(z)) with q(z) the mean of the posteriors.

    Args:
        posterior: q(z|x), batch shape [B], event shape [L].
        prior: p(z).
        prior_sample: z [M, L], drawn from p(z).

    Returns:
        Scalar, in nats; on average at least 0.
    """
    pairwise = posterior.log_prob(prior_sample[:, tf.newaxis])  # [M, B]: z_m under x_j
    count = tf.cast(tf.shape(pairwise)[1], pairwise.dtype)
    log_aggregate = tf.reduce_logsumexp(pairwise, axis=1) - tf.math.log(count)
    return tf.reduce_mean(prior.distribution().log_prob(prior_sample) - log_aggregate)
