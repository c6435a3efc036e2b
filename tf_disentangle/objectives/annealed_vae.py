"""AnnealedVAE, or beta-VAE with controlled capacity: the KL is held at C(t).

    L = E_q(z|x)[log p(x|z)] - gamma | mean_B KL(q(z|x) || p(z)) - C(t) |

The absolute value is taken of the batch mean: images may differ in how many nats they
need, as long as the batch has C(t) on average. With C = 0 it is beta-VAE with
beta = gamma (a KL in closed form is not negative), and with gamma = 0 an autoencoder
with noise in the code.

References:
    Burgess et al., "Understanding disentangling in beta-VAE", 2018, arXiv:1804.03599,
    equation (8). "AnnealedVAE" is the name in Locatello et al., ICML 2019,
    arXiv:1811.12359, whose settings are the defaults.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.schedules import LinearSchedule, Schedule, at_least_zero
from tf_disentangle.objectives.terms import Bounds, KLTerm, Parts


def distance_to_capacity(kl: tf.Tensor, capacity: tf.Tensor, gamma: float) -> tf.Tensor:
    """Returns gamma |mean_B KL - C|, a scalar in nats.

    Args:
        kl: [B] nats: of all latents, or of one group of them.
        capacity: C, scalar nats.
        gamma: Weight of the difference.
    """
    return gamma * tf.abs(tf.reduce_mean(kl) - capacity)


@dataclasses.dataclass(frozen=True)
class CapacityKL(KLTerm):
    """gamma |mean_B KL - C(t)| over the sum of the KL's parts.

    With several devices the mean is over each device's share of the batch.

    Attributes:
        capacity: C(t) in nats, never negative.
        gamma: At least 0.
    """

    capacity: Schedule
    gamma: float = 1000.0

    def __post_init__(self) -> None:
        checks.real(self.gamma, "gamma", at_least=0.0)
        at_least_zero(self.capacity, "capacity")

    @property
    def uses_kl(self) -> bool:
        """Whether gamma is more than 0."""
        return self.gamma > 0

    def __call__(self, kl: Parts, step: tf.Tensor, bounds: Bounds = None) -> tf.Tensor:
        """Returns the term, a scalar."""
        del bounds  # Bounds are for single parts, the capacity for their sum.
        total = tf.add_n(list(kl.values()))
        return distance_to_capacity(total, self.capacity(step), self.gamma)

    def scheduled(self, step: tf.Tensor, bounds: Bounds = None) -> Parts:
        """Returns the capacity C(t)."""
        del bounds
        return {"capacity": self.capacity(step)}


def annealed_vae(
    gamma: float = 1000.0,
    capacity: Schedule | None = None,
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns AnnealedVAE's objective (Burgess et al., 2018).

    Args:
        gamma: Weight of the difference between KL and capacity, at least 0.
        capacity: C(t) in nats, never negative; None means linear from 0 to 25 over
            100,000 steps.
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    capacity = LinearSchedule(0.0, 25.0, 100_000) if capacity is None else capacity
    return Objective("annealed_vae", likelihood, CapacityKL(capacity, gamma))
