"""The multi-layer perceptron decoder, for vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks


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
    """Builds latents [B, num_latents] -> outputs float32 [B, H, W, C].

    `num_layers` dense layers of `width` units with ReLU and a linear head, which
    computes in float32 under either `dtype`.

    Args:
        num_latents: Number of latents L, at least 1.
        image_shape: (H, W, C) of any size; (1, 1, C) for vectors.
        seed: Seed of the initial weights, at least 0.
        width: Units of each hidden layer, at least 1.
        num_layers: Number of hidden layers, at least 0; with 0 the map is affine.
        activation: "relu", "leaky_relu" with a slope of 0.2, or "tanh".
        initializer: Law of the initial weights, as `conv_decoder`.
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        Mathieu et al., Disentangling Disentanglement in Variational Autoencoders
        (2019): one hidden layer of 100 for the pinwheel. Chen et al., beta-TCVAE
        (2018): three of 1,200 with tanh for dSprites.
    """
    blocks.check_network(num_latents, "num_latents", width, dtype, seed)
    image_shape = checks.image_shape(image_shape)
    stack = blocks.LayerStack(seed, dtype, activation, initializer)
    latents = keras.Input((num_latents,), name="latents")
    h = stack.dense_layers(latents, num_layers, width)
    h = stack.heads(h, math.prod(image_shape))
    outputs = keras.layers.Reshape(image_shape, dtype="float32")(h)
    return keras.Model(latents, outputs, name="mlp_decoder")
