"""Objectives: one paper per file, its equation on top."""

from tf_disentangle.objectives.beta_vae import beta_vae
from tf_disentangle.objectives.chyvae import chyvae
from tf_disentangle.objectives.elbo import elbo
from tf_disentangle.objectives.objective import (
    Inference,
    KLCost,
    Objective,
    Penalty,
    Terms,
    WeightedKL,
)

#: Adding an objective is one entry here.
OBJECTIVES = {"beta_vae": beta_vae, "chyvae": chyvae, "elbo": elbo}

__all__ = [
    "OBJECTIVES",
    "Inference",
    "KLCost",
    "Objective",
    "Penalty",
    "Terms",
    "WeightedKL",
    "beta_vae",
    "chyvae",
    "elbo",
]
