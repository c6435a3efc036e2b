"""Models: the parts wired as Keras models, one train_step each."""

from tf_disentangle import determinism
from tf_disentangle.models.base import LatentModel
from tf_disentangle.models.builders import build_infogan, build_vae
from tf_disentangle.models.critic_training import CriticTraining
from tf_disentangle.models.factor_vae import FactorVAE
from tf_disentangle.models.importance import LogEvidence, log_evidence
from tf_disentangle.models.infogan import InfoGAN
from tf_disentangle.models.vae import VAE

determinism.run_operations_in_turn()

#: Adding a model family is one entry here.
MODELS = {"build_infogan": build_infogan, "build_vae": build_vae}

__all__ = [
    "MODELS",
    "VAE",
    "CriticTraining",
    "FactorVAE",
    "InfoGAN",
    "LatentModel",
    "LogEvidence",
    "build_infogan",
    "build_vae",
    "log_evidence",
]


def __dir__() -> list[str]:
    """Lists the public names and the one module that error messages name."""
    return sorted([*__all__, "encoder"])
