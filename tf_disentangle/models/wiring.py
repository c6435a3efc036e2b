"""Presents encoders and decoders of every Keras kind as one kind of function.

A network may be functional, sequential or subclassed, built or not yet; an encoder may
have several heads, (mean, log variance) for example, and may take uint8 images.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_disentangle import checks


def input_shape(network: keras.Model) -> tuple[int, ...] | None:
    """Returns the shape of one example that a network takes; None if undeclared."""
    inputs = getattr(network, "inputs", None)
    return tuple(inputs[0].shape[1:]) if inputs else None


def input_dtype(network: keras.Model) -> tf.DType:
    """Returns the type of a network's input: float32 unless it is an integer type."""
    inputs = getattr(network, "inputs", None)
    dtype = tf.as_dtype(inputs[0].dtype if inputs else "float32")
    return dtype if dtype.is_integer else tf.float32


def output_shapes(
    network: keras.Model, example: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Returns the shape of each output for an example of shape `example`.

    A network that does not declare them is called once, which builds it.
    """
    outputs = getattr(network, "outputs", None)
    if not outputs:
        zeros = tf.zeros([1, *example], input_dtype(network))
        outputs = keras.tree.flatten(network(zeros, training=False))
    return tuple(tuple(output.shape[1:]) for output in outputs)


def one_output(network: keras.Model, example: Sequence[int], argument: str) -> tuple:
    """Returns the shape of a network's output; several raise `ArgumentError`."""
    shapes = output_shapes(network, example)
    checks.require(len(shapes) == 1, argument, "have one output", shapes)
    return shapes[0]


def warn_of_probabilities(decoder: keras.Model, num_inputs: int) -> None:
    """Warns of a decoder that seems to end in a sigmoid where logits are expected."""
    # Far from the origin, where even small initial weights give logits outside [0, 1].
    z = 1e3 * tf.random.stateless_normal([4, num_inputs], seed=[0, 0])
    outputs = tf.cast(decoder(z, training=False), tf.float32)
    low, high = float(tf.reduce_min(outputs)), float(tf.reduce_max(outputs))
    if 0 <= low < high <= 1:
        warnings.warn(
            "All outputs of the decoder lie in [0, 1], as if it ended in a sigmoid; "
            "logits are expected. Remove its last activation.",
            stacklevel=2,
        )


def image_shape(
    encoder: keras.Model, decoded: tuple[int, ...], outputs_per_value: int
) -> tuple[int, int, int]:
    """Returns the shape of the images that encoder and decoder have in common.

    Args:
        encoder: The encoder; if it declares no input, it takes what is decoded.
        decoded: The shape of the decoder's output.
        outputs_per_value: How many numbers the decoder emits for each value.

    Raises:
        ArgumentError: If they do not fit.
    """
    rule = "emit images [B, height, width, channels]"
    checks.require(len(decoded) == 3, "decoder", rule, decoded)
    *sides, channels = decoded
    taken = input_shape(encoder) or (*sides, channels // outputs_per_value)
    *expected, values = checks.image_shape(taken)
    rule = f"emit images of height and width {tuple(expected)}"
    checks.require(sides == expected, "decoder", rule, decoded)
    emitted = values * outputs_per_value
    rule = f"emit {emitted} channels for these images"
    checks.require(channels == emitted, "decoder", rule, channels)
    return (*expected, values)


def require_no_losses(network: keras.Model, argument: str) -> None:
    """Raises `ArgumentError` if a network adds a loss, which no step would minimise.

    Regularisers are found in any network; those of `add_loss`, in one that was called.
    """
    weights = [v.path for v in network.trainable_variables if v.regularizer]
    layers = [p.path for p in network._flatten_layers() if p.activity_regularizer]
    rule = "have no regularisers and no add_loss: the objective is the whole loss"
    received = [*weights, *layers] or [f"add_loss in {network.name}"]
    remedy = (
        "Remove them. keras.optimizers.AdamW lowers weights by its weight_decay; "
        "another loss is a penalty of the objective."
    )
    acts = weights or layers or network.losses
    checks.require(not acts, argument, rule, received, remedy)


def joined(outputs: Any) -> tf.Tensor:
    """Returns a network's output, or those of several heads side by side in float32."""
    heads = keras.tree.flatten(outputs)
    if len(heads) == 1:
        return heads[0]
    return tf.concat([tf.cast(head, tf.float32) for head in heads], axis=-1)
