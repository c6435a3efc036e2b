"""Models: the parts wired as Keras models, one train_step each."""

from tf_disentangle.models.base import LatentModel
from tf_disentangle.models.critic_training import CriticTraining
from tf_disentangle.models.factor_vae import FactorVAE
from tf_disentangle.models.importance import Evidence, log_evidence
from tf_disentangle.models.infogan import InfoGAN
from tf_disentangle.models.vae import VAE
from tf_disentangle.models.zoo import gan, vae

#: Adding a model family is one entry here.
MODELS = {"gan": gan, "vae": vae}

__all__ = [
    "MODELS",
    "VAE",
    "CriticTraining",
    "Evidence",
    "FactorVAE",
    "InfoGAN",
    "LatentModel",
    "gan",
    "log_evidence",
    "vae",
]
