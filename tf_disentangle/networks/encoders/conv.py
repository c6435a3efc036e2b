"""The convolutional encoder of the field, for square images of 128, 64 or 32."""

from __future__ import annotations

import dataclasses
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
    channels: Sequence[int] | None = None,
    kernels: int | Sequence[int] = 4,
    activation: str = "relu",
    linear_dense: bool = False,
    heads: Sequence[int] | None = None,
    initializer: str = "glorot",
    dtype: str = "float32",
) -> keras.Model:
    """Builds images [B, H, W, C] in [0, 1] -> parameters float32 [B, num_outputs].

    Convolutions 4 x 4, stride 2 with 32, 32, 64, 64 channels (32 x 32 images: the
    last one removed; 128 x 128: another of 64 added), a dense layer of `width` units,
    a linear head; ReLU between them. The head computes in float32 under either `dtype`.

    Args:
        image_shape: (H, W, C) with H = W = 128, 64 or 32; with `channels`, any sides
            that can be halved so many times.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        channels: Of each convolution; None is as above.
        kernels: Height and width of the kernels, one for all or one for each.
        activation: "relu", "tanh", or "leaky_relu" with a slope of 0.2, for critics of
            images.
        linear_dense: Whether the dense layer has no activation.
        heads: Sizes of the linear heads side by side, as papers have one for the means
            and one for the scales; None is a single one. The function is the same, but
            Glorot's law gives a narrow head larger initial weights.
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
    images = keras.Input(checks.image_shape(image_shape), name="images")
    h = images
    sides = blocks.kernels_of(kernels, len(channels))
    for i, (filters, side) in enumerate(zip(channels, sides, strict=True)):
        h = stack.conv(h, filters, f"conv_{i + 1}", side)
    h = keras.layers.Flatten(data_format="channels_last", dtype=dtype)(h)
    h = stack.dense(h, width, "dense", linear=linear_dense)
    outputs = stack.heads(h, num_outputs, heads)
    return keras.Model(images, outputs, name="conv_encoder")


def dcgan_encoder(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 32,
    dtype: str = "float32",
) -> keras.Model:
    """Builds images [B, H, W, C] in [0, 1] -> parameters float32 [B, num_outputs].

    DCGAN's discriminator as an encoder: convolutions 4 x 4, stride 2 without biases,
    each of twice the channels of the last, down to 4 x 4; all but the first normalised
    over the batch; leaky ReLU of slope 0.2; a 4 x 4 convolution to `num_outputs` as the
    head. All weights start from N(0, 0.02^2), so that one head is as good as several.

    Args:
        image_shape: (H, W, C) with H = W = 128, 64 or 32.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Channels of the first convolution, at least 1.
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        Radford et al., DCGAN (ICLR 2016), arXiv:1511.06434; Mathieu et al.,
        Disentangling Disentanglement in Variational Autoencoders (ICML 2019), whose
        code has it for FashionMNIST.
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    stack = blocks.LayerStack(
        seed, dtype, "leaky_relu", "dcgan", use_bias=False, batch_norm=True
    )
    images = keras.Input(checks.image_shape(image_shape), name="images")
    h = images
    for i in range(blocks.num_halvings(image_shape)):
        h = stack.conv(h, width * 2**i, f"conv_{i + 1}", normalize=i > 0)
    last = dataclasses.replace(stack, dtype="float32", use_bias=True)
    h = last.conv(h, num_outputs, "head", linear=True, to_one=True)
    outputs = keras.layers.Flatten(data_format="channels_last", dtype="float32")(h)
    return keras.Model(images, outputs, name="dcgan_encoder")
