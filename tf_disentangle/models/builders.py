"""Named models, built from their parts for an image shape."""

from __future__ import annotations

from collections.abc import Callable

import keras

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, Latents
from tf_disentangle.models.critic_training import CriticTraining
from tf_disentangle.models.factor_vae import FactorVAE
from tf_disentangle.models.infogan import InfoGAN
from tf_disentangle.models.vae import VAE
from tf_disentangle.networks import conv_decoder, conv_encoder, mlp_critic
from tf_disentangle.objectives import (
    AdversarialObjective,
    Objective,
    elbo,
    infowgan_gp,
)

PRECISIONS = ("float32", "mixed_bfloat16")

# Added to the seed of a critic: no other network's (seed, layer) can be the same.
_CRITIC = 2**63

_PARENTHESES = "In gin, write @Name() with its parentheses."
_WHOSE_OBJECTIVE = (
    "In gin, write @Name() with its parentheses; @infogan() and @infowgan_gp() are for "
    "the model @build_infogan, all others for @build_vae."
)


def build_vae(
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
    _check_networks(image_shape, precision, encoder, decoder)
    _check_makes("critic", critic, (1,), precision, "mlp_critic")
    latents = GaussianLatents() if latents is None else latents
    objective = elbo() if objective is None else objective
    training = CriticTraining() if critic_training is None else critic_training
    checks.require_type(objective, Objective, "objective", _WHOSE_OBJECTIVE)
    _check_parts(latents, training)
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


def build_infogan(
    image_shape: tuple[int, int, int],
    seed: int = 0,
    *,
    latents: Latents | None = None,
    objective: AdversarialObjective | None = None,
    num_noise: int = 62,
    encoder: Callable[..., keras.Model] = conv_encoder,
    decoder: Callable[..., keras.Model] = conv_decoder,
    precision: str = "float32",
    critic: Callable[..., keras.Model] = conv_encoder,
    critic_training: CriticTraining | None = None,
) -> InfoGAN:
    """Builds an InfoGAN for images of one shape, or vectors (1, 1, C).

    Args:
        image_shape: (H, W, C).
        seed: Seed of the initial weights and of all draws in training.
        latents: The codes with their prior; None is 10 latents under N(0, I).
        objective: The game; None is InfoWGAN-GP's.
        num_noise: Numbers of noise beside the codes, at least 0; 62 is what Chen et al.
            take for MNIST.
        encoder: Makes the recognition network, called as `build_vae`'s.
        decoder: Makes the generator, called as decoder(numbers, image_shape, dtype=,
            seed=).
        precision: As `build_vae`.
        critic: Called as critic(image_shape, 1, dtype=, seed=).
        critic_training: How it is trained; None is five updates a step.

    Raises:
        ArgumentError: If a part does not fit another, or the images no network.
    """
    image_shape = checks.image_shape(image_shape)
    _check_networks(image_shape, precision, encoder, decoder)
    _check_makes("critic", critic, (image_shape, 1), precision, "conv_encoder")
    checks.integer(num_noise, "num_noise", at_least=0)
    latents = GaussianLatents() if latents is None else latents
    objective = infowgan_gp() if objective is None else objective
    training = CriticTraining() if critic_training is None else critic_training
    checks.require_type(objective, AdversarialObjective, "objective", _WHOSE_OBJECTIVE)
    _check_parts(latents, training)
    inputs = latents.num_decoded + num_noise
    return InfoGAN(
        encoder(image_shape, latents.num_parameters, dtype=precision, seed=2 * seed),
        decoder(inputs, image_shape, dtype=precision, seed=2 * seed + 1),
        latents,
        objective,
        critic(image_shape, 1, dtype=precision, seed=seed + _CRITIC),
        training,
        seed,
    )


def _check_networks(
    image_shape: tuple[int, int, int],
    precision: str,
    encoder: Callable[..., keras.Model],
    decoder: Callable[..., keras.Model],
) -> None:
    """Checks precision and the functions that make the two networks of every model."""
    checks.one_of(precision, PRECISIONS, "precision")
    _check_makes("encoder", encoder, (image_shape, 1), precision, "conv_encoder")
    _check_makes("decoder", decoder, (1, image_shape), precision, "conv_decoder")


def _check_parts(latents: Latents, training: CriticTraining) -> None:
    """Checks the types of what both models take; in gin parentheses are forgotten."""
    checks.require_type(latents, Latents, "latents", _PARENTHESES)
    checks.require_type(training, CriticTraining, "critic_training", _PARENTHESES)


def _check_makes(
    name: str,
    network: Callable[..., keras.Model],
    arguments: tuple,
    precision: str,
    example: str,
) -> None:
    """Checks that a function can be called as one that makes a network."""
    fits = checks.accepts(network, *arguments, dtype=precision, seed=0)
    rule = "be a function that makes a network from (..., dtype=, seed=)"
    checks.require(fits, name, rule, network, f"In gin: @{example}")
