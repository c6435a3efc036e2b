"""Latent spaces: encoder outputs -> q(z|x), samples, codes."""

from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.categorical import CategoricalLatents, CategoricalPosterior
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.latents.location_scale import LocationScaleLatents
from tf_disentangle.latents.mean_field import MeanFieldLatents
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import (
    GaussianPosterior,
    IndependentPosterior,
    Posterior,
)
from tf_disentangle.latents.product import JointLatents, ProductPosterior

#: Adding a latent space is one entry here.
LATENTS = {
    "CategoricalLatents": CategoricalLatents,
    "GaussianLatents": GaussianLatents,
    "JointLatents": JointLatents,
    "LocationScaleLatents": LocationScaleLatents,
    "MeanFieldLatents": MeanFieldLatents,
}

__all__ = [
    "LATENTS",
    "CategoricalLatents",
    "CategoricalPosterior",
    "GaussianLatents",
    "GaussianPosterior",
    "IndependentPosterior",
    "JointLatents",
    "Latents",
    "LocationScaleLatents",
    "MeanFieldLatents",
    "Moments",
    "Posterior",
    "ProductPosterior",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)
