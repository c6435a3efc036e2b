"""beta-VAE: the ELBO with a weight on the KL.

    L = E_q(z|x)[log p(x|z)] - beta KL(q(z|x) || p(z))

References:
    Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework", ICLR 2017, equation (4).
"""

from tf_disentangle import checks
from tf_disentangle.distributions import Bernoulli, Likelihood
from tf_disentangle.objectives.objective import Objective, WeightedKL


def beta_vae(beta: float = 4.0, likelihood: Likelihood | None = None) -> Objective:
    """Returns the beta-VAE's objective; beta = 1 is the ELBO.

    Args:
        beta: Weight of the KL, at least 0.
        likelihood: p(x|z); None is Bernoulli on logits.
    """
    beta = checks.real(beta, "beta", at_least=0.0)
    return Objective("beta_vae", likelihood or Bernoulli(), WeightedKL(beta))
