"""Named models, built from their parts for an image shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tf_disentangle import checks, networks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.latents import GaussianLatents, Latents
from tf_disentangle.models.critic_training import CriticTraining
from tf_disentangle.models.factor_vae import FactorVAE
from tf_disentangle.models.infogan import InfoGAN
from tf_disentangle.models.precision import check_precision
from tf_disentangle.models.vae import VAE
from tf_disentangle.networks import conv_decoder, conv_encoder, mlp_critic
from tf_disentangle.objectives import (
    AdversarialObjective,
    Objective,
    elbo,
    infowgan_gp,
)

# Added to the seed of a critic: no other network's (seed, layer) can be the same.
_CRITIC = 2**63

#: A function that makes a network, or the network itself.
Network = Callable[..., keras.Model] | keras.Model

_WHOSE_OBJECTIVE = (
    "Call the function that makes it, as objectives.beta_vae(); infogan() and "
    "infowgan_gp() are for build_infogan, all others for build_vae."
)


def build_vae(
    data: Dataset | Sequence[int],
    seed: int = 0,
    *,
    latents: Latents | int | None = None,
    objective: Objective | None = None,
    encoder: Network = conv_encoder,
    decoder: Network = conv_decoder,
    precision: str = "float32",
    critic: Network = mlp_critic,
    critic_training: CriticTraining | None = None,
) -> VAE:
    """Builds a VAE for images of one shape, or vectors (1, 1, C).

    If a penalty of the objective needs a critic, the model is a `FactorVAE`.

    Example:
        >>> import tf_disentangle as td
        >>> objective = td.objectives.beta_tcvae(beta=6.0)
        >>> model = td.models.build_vae((64, 64, 1), latents=8, objective=objective)
        >>> model.sample(3).shape
        (3, 64, 64, 1)

    Args:
        data: A data set, or the shape (H, W, C) of its images.
        seed: Seed of the initial weights and of training, in [0, 2**31).
        latents: Latent space with its prior, or a number of diagonal Gaussian latents
            under N(0, I); None means 10 such latents.
        objective: What to minimise; None means the ELBO.
        encoder: A function called as encoder(image_shape, num_outputs, dtype=, seed=);
            or a model, which is used as it is.
        decoder: A function called as decoder(latents.num_decoded, image_shape, dtype=,
            seed=), where image_shape has the image's channels multiplied by the number
            of outputs per value that the likelihood needs; or a model.
        precision: "float32", or "mixed_bfloat16": networks compute in bfloat16 with
            float32 weights; distributions and losses stay in float32.
        critic: A function called as critic(num_inputs, dtype=, seed=), or a model; used
            only if the objective needs a critic.
        critic_training: How the critic is trained; None means five updates per step.

    Raises:
        ArgumentError: If two parts do not fit each other, or the images do not fit a
            network.
    """
    seed = checks.seed(seed)
    image_shape = _image_shape(data)
    _check_parts(image_shape, precision, encoder, decoder, critic_training)
    _check_makes("critic", critic, (1,), precision)
    latents = _latents(latents)
    objective = elbo() if objective is None else objective
    checks.require_type(objective, Objective, "objective", _WHOSE_OBJECTIVE)
    *sides, channels = image_shape
    decoded = (*sides, channels * objective.likelihood.outputs_per_value)
    # Two seeds: with one, the layers of both networks would share their streams.
    parts = (
        _made(encoder, image_shape, latents.num_parameters, precision, 2 * seed),
        _made(decoder, latents.num_decoded, decoded, precision, 2 * seed + 1),
        latents,
        objective,
    )
    if not objective.critic_penalties:
        return VAE(*parts, seed)
    of_critic = _critic_seed(critic, seed)
    network = _made(critic, latents.num_decoded, precision, of_critic)
    return FactorVAE(*parts, network, critic_training, seed)


def build_infogan(
    data: Dataset | Sequence[int],
    seed: int = 0,
    *,
    latents: Latents | int | None = None,
    objective: AdversarialObjective | None = None,
    num_noise: int = 62,
    encoder: Network = conv_encoder,
    decoder: Network = conv_decoder,
    precision: str = "float32",
    critic: Network | None = None,
    critic_training: CriticTraining | None = None,
) -> InfoGAN:
    """Builds an InfoGAN for images of one shape, or vectors (1, 1, C).

    Args:
        data: A data set, or the shape (H, W, C) of its images.
        seed: Seed of the initial weights and of training, in [0, 2**31).
        latents: The codes with their prior, or a number of codes under N(0, I); None
            means 10 such codes.
        objective: The GAN's loss and the weight of the information term; None means
            InfoWGAN-GP's.
        num_noise: How many noise values the generator takes in addition to the codes,
            at least 0; Chen et al. use 62 for MNIST. If the decoder is a model, its
            input already fixes this number.
        encoder: A function that makes the recognition network, called as in
            `build_vae`; or a model. The function may make a pair instead, as
            `networks.infogan_pair` does: the recognition network and the critic on one
            trunk. Leave out `critic` then; the critic's optimiser updates both.
        decoder: A function that makes the generator, called as decoder(numbers,
            image_shape, dtype=, seed=); or a model.
        precision: As for `build_vae`.
        critic: A function called as critic(image_shape, 1, dtype=, seed=), or a model;
            None means `networks.conv_encoder`, or the critic of the pair.
        critic_training: How the critic is trained; None means five updates per step.

    Raises:
        ArgumentError: If two parts do not fit each other, or the images do not fit a
            network.
    """
    seed = checks.seed(seed)
    image_shape = _image_shape(data)
    _check_parts(image_shape, precision, encoder, decoder, critic_training)
    if critic is not None:
        _check_makes("critic", critic, (image_shape, 1), precision, "infogan_critic")
    checks.integer(num_noise, "num_noise", at_least=0)
    latents = _latents(latents)
    objective = infowgan_gp() if objective is None else objective
    checks.require_type(objective, AdversarialObjective, "objective", _WHOSE_OBJECTIVE)
    inputs = latents.num_decoded + num_noise
    outputs = latents.num_parameters
    recognition = _called(encoder, image_shape, outputs, precision, 2 * seed)
    if isinstance(recognition, tuple | list) and len(recognition) == 2:
        rule = "be left out, since the encoder makes a pair that has one"
        checks.require(critic is None, "critic", rule, critic)
        recognition, network = recognition
    else:
        _one_model(encoder, recognition)
        made_by = conv_encoder if critic is None else critic
        of_critic = _critic_seed(made_by, seed)
        network = _made(made_by, image_shape, 1, precision, of_critic)
    generator = _made(decoder, inputs, image_shape, precision, 2 * seed + 1)
    parts = (recognition, generator, latents, objective, network)
    return InfoGAN(*parts, critic_training, seed)


def _image_shape(data: Dataset | Sequence[int]) -> tuple[int, int, int]:
    """Returns the shape of a data set's images, or the shape itself, checked."""
    shape = data.image_shape if isinstance(data, Dataset) else data
    return checks.image_shape(shape)


def _latents(latents: Latents | int | None) -> Latents:
    """Returns the latent space, made if a number or nothing was given."""
    latents = 10 if latents is None else latents
    remedy = "Pass a latent space such as GaussianLatents(10), or a number."
    checks.require_type(latents, (Latents, int), "latents", remedy)
    return latents if isinstance(latents, Latents) else GaussianLatents(latents)


def _critic_seed(network: Any, seed: int) -> int:
    """Returns the seed that a critic is made with.

    The library's networks accept a seed of any size. All others, which pass theirs on
    to Keras, get a 31-bit number derived from it.
    """
    made_by = network
    while isinstance(made_by, functools.partial):
        made_by = made_by.func
    # gin's wrappers keep the module of what they wrap.
    module = getattr(made_by, "__module__", None) or ""
    if module.startswith(f"{networks.__name__}."):
        return seed + _CRITIC
    return int(np.random.SeedSequence(seed + _CRITIC).generate_state(1)[0] >> 1)


def _called(network: Any, *arguments: Any) -> Any:
    """Returns a network, or what a function of `arguments`, dtype and seed returns."""
    if isinstance(network, keras.Model):
        return network
    *positional, dtype, seed = arguments
    return network(*positional, dtype=dtype, seed=seed)


def _made(network: Any, *arguments: Any) -> keras.Model:
    """Returns a network, made if it is a function: of `arguments`, dtype and seed."""
    return _one_model(network, _called(network, *arguments))


def _one_model(network: Any, made: Any) -> keras.Model:
    """Returns what a function made, if it is a model."""
    name = getattr(network, "__name__", "the network's function")
    remedy = "A pair of networks is taken as the encoder of build_infogan alone."
    rule = "return one keras.Model"
    checks.require(isinstance(made, keras.Model), name, rule, type(made), remedy)
    return made


def _check_parts(
    image_shape: tuple[int, int, int],
    precision: str,
    encoder: Network,
    decoder: Network,
    critic_training: CriticTraining | None,
) -> None:
    """Checks the arguments that the builders have in common."""
    check_precision(precision)
    _check_makes("encoder", encoder, (image_shape, 1), precision)
    _check_makes("decoder", decoder, (1, image_shape), precision)
    if critic_training is not None:
        checks.require_type(critic_training, CriticTraining, "critic_training")


def _check_makes(
    name: str,
    network: Network,
    arguments: tuple,
    precision: str,
    example: str | None = None,
) -> None:
    """Checks that a network is a model, or can be called as what makes one."""
    fits = isinstance(network, keras.Model) or checks.accepts(
        network, *arguments, dtype=precision, seed=0
    )
    rule = "be a model, or a function that makes one from (..., dtype=, seed=)"
    remedy = f"Pass networks.{example or f'mlp_{name}'}, for example."
    checks.require(fits, name, rule, network, remedy)
