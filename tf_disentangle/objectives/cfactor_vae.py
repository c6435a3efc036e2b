"""CFactorVAE: FactorVAE whose KL is held at a capacity C(t).

    L = E_q(z|x)[log p(x|z)] - | mean_B KL(q(z|x) || p(z)) - C(t) | - gamma TC
    TC = KL(q(z) || prod_j q(z_j)), by a critic as in `factor_vae.py`

(equation 12.) The distance from the KL to C has weight 1, the beta of the paper's
equation 9. The absolute value is taken of the batch mean, as in `annealed_vae.py`.

References:
    Wang, "Disentangling Latent Representations with CFactorized Variational
    Autoencoder", UC Santa Barbara, undated.
"""

from __future__ import annotations

from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.annealed_vae import CapacityKL
from tf_disentangle.objectives.factor_vae import CriticTotalCorrelation
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.schedules import LinearSchedule, Schedule


def cfactor_vae(
    gamma: float = 35.0,
    capacity: Schedule | None = None,
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns CFactorVAE's objective (Wang, undated); it needs a critic.

    The paper states neither gamma nor C: the defaults are FactorVAE's and
    AnnealedVAE's.

    Args:
        gamma: Weight of the total correlation, at least 0.
        capacity: C(t) in nats, never negative; None means linear from 0 to 25 over
            100,000 steps.
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    capacity = LinearSchedule(0.0, 25.0, 100_000) if capacity is None else capacity
    kl_term, penalty = CapacityKL(capacity, gamma=1.0), CriticTotalCorrelation(gamma)
    return Objective("cfactor_vae", likelihood, kl_term, (penalty,))
