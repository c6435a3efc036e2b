"""The convolutional networks of the field, for square images of 128, 64 or 32.

References:
    Higgins et al., beta-VAE (2017), width 256; Kim and Mnih, Disentangling by
    Factorising (2018), width 128: the tables in their appendices.
    Radford et al., DCGAN (ICLR 2016), arXiv:1511.06434; Mathieu et al., Disentangling
    Disentanglement in Variational Autoencoders (ICML 2019), whose code has DCGAN's pair
    for FashionMNIST.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks

# Channels of the encoder, as many as the image needs; the decoder reverses them.
CHANNELS = (32, 32, 64, 64, 64)


def conv_encoder(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 256,
    channels: Sequence[int] | None = None,
    kernels: int | Sequence[int] = 4,
    activation: str = "relu",
    linear_dense: bool = False,
    heads: Sequence[int] | None = None,
    initializer: str = "glorot",
    dtype: str = "float32",
) -> keras.Model:
    """Builds an encoder: images [B, H, W, C] -> parameters float32 [B, num_outputs].

    Images are in [0, 1]. The layers are 4 x 4 convolutions of stride 2 with 32, 32, 64
    and 64 channels (32 x 32 images: the last one removed; 128 x 128: another of 64
    added), a dense layer of `width` units and a linear head, with ReLU between them.
    The head computes in float32 under either `dtype`.

    Args:
        image_shape: (H, W, C) with H = W = 128, 64 or 32; with `channels`, any sides
            that can be halved that many times.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        channels: Channels of each convolution; None means those above.
        kernels: Height and width of the kernels, one for all or one for each.
        activation: "relu", "tanh", or "leaky_relu" with a slope of 0.2, for critics of
            images.
        linear_dense: Whether the dense layer has no activation.
        heads: Sizes of linear heads side by side, such as one for the means and one for
            the scales in some papers; None means a single head. The function is the
            same, but Glorot's rule gives a narrow head larger initial weights.
        initializer: Initial weights: "glorot", "dcgan" or "torch"
            (`blocks.INITIALIZERS`).
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Example:
        >>> import tf_disentangle as td
        >>> network = td.networks.conv_encoder((64, 64, 1), num_outputs=20, seed=0)
        >>> network.output_shape
        (None, 20)
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    if channels is None:
        channels = CHANNELS[: blocks.num_halvings(image_shape)]
    channels = blocks.sizes_of(channels, "channels")
    blocks.smallest_map(image_shape, len(channels))
    checks.require_type(linear_dense, bool, "linear_dense")
    stack = blocks.LayerStack(seed, dtype, activation, initializer)
    images = h = keras.Input(checks.image_shape(image_shape), name="images")
    sides = blocks.kernels_of(kernels, len(channels))
    for i, (filters, side) in enumerate(zip(channels, sides, strict=True)):
        h = stack.conv(h, filters, f"conv_{i + 1}", side)
    h = keras.layers.Flatten(data_format="channels_last", dtype=dtype)(h)
    h = stack.dense(h, width, "dense", linear=linear_dense)
    outputs = stack.heads(h, num_outputs, heads)
    return keras.Model(images, outputs, name="conv_encoder")


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
    """Builds a decoder: latents [B, num_latents] -> logits float32 [B, H, W, C].

    The layers are dense ones of `width` and 4 * 4 * 64 units with ReLU, 4 x 4
    transposed convolutions of stride 2 with 64, 32 and 32 channels and ReLU (32 x 32
    images: the first one removed; 128 x 128: another of 64 before it), and a last one
    that gives the C logits of each pixel. Under "mixed_bfloat16" the logits are
    computed in bfloat16 (8 bits) and then cast.

    Args:
        num_latents: Number of latents L, at least 1.
        image_shape: (H, W, C), as for `conv_encoder`.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        channels: Channels of the input of each transposed convolution; None means 64,
            64, 32, 32 for 64 x 64 images.
        kernels: Height and width of the kernels, one for all or one for each.
        activation: "relu", "tanh", or "leaky_relu" with a slope of 0.2.
        batch_norm: Whether the layers with an activation are normalised over the batch,
            as in a GAN's generator, which it keeps from collapsing (Radford et al.
            2016).
        initializer: Initial weights, as for `conv_encoder`.
        dtype: "float32" or "mixed_bfloat16".
    """
    blocks.check_network(num_latents, "num_latents", width, dtype, seed)
    if channels is None:
        channels = CHANNELS[: blocks.num_halvings(image_shape)][::-1]
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
    logits = stack.logits(h, image_shape, sides[-1])
    return keras.Model(latents, logits, name="conv_decoder")


def dcgan_encoder(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 32,
    dtype: str = "float32",
) -> keras.Model:
    """Builds an encoder: images [B, H, W, C] -> parameters float32 [B, num_outputs].

    This is DCGAN's discriminator used as an encoder, for images in [0, 1]: 4 x 4
    convolutions of stride 2 without biases, each with twice the channels of the one
    before it, down to 4 x 4; all but the first are normalised over the batch; leaky
    ReLU of slope 0.2; and a 4 x 4 convolution to `num_outputs` as the head. All weights
    start from N(0, 0.02^2), so that one head is as good as several.

    Args:
        image_shape: (H, W, C) with H = W = 128, 64 or 32.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Channels of the first convolution, at least 1.
        dtype: "float32" or "mixed_bfloat16".
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    stack = blocks.LayerStack(
        seed, dtype, "leaky_relu", "dcgan", use_bias=False, batch_norm=True
    )
    images = h = keras.Input(checks.image_shape(image_shape), name="images")
    for i in range(blocks.num_halvings(image_shape)):
        h = stack.conv(h, width * 2**i, f"conv_{i + 1}", normalize=i > 0)
    last = dataclasses.replace(stack, dtype="float32", use_bias=True)
    h = last.conv(h, num_outputs, "head", linear=True, to_one=True)
    outputs = keras.layers.Flatten(data_format="channels_last", dtype="float32")(h)
    return keras.Model(images, outputs, name="dcgan_encoder")


def dcgan_decoder(
    num_latents: int,
    image_shape: Sequence[int],
    *,
    seed: int,
    width: int = 32,
    dtype: str = "float32",
) -> keras.Model:
    """Builds a decoder: latents [B, num_latents] -> outputs float32 [B, H, W, C].

    This is DCGAN's generator, the mirror of `dcgan_encoder`: 4 x 4 transposed
    convolutions without biases, the first from 1 x 1 to 4 x 4, the others of stride 2
    with half the channels of the one before. All but the last are normalised over the
    batch and have ReLU. All weights start from N(0, 0.02^2).

    Args:
        num_latents: Number of latents L, at least 1.
        image_shape: (H, W, C) with H = W = 128, 64 or 32.
        seed: Seed of the initial weights, at least 0.
        width: Channels before the last transposed convolution, at least 1.
        dtype: "float32" or "mixed_bfloat16".
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
    logits = stack.logits(h, image_shape)
    return keras.Model(latents, logits, name="dcgan_decoder")
