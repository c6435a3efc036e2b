"""The evidence lower bound: the VAE.

    ELBO = E_q(z|x)[log p(x|z)] - KL(q(z|x) || p(z))

References:
    Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, arXiv:1312.6114,
    equation (3).
"""

from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.objective import Objective


def elbo(likelihood: Likelihood | None = None) -> Objective:
    """Returns the negative ELBO, to be minimised (Kingma & Welling, 2014).

    Args:
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    return Objective("elbo", likelihood)
