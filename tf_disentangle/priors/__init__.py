"""Priors p(z): each gives the KL of a posterior as named parts."""

from tf_disentangle.priors.base import Prior, StandardNormalPrior
from tf_disentangle.priors.categorical import CategoricalPrior, JointPrior
from tf_disentangle.priors.factorial import (
    LaplacePrior,
    StudentTProductPrior,
    UniformPrior,
)
from tf_disentangle.priors.inverse_gamma import InverseGammaPrior
from tf_disentangle.priors.inverse_wishart import (
    InverseWishartPrior,
    MarginalInverseWishartPrior,
    MeanFieldInverseWishartPrior,
)
from tf_disentangle.priors.mixtures import NormalMixturePrior, SparsePrior
from tf_disentangle.priors.normal import NormalPrior

#: Adding a prior is one entry here.
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
    "UniformPrior": UniformPrior,
}

__all__ = [
    "PRIORS",
    "CategoricalPrior",
    "InverseGammaPrior",
    "InverseWishartPrior",
    "JointPrior",
    "LaplacePrior",
    "MarginalInverseWishartPrior",
    "MeanFieldInverseWishartPrior",
    "NormalMixturePrior",
    "NormalPrior",
    "Prior",
    "SparsePrior",
    "StandardNormalPrior",
    "StudentTProductPrior",
    "UniformPrior",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)
