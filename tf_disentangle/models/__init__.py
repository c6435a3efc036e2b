"""Models: the parts wired as Keras models, one train_step each."""

from tf_disentangle.models.factor_vae import CriticTraining, FactorVAE
from tf_disentangle.models.importance import Evidence, log_evidence
from tf_disentangle.models.vae import VAE
from tf_disentangle.models.zoo import vae

#: Adding a model family is one entry here.
MODELS = {"vae": vae}

__all__ = [
    "MODELS",
    "VAE",
    "CriticTraining",
    "Evidence",
    "FactorVAE",
    "log_evidence",
    "vae",
]
