"""The multi-layer perceptron encoder, for vectors."""

from __future__ import annotations

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
    """Builds data [B, H, W, C] -> parameters float32 [B, num_outputs].

    The data flattened, `num_layers` dense layers of `width` units with ReLU, a linear
    head. The head computes in float32 under either `dtype`.

    Args:
        image_shape: (H, W, C) of any size; (1, 1, C) for vectors.
        num_outputs: Numbers per example that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of each hidden layer, at least 1.
        num_layers: Number of hidden layers, at least 0; with 0 the map is affine.
        activation: "relu", "leaky_relu" with a slope of 0.2, or "tanh".
        heads: Sizes of the linear heads, as `conv_encoder`.
        initializer: Law of the initial weights, as `conv_encoder`.
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        Mathieu et al., Disentangling Disentanglement in Variational Autoencoders
        (2019): one hidden layer of 100 for the pinwheel.
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    stack = blocks.LayerStack(seed, dtype, activation, initializer)
    images = keras.Input(checks.image_shape(image_shape), name="images")
    h = keras.layers.Flatten(data_format="channels_last", dtype=dtype)(images)
    h = stack.dense_layers(h, num_layers, width)
    outputs = stack.heads(h, num_outputs, heads)
    return keras.Model(images, outputs, name="mlp_encoder")
