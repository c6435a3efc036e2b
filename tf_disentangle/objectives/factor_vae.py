"""FactorVAE: the ELBO less gamma times the total correlation, by a critic.

    L = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z)) - gamma TC
    TC = KL(q(z) || prod_j q(z_j)) ~ E_q(z)[log D(z) - log(1 - D(z))]

(equations 4 and 5.) D(z) is the critic's probability that z is a code and not a
permuted one. It is trained alongside the VAE, to minimise

    -1/2 E_q(z)[log D(z)] - 1/2 E[log(1 - D(z'))],   z' ~ prod_j q(z_j)

where z' combines latents of several images: the values of each latent are permuted over
the batch independently of the others. The network outputs the logit of D, which is the
log density ratio itself. `models/factor_vae.py` trains both.

The estimate is too low while the critic has not learnt the ratio, and too high where
it has memorised the batch; benchmarks/critic_tc.py has figures.

References:
    Kim & Mnih, "Disentangling by Factorising", ICML 2018, arXiv:1802.05983.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.terms import BatchPenalty, CriticPenalty, Inference


def critic_total_correlation(inference: Inference) -> tf.Tensor:
    """Returns the critic's logit of each sample, [B]: on average the total correlation.

    It is in nats, and only as accurate as the critic.
    """
    return inference.require_critic()(inference.sample)[:, 0]


def permute_latents(
    samples: tf.Tensor, groups: Sequence[slice], seed: tf.Tensor
) -> tf.Tensor:
    """Returns samples [B, D] with each latent permuted over the batch independently.

    Args:
        samples: [B, D].
        groups: The columns of each latent, which stay together.
        seed: int32 [2].
    """
    sizes = [group.stop - group.start for group in groups]
    keys = tf.random.stateless_uniform([tf.shape(samples)[0], len(sizes)], seed)
    rows = tf.repeat(tf.argsort(keys, axis=0), sizes, axis=1)
    # Each column has its own order of rows, so columns are gather's batch dimension.
    columns = tf.gather(tf.transpose(samples), tf.transpose(rows), batch_dims=1)
    return tf.transpose(columns)


@dataclasses.dataclass(frozen=True)
class CriticTotalCorrelation(BatchPenalty, CriticPenalty):
    """gamma KL(q(z) || prod_j q(z_j)), [B], by a critic.

    Attributes:
        gamma: At least 0.
        name: Name of the term in the rows of a run.
    """

    gamma: float = 35.0
    name: str = "weighted_critic_total_correlation"

    def __post_init__(self) -> None:
        checks.real(self.gamma, "gamma", at_least=0.0)

    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns the weighted estimate, [B]."""
        return self.gamma * critic_total_correlation(inference)

    def critic_loss(
        self, inference: Inference, others: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Returns the cross entropy of telling codes from permuted ones, a scalar.

        It is log 2 for a critic that has learnt nothing, and for independent latents.
        """
        critic, groups = inference.require_critic(), inference.latents.groups
        codes = tf.stop_gradient(inference.sample)
        permuted = permute_latents(tf.stop_gradient(others), groups, seed)
        # A single pass over both reads the critic's weights only once.
        logits = critic(tf.concat([codes, permuted], axis=0))
        count = tf.shape(codes)[0]
        codes_loss = tf.reduce_mean(tf.nn.softplus(-logits[:count]))
        permuted_loss = tf.reduce_mean(tf.nn.softplus(logits[count:]))
        return 0.5 * (codes_loss + permuted_loss)


def factor_vae(gamma: float = 35.0, likelihood: Likelihood | None = None) -> Objective:
    """Returns FactorVAE's objective (Kim & Mnih, 2018); it needs a critic.

    Args:
        gamma: Weight of the total correlation, at least 0; 35 is the paper's best for
            dSprites.
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    penalty = CriticTotalCorrelation(gamma)
    return Objective("factor_vae", likelihood, penalties=(penalty,))
