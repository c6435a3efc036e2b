"""Faster kernels for the same mathematics, used only inside `faster()`.

oneDNN, the CPU library of TensorFlow and PyTorch, computes a transposed convolution
with one output channel as if it had as many channels as a vector register has lanes. Of
the time of a 64 x 64 VAE's step, a seventh went into the last such layer, which has a
thirtieth of the arithmetic. And Keras implements Adam as ten operations, each of which
reads and writes all weights, where TensorFlow has one: that is a tenth of FactorVAE's
step, with five million weights in its critic. With a GPU, where neither was measured,
nothing changes.

`use_faster_kernels` gives layers and optimisers a second way to compute, which they use
when they are called inside `with faster():`. Training steps enter it, unless they are
compiled by XLA, and so does `importance.log_evidence`, which decodes 200,000
images. Inside, results differ from Keras's in the last bits; outside they are Keras's,
bit for bit. Weights, records and what is saved are the same either way.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

# Channels of an image up to which it is faster; a vector register holds 8 or 16.
_MOST_CHANNELS = 4
_KERNEL, _STRIDE = 4, 2

_faster = contextvars.ContextVar("faster_kernels", default=False)


@contextlib.contextmanager
def faster() -> Iterator[None]:
    """Turns the faster kernels on inside a `with` block.

    Only layers and optimisers that were passed to `use_faster_kernels` have them.
    """
    token = _faster.set(True)
    try:
        yield
    finally:
        _faster.reset(token)


def use_faster_kernels(
    networks: Iterable[keras.layers.Layer],
    optimizers: Iterable[keras.optimizers.Optimizer] = (),
) -> None:
    """Gives layers and optimisers faster kernels, which they use inside `faster()`.

    The kernels are for transposed convolutions that output an image and for Adam, on a
    CPU. Other layers and optimisers are left alone; with a GPU, all are. Calling this
    twice does no harm.

    Args:
        networks: Models whose layers are searched.
        optimizers: Optimisers, also inside a `LossScaleOptimizer`.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    for network in networks:
        for layer in getattr(network, "layers", ()):
            if fits(layer) and "call" not in vars(layer):
                layer.call = functools.partial(_call, layer, layer.call)
    for optimizer in optimizers:
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        own = getattr(type(inner), "update_step", None)
        if own is keras.optimizers.Adam.update_step and not inner.amsgrad:
            inner.update_step = functools.partial(_adam_step, inner)


def conv_transpose(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Returns `tf.nn.conv2d_transpose` of stride 2 and "SAME" for a 4 x 4 kernel.

    Each output pixel is a sum over 2 x 2 inputs. A tile of t x t output pixels depends
    on t/2 + 2 inputs a side, so it is the result of an ordinary convolution of stride
    t/2 with t^2 C channels, whose kernel holds that of the transposed convolution at
    t^2 places and zeros elsewhere. This takes more arithmetic, but in full registers.
    The gradients are those of the transposed convolution, which are fast.

    Args:
        inputs: [B, H, W, D], with known sides.
        kernel: [4, 4, C, D].

    Returns:
        [B, 2 H, 2 W, C].
    """
    _, height, width, _ = inputs.shape
    channels = kernel.shape[2]
    # 4 x 4 pixels of one channel are 16 outputs, which fill a register. With several
    # channels, or an odd side of the inputs, tiles are 2 x 2.
    tile = 4 if channels == 1 and height % 2 == width % 2 == 0 else 2

    @tf.custom_gradient
    def compute(x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=upstream,
                filter_sizes=w.shape,
                out_backprop=x,
                strides=[1, _STRIDE, _STRIDE, 1],
                padding="SAME",
            )
            return tf.nn.conv2d(upstream, w, _STRIDE, "SAME"), of_kernel

        tiles = tf.nn.conv2d(x, _tile_kernel(w, tile), tile // 2, "SAME")
        rows = 2 * height // tile
        columns = 2 * width // tile
        tiles = tf.reshape(tiles, [-1, columns, tile, tile * channels])
        images = tf.transpose(tiles, [0, 2, 1, 3])
        return tf.reshape(
            images, [-1, rows * tile, columns * tile, channels]
        ), gradients

    return compute(inputs, kernel)


def _tile_kernel(kernel: tf.Tensor, tile: int) -> tf.Tensor:
    """Returns the kernel [n, n, D, t^2 C] that computes tiles of t x t pixels.

    Input i of a row reaches the pixels 2i - 1 + u, u < 4. The window of the tile from
    pixel t r begins at input t r / 2 - 1, so its input q reaches the tile's pixel p
    through u = p + 3 - 2q, if there is such a u.
    """
    window = tile // 2 + 2
    u = np.arange(tile)[:, None] + 3 - 2 * np.arange(window)
    u = np.where((u >= 0) & (u < _KERNEL), u, _KERNEL)  # the zeros behind the last
    padded = tf.pad(kernel, [[0, 1], [0, 1], [0, 0], [0, 0]])
    placed = tf.gather(tf.gather(padded, u, axis=0), u, axis=2)  # [p, q, p', q', C, D]
    placed = tf.transpose(placed, [1, 3, 5, 0, 2, 4])
    return tf.reshape(placed, [window, window, kernel.shape[3], -1])


def fits(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a transposed convolution that `conv_transpose` computes."""
    return (
        type(layer) is keras.layers.Conv2DTranspose
        and layer.filters <= _MOST_CHANNELS
        and layer.kernel_size == (_KERNEL, _KERNEL)
        and layer.strides == (_STRIDE, _STRIDE)
        and (layer.padding, layer.data_format) == ("same", "channels_last")
        and layer.output_padding is None
        and tuple(layer.dilation_rate) == (1, 1)
    )


def _call(
    layer: keras.layers.Conv2DTranspose,
    plain: Callable[[tf.Tensor], tf.Tensor],
    inputs: tf.Tensor,
) -> tf.Tensor:
    """Calls a layer, by `conv_transpose` inside `faster()`."""
    if not _faster.get() or None in inputs.shape[1:]:
        return plain(inputs)
    outputs = conv_transpose(inputs, tf.convert_to_tensor(layer.kernel))
    if layer.use_bias:
        outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(layer.bias))
    return outputs if layer.activation is None else layer.activation(outputs)


def _adam_step(
    optimizer: keras.optimizers.Adam,
    gradient: tf.Tensor,
    variable: tf.Variable,
    learning_rate: tf.Tensor,
) -> None:
    """Moves a variable as Adam does, by one operation inside `faster()`."""
    if not _faster.get() or isinstance(gradient, tf.IndexedSlices):
        type(optimizer).update_step(optimizer, gradient, variable, learning_rate)
        return
    index = optimizer._get_variable_index(variable)
    moments = optimizer._momentums[index], optimizer._velocities[index]
    step = tf.cast(optimizer.iterations + 1, variable.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=moments[0].value.handle,
        v=moments[1].value.handle,
        beta1_power=tf.cast(optimizer.beta_1, variable.dtype) ** step,
        beta2_power=tf.cast(optimizer.beta_2, variable.dtype) ** step,
        lr=tf.cast(learning_rate, variable.dtype),
        beta1=tf.cast(optimizer.beta_1, variable.dtype),
        beta2=tf.cast(optimizer.beta_2, variable.dtype),
        epsilon=tf.cast(optimizer.epsilon, variable.dtype),
        grad=tf.cast(gradient, variable.dtype),
    )
