"""Pieces that the encoders and decoders share.

`OutputConv2DTranspose` is `keras.layers.Conv2DTranspose` for kernel 4 x 4, stride 2,
"same" padding, with the same weights and the same values, written for few output
channels. TensorFlow's own kernel runs the 32 -> 1 layer that ends a decoder at 6 to 8
GFLOP/s on a CPU, where the other convolutions reach 70 to 125.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tf_disentangle import checks

DTYPES = ("float32", "mixed_bfloat16")
KERNEL, STRIDE = 4, 2


def glorot(seed: int, layer: int) -> keras.initializers.Initializer:
    """Returns a Glorot-uniform initialiser with its own seed for each layer.

    Args:
        seed: Seed of the network, at least 0.
        layer: Position of the layer in the network, at least 0.
    """
    word = np.random.SeedSequence((seed, layer)).generate_state(1)[0]
    return keras.initializers.GlorotUniform(seed=int(word >> 1))  # int32 for XLA


def check_network(size: Any, argument: str, width: Any, dtype: Any, seed: Any) -> None:
    """Checks the arguments that every network takes."""
    checks.integer(size, argument, at_least=1)
    checks.integer(width, "width", at_least=1)
    checks.one_of(dtype, DTYPES, "dtype")
    checks.integer(seed, "seed", at_least=0)


def num_halvings(image_shape: Any) -> int:
    """Returns the number of stride-2 convolutions between `image_shape` and 4 x 4.

    Raises:
        ArgumentError: If the images are not 64 x 64 or 32 x 32.
    """
    height, width, _ = checks.image_shape(image_shape)
    checks.require(
        (height, width) in ((64, 64), (32, 32)),
        "image_shape",
        "have height and width 64 x 64 or 32 x 32",
        tuple(image_shape),
        "Resize or pad the images to one of these sizes.",
    )
    return 4 if height == 64 else 3


def _sub_pixel_forward(x: Any, kernel: Any) -> Any:
    """Transposed convolution as a 2 x 2 convolution to 4 O channels.

    Each output pixel sees 2 x 2 input pixels; the four pixels that lie between the
    same 2 x 2 inputs become four channels, and depth_to_space puts them in place.
    """
    _, _, out, inp = kernel.shape
    half = ops.reshape(kernel, (2, 2, 2, 2, out, inp))  # (row, phase, column, phase)
    half = ops.flip(ops.transpose(half, (0, 2, 5, 1, 3, 4)), axis=(0, 1))
    half = ops.reshape(half, (2, 2, inp, 4 * out))
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = ops.conv(x, half, padding="valid", data_format="channels_last")
    y = ops.depth_to_space(y, 2, data_format="channels_last")
    return y[:, 1:-1, 1:-1, :]


def _kernel_gradient(x: Any, upstream: Any) -> Any:
    """Gradient of the transposed convolution by its kernel, float32 [4, 4, O, I].

    dK[u, v, o, i] = sum_bhw  pad(G)[b, 2h + u, 2w + v, o]  x[b, h, w, i], summed per
    image first: one product per image is spread over the cores, one long one is not.
    """
    _, height, width, inp = x.shape
    out = upstream.shape[-1]
    g = ops.pad(upstream, ((0, 0), (1, 1), (1, 1), (0, 0)))
    g = ops.space_to_depth(g, 2, data_format="channels_last")
    patches = ops.concatenate(
        [g[:, a : a + height, b : b + width, :] for a in (0, 1) for b in (0, 1)], -1
    )
    patches = ops.reshape(patches, (-1, height * width, 16 * out))
    x = ops.reshape(x, (-1, height * width, inp))
    per_image = ops.einsum("bnp,bni->bpi", patches, x)
    total = ops.sum(ops.cast(per_image, "float32"), axis=0)
    total = ops.reshape(total, (2, 2, 2, 2, out, inp))  # (row, column, phase, phase)
    return ops.reshape(ops.transpose(total, (0, 2, 1, 3, 4, 5)), (4, 4, out, inp))


@ops.custom_gradient
def conv_transpose_few_channels(x: Any, kernel: Any) -> tuple:
    """Transposed convolution 4 x 4, stride 2, "same", fast for few output channels.

    The gradient is written out because differentiating the sub-pixel form costs more
    than the form gains; by x it is the plain convolution with the same kernel.

    Args:
        x: Features [B, H, W, I].
        kernel: Weights [4, 4, O, I].

    Returns:
        Tensor [B, 2 H, 2 W, O].
    """

    def gradient(upstream: Any) -> tuple:
        by_x = ops.conv(
            upstream,
            kernel,
            strides=STRIDE,
            padding="same",
            data_format="channels_last",
        )
        return by_x, ops.cast(_kernel_gradient(x, upstream), kernel.dtype)

    return _sub_pixel_forward(x, kernel), gradient


@keras.saving.register_keras_serializable("tf_disentangle")
class OutputConv2DTranspose(keras.layers.Conv2DTranspose):
    """`Conv2DTranspose(filters, 4, strides=2, padding="same")` for few filters.

    Weights, their names and shapes ([4, 4, O, I] and [O]), and values are those of the
    Keras layer; only the arithmetic differs. Meant for O of 1 to 4.

    Args:
        filters: Number of output channels O, at least 1.
        **options: As for `keras.layers.Conv2DTranspose`, without kernel size, strides
            and padding.
    """

    def __init__(self, filters: int, **options: Any) -> None:
        options["data_format"] = "channels_last"
        super().__init__(filters, KERNEL, strides=STRIDE, padding="same", **options)

    def call(self, inputs: Any) -> Any:
        """Maps features [B, H, W, I] to [B, 2 H, 2 W, O]."""
        # A tensor, not the variable: custom_gradient looks for variables read inside.
        kernel = ops.reshape(self.kernel, self.kernel.shape)
        outputs = conv_transpose_few_channels(inputs, kernel)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return self.activation(outputs)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        config = super().get_config()
        fixed = ("kernel_size", "strides", "padding", "data_format")
        return {k: v for k, v in config.items() if k not in fixed}
