"""JointVAE: the KL of continuous and of categorical latents, each held at a capacity.

    L = E_q(z,c|x)[log p(x|z, c)] - gamma | mean_B KL(q(z|x) || p(z)) - C_z(t) |
                                  - gamma | mean_B KL(q(c|x) || p(c)) - C_c(t) |

(equation 7). A single capacity for both would be used by the continuous latents alone;
two make the categorical latents carry information. Their KL from uniform priors is at
most the sum of log n_i, and C_c is clipped there (appendix C for one latent, the
authors' code for several). As in AnnealedVAE and in that code, the absolute value is
taken of the batch mean. Without categorical latents this is AnnealedVAE.

A category that is certain need not be a category of objects: `InvariantCategories`,
which is ours and not the paper's, asks that it stay the same when an image is moved a
little.

`WeightedGroups` is the second of the paper's negative results (appendix D): one beta
for each group. The first, `beta_vae` on joint latents, and the third,
`CategoricalLatents(kl="relaxed")`, need no code of their own.

References:
    Dupont, "Learning Disentangled Joint Continuous and Discrete Representations",
    NeurIPS 2018, arXiv:1804.00104.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.annealed_vae import distance_to_capacity
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.schedules import LinearSchedule, Schedule, at_least_zero
from tf_disentangle.objectives.terms import (
    Bounds,
    KLTerm,
    Parts,
)

#: The part of the KL that is the categorical latents'.
DISCRETE = "kl_discrete"


@dataclasses.dataclass(frozen=True)
class JointCapacityKL(KLTerm):
    """gamma |mean_B KL_z - C_z(t)| + gamma |mean_B KL_c - min(C_c(t), bound)|.

    KL_c is the part "kl_discrete", KL_z the sum of the others. With several devices the
    mean is over each device's share of the batch.

    Attributes:
        capacity: C_z(t) in nats, never negative; None minimises KL_z as the ELBO does,
            so that a model such as CHyVAE stays as it is beside categorical latents.
        discrete_capacity: C_c(t) in nats, never negative.
        gamma: At least 0.
    """

    capacity: Schedule | None
    discrete_capacity: Schedule
    gamma: float = 30.0

    def __post_init__(self) -> None:
        checks.real(self.gamma, "gamma", at_least=0.0)
        if self.capacity is not None:
            at_least_zero(self.capacity, "capacity")
        at_least_zero(self.discrete_capacity, "discrete_capacity")

    @property
    def uses_kl(self) -> bool:
        """Whether it trains what the continuous latents' KL alone trains."""
        return self.gamma > 0 or self.capacity is None

    def __call__(self, kl: Parts, step: tf.Tensor, bounds: Bounds = None) -> tf.Tensor:
        """Returns the term, a scalar."""
        terms, capacities = [], self.scheduled(step, bounds)
        continuous = [part for name, part in kl.items() if name != DISCRETE]
        if continuous and self.capacity is None:
            terms.append(tf.reduce_mean(tf.add_n(continuous)))
        elif continuous:
            capacity, total = capacities["capacity_continuous"], tf.add_n(continuous)
            terms.append(distance_to_capacity(total, capacity, self.gamma))
        if DISCRETE in kl:
            capacity = capacities["capacity_discrete"]
            terms.append(distance_to_capacity(kl[DISCRETE], capacity, self.gamma))
        return tf.add_n(terms)

    def scheduled(self, step: tf.Tensor, bounds: Bounds = None) -> Parts:
        """Returns the capacities, the discrete one clipped at its bound."""
        discrete = self.discrete_capacity(step)
        if bounds and DISCRETE in bounds:
            discrete = tf.minimum(discrete, bounds[DISCRETE])
        if self.capacity is None:
            return {"capacity_discrete": discrete}
        continuous = self.capacity(step)
        return {"capacity_continuous": continuous, "capacity_discrete": discrete}


@dataclasses.dataclass(frozen=True)
class WeightedGroups(KLTerm):
    """beta_z KL_z + beta_c KL_c, [B]: tried in JointVAE's appendix D.

    Attributes:
        beta: Weight of the continuous latents' KL, at least 0.
        discrete_beta: Weight of the categorical latents' KL, at least 0.
    """

    beta: float = 4.0
    discrete_beta: float = 1.0

    def __post_init__(self) -> None:
        checks.real(self.beta, "beta", at_least=0.0)
        checks.real(self.discrete_beta, "discrete_beta", at_least=0.0)

    @property
    def uses_kl(self) -> bool:
        """Whether it trains what the continuous latents' KL alone trains."""
        return self.beta > 0

    def __call__(self, kl: Parts, step: tf.Tensor, bounds: Bounds = None) -> tf.Tensor:
        """Returns the weighted sum of the parts, [B]."""
        del step, bounds
        weights = {DISCRETE: self.discrete_beta}
        return tf.add_n([weights.get(n, self.beta) * part for n, part in kl.items()])


def joint_vae(
    gamma: float = 30.0,
    capacity: Schedule | None = None,
    discrete_capacity: Schedule | None = None,
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns JointVAE's objective (Dupont, 2018); the defaults are those for MNIST.

    Args:
        gamma: Weight of the difference between a KL and its capacity, at least 0.
        capacity: C_z(t) in nats, never negative; None means linear from 0 to 5 over
            25,000 steps.
        discrete_capacity: C_c(t), likewise; clipped at the upper bound of the KL.
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    ramp = LinearSchedule(0.0, 5.0, 25_000)
    kl_term = JointCapacityKL(
        ramp if capacity is None else capacity,
        ramp if discrete_capacity is None else discrete_capacity,
        gamma,
    )
    return Objective("joint_vae", likelihood, kl_term)
