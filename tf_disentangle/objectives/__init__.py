"""Objectives: one paper per file, its equation on top.

Every objective and part of one raises `ArgumentError` for a number outside the range
that its description states, and `ArgumentTypeError` for a value of another type.
"""

from tf_disentangle.objectives.annealed_vae import CapacityKL, annealed_vae
from tf_disentangle.objectives.beta_tcvae import (
    DimensionKL,
    MutualInformation,
    TotalCorrelation,
    beta_tcvae,
)
from tf_disentangle.objectives.beta_vae import beta_vae
from tf_disentangle.objectives.cfactor_vae import cfactor_vae
from tf_disentangle.objectives.chyvae import chyvae
from tf_disentangle.objectives.decomposition import (
    AggregateDivergence,
    decomposition_vae,
    prior_to_aggregate_kl,
)
from tf_disentangle.objectives.diagnostics import diagnostics
from tf_disentangle.objectives.dip_vae import CovariancePenalty, dip_vae_i, dip_vae_ii
from tf_disentangle.objectives.elbo import elbo
from tf_disentangle.objectives.factor_vae import (
    CriticTotalCorrelation,
    critic_total_correlation,
    factor_vae,
)
from tf_disentangle.objectives.infogan import (
    AdversarialObjective,
    GANLoss,
    NonSaturating,
    Wasserstein,
    gradient_penalty,
    infogan,
    infowgan_gp,
)
from tf_disentangle.objectives.invariant_categories import (
    InvariantCategories,
    RandomAffine,
)
from tf_disentangle.objectives.joint_vae import (
    JointCapacityKL,
    WeightedGroups,
    joint_vae,
)
from tf_disentangle.objectives.objective import DIAGNOSTICS, Objective, Terms
from tf_disentangle.objectives.schedules import (
    ConstantSchedule,
    CosineSchedule,
    CyclicSchedule,
    LinearSchedule,
    Schedule,
)
from tf_disentangle.objectives.terms import (
    BatchPenalty,
    Critic,
    CriticPenalty,
    Inference,
    KLTerm,
    Penalty,
    WeightedKL,
)

#: Adding an objective is one entry here.
OBJECTIVES = {
    "annealed_vae": annealed_vae,
    "beta_tcvae": beta_tcvae,
    "beta_vae": beta_vae,
    "cfactor_vae": cfactor_vae,
    "chyvae": chyvae,
    "decomposition_vae": decomposition_vae,
    "dip_vae_i": dip_vae_i,
    "dip_vae_ii": dip_vae_ii,
    "elbo": elbo,
    "factor_vae": factor_vae,
    "joint_vae": joint_vae,
}

#: For models with a generator and a critic of images. Adding one is one entry here.
ADVERSARIAL_OBJECTIVES = {"infogan": infogan, "infowgan_gp": infowgan_gp}
GAN_LOSSES = {"NonSaturating": NonSaturating, "Wasserstein": Wasserstein}

#: What any objective can be given: its term of the KL, further terms, and values that
#: change with the step. Adding one is one entry here.
KL_TERMS = {
    "CapacityKL": CapacityKL,
    "JointCapacityKL": JointCapacityKL,
    "WeightedGroups": WeightedGroups,
    "WeightedKL": WeightedKL,
}
PENALTIES = {
    "AggregateDivergence": AggregateDivergence,
    "CovariancePenalty": CovariancePenalty,
    "CriticTotalCorrelation": CriticTotalCorrelation,
    "DimensionKL": DimensionKL,
    "InvariantCategories": InvariantCategories,
    "MutualInformation": MutualInformation,
    "TotalCorrelation": TotalCorrelation,
}
#: Changes of images that keep what they show; `InvariantCategories` takes one.
VIEWS = {"RandomAffine": RandomAffine}
SCHEDULES = {
    "ConstantSchedule": ConstantSchedule,
    "CosineSchedule": CosineSchedule,
    "CyclicSchedule": CyclicSchedule,
    "LinearSchedule": LinearSchedule,
}

__all__ = [
    "ADVERSARIAL_OBJECTIVES",
    "DIAGNOSTICS",
    "GAN_LOSSES",
    "KL_TERMS",
    "OBJECTIVES",
    "PENALTIES",
    "SCHEDULES",
    "VIEWS",
    "AdversarialObjective",
    "AggregateDivergence",
    "BatchPenalty",
    "CapacityKL",
    "ConstantSchedule",
    "CosineSchedule",
    "CovariancePenalty",
    "Critic",
    "CriticPenalty",
    "CriticTotalCorrelation",
    "CyclicSchedule",
    "DimensionKL",
    "GANLoss",
    "Inference",
    "InvariantCategories",
    "JointCapacityKL",
    "KLTerm",
    "LinearSchedule",
    "MutualInformation",
    "NonSaturating",
    "Objective",
    "Penalty",
    "RandomAffine",
    "Schedule",
    "Terms",
    "TotalCorrelation",
    "Wasserstein",
    "WeightedGroups",
    "WeightedKL",
    "annealed_vae",
    "beta_tcvae",
    "beta_vae",
    "cfactor_vae",
    "chyvae",
    "critic_total_correlation",
    "decomposition_vae",
    "diagnostics",
    "dip_vae_i",
    "dip_vae_ii",
    "elbo",
    "factor_vae",
    "gradient_penalty",
    "infogan",
    "infowgan_gp",
    "joint_vae",
    "prior_to_aggregate_kl",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)
