"""The convolutional encoder of the field, for square images of 128, 64 or 32."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks

CHANNELS = (32, 32, 64, 64, 64)  # as many as the image needs


def conv_encoder(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 256,
    activation: str = "relu",
    dtype: str = "float32",
) -> keras.Model:
    """Builds images [B, H, W, C] in [0, 1] -> parameters float32 [B, num_outputs].

    Convolutions 4 x 4, stride 2 with 32, 32, 64, 64 channels (32 x 32 images: the
    last one removed; 128 x 128: another of 64 added), a dense layer of `width` units,
    a linear head; ReLU between them. The head computes in float32 under either `dtype`.

    Args:
        image_shape: (H, W, C) with H = W = 128, 64 or 32.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        activation: "relu", or "leaky_relu" with a slope of 0.2, for critics of images.
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        Higgins et al., beta-VAE (2017), width 256; Kim and Mnih, Disentangling by
        Factorising (2018), width 128: the tables in their appendices.

    Example:
        >>> import tf_disentangle as td
        >>> network = td.networks.conv_encoder((64, 64, 1), num_outputs=20, seed=0)
        >>> network.output_shape
        (None, 20)
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    checks.one_of(activation, ("relu", "leaky_relu"), "activation")
    channels = CHANNELS[: blocks.num_halvings(image_shape)]
    images = keras.Input(checks.image_shape(image_shape), name="images")
    h = images
    for i, filters in enumerate(channels):
        h = keras.layers.Conv2D(
            filters,
            blocks.KERNEL,
            strides=blocks.STRIDE,
            padding="same",
            activation=activation,
            data_format="channels_last",
            kernel_initializer=blocks.glorot(seed, i),
            dtype=dtype,
            name=f"conv_{i + 1}",
        )(h)
    h = keras.layers.Flatten(data_format="channels_last", dtype=dtype)(h)
    h = keras.layers.Dense(
        width,
        activation=activation,
        kernel_initializer=blocks.glorot(seed, len(channels)),
        dtype=dtype,
        name="dense",
    )(h)
    outputs = keras.layers.Dense(
        num_outputs,
        kernel_initializer=blocks.glorot(seed, len(channels) + 1),
        dtype="float32",
        name="head",
    )(h)
    return keras.Model(images, outputs, name="conv_encoder")
