"""Named models, built from their parts for an image shape."""

from __future__ import annotations

from collections.abc import Callable

import keras

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents, Latents
from tf_disentangle.models.vae import VAE
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import Objective, elbo

PRECISIONS = ("float32", "mixed_bfloat16")


def vae(
    image_shape: tuple[int, int, int],
    seed: int = 0,
    *,
    latents: Latents | None = None,
    objective: Objective | None = None,
    encoder: Callable[..., keras.Model] = conv_encoder,
    decoder: Callable[..., keras.Model] = conv_decoder,
    precision: str = "float32",
) -> VAE:
    """Builds a VAE for images of one shape, or vectors (1, 1, C).

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

    Raises:
        ArgumentError: If a part does not fit another, or the images no network.
    """
    image_shape = checks.image_shape(image_shape)
    checks.one_of(precision, PRECISIONS, "precision")
    calls = {"encoder": (image_shape, 1), "decoder": (1, image_shape)}
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        fits = checks.accepts(network, *calls[name], dtype=precision, seed=seed)
        rule = "be a function that makes a network from (..., dtype=, seed=)"
        checks.require(fits, name, rule, network, f"In gin: @conv_{name}")
    latents = GaussianLatents() if latents is None else latents
    objective = elbo() if objective is None else objective
    remedy = "In gin, write @Name() with its parentheses."
    checks.require_type(latents, Latents, "latents", remedy)
    checks.require_type(objective, Objective, "objective", remedy)
    *sides, channels = image_shape
    decoded = (*sides, channels * objective.likelihood.outputs_per_value)
    # Two seeds: with one, the layers of both networks would share their streams.
    return VAE(
        encoder(image_shape, latents.num_parameters, dtype=precision, seed=2 * seed),
        decoder(latents.num_decoded, decoded, dtype=precision, seed=2 * seed + 1),
        latents,
        objective,
        seed,
    )
