"""Latent spaces and priors: encoder outputs -> q(z|x), p(z), samples, codes."""

from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.categorical import CategoricalLatents
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.latents.hyperprior import (
    InverseWishartPrior,
    MarginalInverseWishartPrior,
)
from tf_disentangle.latents.inverse_gamma import InverseGammaPrior
from tf_disentangle.latents.joint import JointLatents
from tf_disentangle.latents.laplace import LaplacePrior
from tf_disentangle.latents.location_scale import LocationScaleLatents
from tf_disentangle.latents.mean_field import (
    MeanFieldInverseWishartPrior,
    MeanFieldLatents,
)
from tf_disentangle.latents.mixtures import NormalMixturePrior, SparsePrior
from tf_disentangle.latents.normal import NormalPrior
from tf_disentangle.latents.priors import Prior, StandardNormalPrior
from tf_disentangle.latents.student_t import StudentTProductPrior

#: Adding a latent space or a prior is one entry here.
LATENTS = {
    "CategoricalLatents": CategoricalLatents,
    "GaussianLatents": GaussianLatents,
    "JointLatents": JointLatents,
    "LocationScaleLatents": LocationScaleLatents,
    "MeanFieldLatents": MeanFieldLatents,
}
PRIORS = {
    "StandardNormalPrior": StandardNormalPrior,
    "InverseWishartPrior": InverseWishartPrior,
    "MarginalInverseWishartPrior": MarginalInverseWishartPrior,
    "MeanFieldInverseWishartPrior": MeanFieldInverseWishartPrior,
    "InverseGammaPrior": InverseGammaPrior,
    "LaplacePrior": LaplacePrior,
    "NormalPrior": NormalPrior,
    "NormalMixturePrior": NormalMixturePrior,
    "SparsePrior": SparsePrior,
    "StudentTProductPrior": StudentTProductPrior,
}

__all__ = [
    "LATENTS",
    "PRIORS",
    "CategoricalLatents",
    "GaussianLatents",
    "InverseGammaPrior",
    "InverseWishartPrior",
    "JointLatents",
    "LaplacePrior",
    "Latents",
    "LocationScaleLatents",
    "MarginalInverseWishartPrior",
    "MeanFieldInverseWishartPrior",
    "MeanFieldLatents",
    "NormalMixturePrior",
    "NormalPrior",
    "Prior",
    "SparsePrior",
    "StandardNormalPrior",
    "StudentTProductPrior",
]
