"""CHyVAE: the ELBO of the model with an inverse-Wishart hyperprior.

    L = E_q(z|x)[log p(x|z)]
        - E_{p(Sigma|z)} KL(N(mu, S) || N(0, Sigma))
        - E_q(z|x) KL(IW(Phi, lam) || IW(Psi, nu))
    Phi = Psi + z z^T,  lam = nu + 1

(equation 13). The hyperprior and its two KL terms, kl_gaussian and kl_covariance, are
`priors.InverseWishartPrior`; their closed forms are in `distributions/`, in
`gaussian_inverse_wishart.py` and `inverse_wishart.py`. Any prior with these two parts
will do: `InverseGammaPrior` has a separate hyperprior on each variance, and
`MeanFieldInverseWishartPrior` takes q(Sigma|x) from the encoder. With the
covariance integrated out (`MarginalInverseWishartPrior`) there is one KL, and the
objective is `elbo`.

References:
    Ansari & Soh, "Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations", AAAI 2019, arXiv:1809.04497.
"""

from tf_disentangle.distributions import Likelihood
from tf_disentangle.objectives.objective import Objective


def chyvae(likelihood: Likelihood | None = None) -> Objective:
    """Returns CHyVAE's objective (Ansari & Soh, 2019), for a covariance hyperprior.

    Args:
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    return Objective("chyvae", likelihood, requires=("kl_gaussian", "kl_covariance"))
