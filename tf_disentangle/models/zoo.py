"""Named models, built from their parts for an image shape."""

from __future__ import annotations

from collections.abc import Callable

import keras

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, Latents
from tf_disentangle.models.factor_vae import CriticTraining, FactorVAE
from tf_disentangle.models.vae import VAE
from tf_disentangle.networks import conv_decoder, conv_encoder, mlp_critic
from tf_disentangle.objectives import Objective, elbo

PRECISIONS = ("float32", "mixed_bfloat16")

# Added to the seed of a critic: no other network's (seed, layer) can be the same.
_CRITIC = 2**63


def vae(
    image_shape: tuple[int, int, int],
    seed: int = 0,
    *,
    latents: Latents | None = None,
    objective: Objective | None = None,
    encoder: Callable[..., keras.Model] = conv_encoder,
    decoder: Callable[..., keras.Model] = conv_decoder,
    precision: str = "float32",
    critic: Callable[..., keras.Model] = mlp_critic,
    critic_training: CriticTraining | None = None,
) -> VAE:
    """Builds a VAE for images of one shape, or vectors (1, 1, C).

    It is a `FactorVAE`, with a critic, if a penalty of the objective needs one.

    Args:
        image_shape: (H, W, C).
        seed: Seed of the initial weights and of all draws in training.
        latents: Latent space with its prior; None is 10 latents, diagonal, N(0, I).
        objective: What to minimise; None is the ELBO.
        encoder: Called as encoder(image_shape, num_outputs, dtype=, seed=).
        decoder: Called as decoder(latents.num_decoded, image_shape, dtype=, seed=),
            with as many times the image's channels as the likelihood asks for.
        precision: "float32", or "mixed_bfloat16": networks compute in bfloat16 with
            float32 weights; distributions and losses stay in float32.
        critic: Called as critic(num_inputs, dtype=, seed=), if one is needed.
        critic_training: How it is trained; None is five updates a step.

    Raises:
        ArgumentError: If a part does not fit another, or the images no network.
    """
    image_shape = checks.image_shape(image_shape)
    checks.one_of(precision, PRECISIONS, "precision")
    for name, network, arguments, example in (
        ("encoder", encoder, (image_shape, 1), "conv_encoder"),
        ("decoder", decoder, (1, image_shape), "conv_decoder"),
        ("critic", critic, (1,), "mlp_critic"),
    ):
        fits = checks.accepts(network, *arguments, dtype=precision, seed=seed)
        rule = "be a function that makes a network from (..., dtype=, seed=)"
        checks.require(fits, name, rule, network, f"In gin: @{example}")
    latents = GaussianLatents() if latents is None else latents
    objective = elbo() if objective is None else objective
    remedy = "In gin, write @Name() with its parentheses."
    checks.require_type(latents, Latents, "latents", remedy)
    checks.require_type(objective, Objective, "objective", remedy)
    training = CriticTraining() if critic_training is None else critic_training
    checks.require_type(training, CriticTraining, "critic_training", remedy)
    *sides, channels = image_shape
    decoded = (*sides, channels * objective.likelihood.outputs_per_value)
    # Two seeds: with one, the layers of both networks would share their streams.
    parts = (
        encoder(image_shape, latents.num_parameters, dtype=precision, seed=2 * seed),
        decoder(latents.num_decoded, decoded, dtype=precision, seed=2 * seed + 1),
        latents,
        objective,
    )
    if not objective.critic_penalties:
        return VAE(*parts, seed)
    network = critic(latents.num_decoded, dtype=precision, seed=seed + _CRITIC)
    return FactorVAE(*parts, network, training, seed)
