"""Latent spaces and priors: encoder outputs -> q(z|x), p(z), samples, codes."""

from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.latents.hyperprior import InverseWishartPrior
from tf_disentangle.latents.priors import Prior, StandardNormalPrior

#: Adding a latent space or a prior is one entry here.
LATENTS = {"GaussianLatents": GaussianLatents}
PRIORS = {
    "StandardNormalPrior": StandardNormalPrior,
    "InverseWishartPrior": InverseWishartPrior,
}

__all__ = [
    "LATENTS",
    "PRIORS",
    "GaussianLatents",
    "InverseWishartPrior",
    "Latents",
    "Prior",
    "StandardNormalPrior",
]
