"""The convolutional decoder of the field, for square images of 128, 64 or 32."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks

CHANNELS = (64, 64, 64, 32, 32)  # the last of them, as many as the image needs


def conv_decoder(
    num_latents: int,
    image_shape: Sequence[int],
    *,
    seed: int,
    width: int = 256,
    channels: Sequence[int] | None = None,
    kernels: int | Sequence[int] = 4,
    activation: str = "relu",
    batch_norm: bool = False,
    initializer: str = "glorot",
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
        image_shape: (H, W, C) with H = W = 128, 64 or 32; with `channels`, any sides
            that can be halved so many times.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        channels: Of what each transposed convolution is applied to; None is 64, 64, 32,
            32 for 64 x 64.
        kernels: Height and width of the kernels, one for all or one for each.
        activation: "relu", "tanh", or "leaky_relu" with a slope of 0.2.
        batch_norm: Whether the layers with an activation are normalised over the batch,
            as those of a GAN's generator are (Radford et al. 2016, against its
            collapse).
        initializer: Law of the initial weights: "glorot", "dcgan" or "torch"
            (`blocks.INITIALIZERS`).
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
    if channels is None:
        channels = CHANNELS[-blocks.num_halvings(image_shape) :]
    channels = blocks.sizes_of(channels, "channels")
    small = (*blocks.smallest_map(image_shape, len(channels)), channels[0])
    sides = blocks.kernels_of(kernels, len(channels))
    stack = blocks.LayerStack(
        seed, dtype, activation, initializer, batch_norm=batch_norm
    )
    latents = keras.Input((num_latents,), name="latents")
    h = stack.dense(latents, width, "dense_1")
    h = stack.dense(h, math.prod(small), "dense_2")
    h = keras.layers.Reshape(small, dtype=dtype)(h)
    for i, (filters, side) in enumerate(zip(channels[1:], sides[:-1], strict=True)):
        h = stack.conv(h, filters, f"conv_transpose_{i + 1}", side, transpose=True)
    image_channels = checks.image_shape(image_shape)[2]
    h = stack.conv(h, image_channels, "logits", sides[-1], transpose=True, linear=True)
    return keras.Model(latents, blocks.in_float32(h), name="conv_decoder")


def dcgan_decoder(
    num_latents: int,
    image_shape: Sequence[int],
    *,
    seed: int,
    width: int = 32,
    dtype: str = "float32",
) -> keras.Model:
    """Builds latents [B, num_latents] -> outputs float32 [B, H, W, C].

    DCGAN's generator, the mirror of `dcgan_encoder`: transposed convolutions 4 x 4
    without biases, the first from 1 x 1 to 4 x 4, the others of stride 2 and half the
    channels of the last; normalised over the batch, with ReLU, but for the last.
    All weights start from N(0, 0.02^2).

    Args:
        num_latents: Number of latents L, at least 1.
        image_shape: (H, W, C) with H = W = 128, 64 or 32.
        seed: Seed of the initial weights, at least 0.
        width: Channels before the last transposed convolution, at least 1.
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        As `dcgan_encoder`.
    """
    blocks.check_network(num_latents, "num_latents", width, dtype, seed)
    num_layers = blocks.num_halvings(image_shape)
    stack = blocks.LayerStack(
        seed, dtype, initializer="dcgan", use_bias=False, batch_norm=True
    )
    latents = keras.Input((num_latents,), name="latents")
    h = keras.layers.Reshape((1, 1, num_latents), dtype=dtype)(latents)
    for i in range(num_layers):
        filters = width * 2 ** (num_layers - 1 - i)
        name = f"conv_transpose_{i + 1}"
        h = stack.conv(h, filters, name, transpose=True, to_one=i == 0)
    image_channels = checks.image_shape(image_shape)[2]
    h = stack.conv(h, image_channels, "logits", transpose=True, linear=True)
    return keras.Model(latents, blocks.in_float32(h), name="dcgan_decoder")
