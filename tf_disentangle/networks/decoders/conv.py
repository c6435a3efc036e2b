"""The convolutional decoder of the field, for square images of 128, 64 or 32."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks

# Before the last layer, which gives the image's channels; as many as it needs.
CHANNELS = (64, 64, 32, 32)


def conv_decoder(
    num_latents: int,
    image_shape: Sequence[int],
    *,
    seed: int,
    width: int = 256,
    batch_norm: bool = False,
    dtype: str = "float32",
) -> keras.Model:
    """Builds latents [B, num_latents] -> logits float32 [B, H, W, C].

    Dense layers of `width` and 4 * 4 * 64 units with ReLU, transposed convolutions
    4 x 4, stride 2 with 64, 32, 32 channels and ReLU (32 x 32 images: the first one
    removed; 128 x 128: another of 64 before it), and a last one that gives the C logits
    of each pixel. Under "mixed_bfloat16" the logits are computed in bfloat16 (8 bits)
    and then cast.

    Args:
        num_latents: Number of latents L, at least 1.
        image_shape: (H, W, C) with H = W = 128, 64 or 32.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        batch_norm: Whether the layers with ReLU are normalised over the batch, as those
            of a GAN's generator are (Radford et al. 2016, against its collapse).
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        Higgins et al., beta-VAE (2017), width 256; Kim and Mnih, Disentangling by
        Factorising (2018), width 128: the tables in their appendices.
    """
    blocks.check_network(num_latents, "num_latents", width, dtype, seed)
    checks.require_type(batch_norm, bool, "batch_norm")
    image_channels = checks.image_shape(image_shape)[2]
    channels = (*CHANNELS, image_channels)[-blocks.num_halvings(image_shape) :]
    # The normalisation stands between a layer and its ReLU.
    activation = None if batch_norm else "relu"

    def normalized(h: keras.KerasTensor) -> keras.KerasTensor:
        if not batch_norm:
            return h
        h = keras.layers.BatchNormalization(momentum=0.9, dtype=dtype)(h)
        return keras.layers.Activation("relu", dtype=dtype)(h)

    latents = keras.Input((num_latents,), name="latents")
    h = latents
    for i, units in enumerate((width, blocks.SMALLEST**2 * CHANNELS[0])):
        h = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=blocks.glorot(seed, i),
            dtype=dtype,
            name=f"dense_{i + 1}",
        )(h)
        h = normalized(h)
    small = (blocks.SMALLEST, blocks.SMALLEST, CHANNELS[0])
    h = keras.layers.Reshape(small, dtype=dtype)(h)
    for i, filters in enumerate(channels):
        last = i == len(channels) - 1
        h = keras.layers.Conv2DTranspose(
            filters,
            blocks.KERNEL,
            strides=blocks.STRIDE,
            padding="same",
            activation=None if last else activation,
            data_format="channels_last",
            kernel_initializer=blocks.glorot(seed, i + 2),
            dtype=dtype,
            name="logits" if last else f"conv_transpose_{i + 1}",
        )(h)
        h = h if last else normalized(h)
    # An identity that casts; it costs nothing under float32.
    logits = keras.layers.Activation("linear", dtype="float32", name="float32")(h)
    return keras.Model(latents, logits, name="conv_decoder")
