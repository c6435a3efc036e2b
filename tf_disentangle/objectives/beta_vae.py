"""beta-VAE: the ELBO with a weight on the KL.

    L = E_q(z|x)[log p(x|z)] - beta KL(q(z|x) || p(z))

beta may change with the step, for example to be annealed.

References:
    Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework", ICLR 2017, equation (4).
"""

from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.schedules import Schedule
from tf_disentangle.objectives.terms import WeightedKL


def beta_vae(
    beta: float | Schedule = 4.0, likelihood: Likelihood | None = None
) -> Objective:
    """Returns beta-VAE's objective (Higgins et al., 2017); beta = 1 is the ELBO.

    Args:
        beta: Weight of the KL, at least 0; or a Schedule of it.
        likelihood: p(x|z); None means Bernoulli on logits.

    Example:
        >>> import tf_disentangle as td
        >>> td.objectives.beta_vae(beta=6.0).kl_term
        WeightedKL(beta=6.0)
    """
    return Objective("beta_vae", likelihood, WeightedKL(beta))
