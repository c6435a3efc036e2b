"""The names that users rely on, and that each says what it is."""

import importlib
import inspect

import pytest

import tf_disentangle

NAMES = {
    "datasets": [
        "Colored",
        "Correlated",
        "CorrelatedEllipses",
        "HeldOut",
        "Noisy",
        "OnBackground",
        "Pinwheel",
        "Rooms3D",
        "Subset",
        "principal_shares",
    ],
    "distributions": [
        "Bernoulli",
        "InverseWishart",
        "mmd_per_dimension",
        "Normal",
    ],
    "latents": [
        "CategoricalLatents",
        "GaussianLatents",
        "InverseGammaPrior",
        "InverseWishartPrior",
        "JointLatents",
        "LaplacePrior",
        "Latents",
        "LocationScaleLatents",
        "MarginalInverseWishartPrior",
        "NormalMixturePrior",
        "NormalPrior",
        "SparsePrior",
        "StandardNormalPrior",
        "StudentTProductPrior",
    ],
    "metrics": ["factor_vae_score"],
    "models": [
        "CriticTraining",
        "FactorVAE",
        "InfoGAN",
        "LatentModel",
        "gan",
        "log_evidence",
        "vae",
        "VAE",
    ],
    "networks": [
        "conv_decoder",
        "conv_encoder",
        "mlp_critic",
        "mlp_decoder",
        "mlp_encoder",
    ],
    "objectives": [
        "annealed_vae",
        "beta_tcvae",
        "beta_vae",
        "cfactor_vae",
        "chyvae",
        "decomposition_vae",
        "dip_vae_i",
        "dip_vae_ii",
        "elbo",
        "factor_vae",
        "infogan",
        "infowgan_gp",
        "joint_vae",
    ],
    "serving": ["export"],
    "training": ["train"],
    "visualization": [
        "dataset_figure",
        "reconstructions",
        "scatters",
        "traversals",
    ],
}


@pytest.mark.parametrize("room", NAMES)
def test_promised_names_are_there(room):
    module = getattr(tf_disentangle, room)
    for name in NAMES[room]:
        assert name in module.__all__


@pytest.mark.parametrize("room", [r for r in tf_disentangle.__all__ if r in NAMES])
def test_everything_public_is_described(room):
    module = importlib.import_module(f"tf_disentangle.{room}")
    for name in module.__all__:
        item = getattr(module, name)
        if not inspect.isclass(item) and not inspect.isfunction(item):
            continue
        assert inspect.getdoc(item), f"{room}.{name}"
        if inspect.isfunction(item) and inspect.signature(item).parameters:
            doc = inspect.getdoc(item)
            assert "Args:" in doc or len(inspect.signature(item).parameters) < 3, name


def test_load_is_public():
    assert callable(tf_disentangle.load)
    assert tf_disentangle.__version__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tf_disentangle.nothing  # noqa: B018
