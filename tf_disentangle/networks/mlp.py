"""Multi-layer perceptrons: encoder and decoder for vectors, and the critic of codes.

Each has `num_layers` dense layers of `width` units and a linear head, which computes in
float32 under either `dtype`.

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (2019):
    one hidden layer of 100 for the pinwheel. Chen et al., beta-TCVAE (2018): a decoder
    of three layers of 1,200 with tanh for dSprites.
    Kim and Mnih, Disentangling by Factorising (2018): a critic of 6 layers of 1,000
    units; only the appendix of the last version states its activation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks


def mlp_encoder(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 100,
    num_layers: int = 1,
    activation: str = "relu",
    heads: Sequence[int] | None = None,
    initializer: str = "glorot",
    dtype: str = "float32",
) -> keras.Model:
    """Builds an encoder: data [B, H, W, C] -> parameters float32 [B, num_outputs].

    The data are flattened first.

    Args:
        image_shape: (H, W, C) of any size; (1, 1, C) for vectors.
        num_outputs: Numbers per example that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of each hidden layer, at least 1.
        num_layers: Number of hidden layers, at least 0; with 0 the map is affine.
        activation: "relu", "leaky_relu" with a slope of 0.2, or "tanh".
        heads: Sizes of the linear heads, as for `conv_encoder`.
        initializer: Initial weights, as for `conv_encoder`.
        dtype: "float32" or "mixed_bfloat16".
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    stack = blocks.LayerStack(seed, dtype, activation, initializer)
    images = keras.Input(checks.image_shape(image_shape), name="images")
    h = keras.layers.Flatten(data_format="channels_last", dtype=dtype)(images)
    h = stack.dense_layers(h, num_layers, width)
    outputs = stack.heads(h, num_outputs, heads)
    return keras.Model(images, outputs, name="mlp_encoder")


def mlp_decoder(
    num_latents: int,
    image_shape: Sequence[int],
    *,
    seed: int,
    width: int = 100,
    num_layers: int = 1,
    activation: str = "relu",
    initializer: str = "glorot",
    dtype: str = "float32",
) -> keras.Model:
    """Builds a decoder: latents [B, num_latents] -> outputs float32 [B, H, W, C].

    Args:
        num_latents: Number of latents L, at least 1.
        image_shape: (H, W, C), as for `mlp_encoder`.
        seed: Seed of the initial weights, at least 0.
        width: Units of each hidden layer, at least 1.
        num_layers: Number of hidden layers, as for `mlp_encoder`.
        activation: "relu", "leaky_relu" with a slope of 0.2, or "tanh".
        initializer: Initial weights, as for `conv_encoder`.
        dtype: "float32" or "mixed_bfloat16".
    """
    blocks.check_network(num_latents, "num_latents", width, dtype, seed)
    image_shape = checks.image_shape(image_shape)
    stack = blocks.LayerStack(seed, dtype, activation, initializer)
    latents = keras.Input((num_latents,), name="latents")
    h = stack.dense_layers(latents, num_layers, width)
    h = stack.heads(h, math.prod(image_shape))
    outputs = keras.layers.Reshape(image_shape, dtype="float32")(h)
    return keras.Model(latents, outputs, name="mlp_decoder")


def mlp_critic(
    num_inputs: int,
    *,
    seed: int,
    width: int = 1000,
    num_layers: int = 6,
    dtype: str = "float32",
) -> keras.Model:
    """Builds a critic: codes [B, num_inputs] -> logits float32 [B, 1].

    It tells codes from permuted codes. The activation is leaky ReLU of slope 0.2.

    Args:
        num_inputs: Numbers in a sampled code, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of each hidden layer, at least 1.
        num_layers: Number of hidden layers, as for `mlp_encoder`.
        dtype: "float32" or "mixed_bfloat16".
    """
    blocks.check_network(num_inputs, "num_inputs", width, dtype, seed)
    codes = keras.Input((num_inputs,), name="codes")
    stack = blocks.LayerStack(seed, dtype, "leaky_relu")
    h = stack.dense_layers(codes, num_layers, width)
    return keras.Model(codes, stack.heads(h, 1), name="mlp_critic")
