"""Pieces that the encoders and decoders share."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tf_disentangle import checks

# bfloat16 pays on a GPU and on a CPU that computes in it (AVX512_BF16, with oneDNN on,
# TensorFlow's default). Elsewhere TensorFlow emulates it at a tenth of float32's speed.
DTYPES = ("float32", "mixed_bfloat16")

KERNEL, STRIDE = 4, 2
SMALLEST = 4  # height and width between the convolutions and the dense layers
HALVINGS = {128: 5, 64: 4, 32: 3}  # image side -> stride-2 layers down to SMALLEST


def glorot(seed: int, layer: int) -> keras.initializers.Initializer:
    """Returns a Glorot-uniform initialiser with a seed of its own for each layer.

    Args:
        seed: Seed of the network, at least 0.
        layer: Position of the layer in the network, at least 0.
    """
    word = np.random.SeedSequence((seed, layer)).generate_state(1)[0]
    return keras.initializers.GlorotUniform(seed=int(word >> 1))  # fits an int32


def check_network(size: Any, argument: str, width: Any, dtype: Any, seed: Any) -> None:
    """Checks the arguments that every network takes; `size` goes by `argument`."""
    checks.integer(size, argument, at_least=1)
    checks.integer(width, "width", at_least=1)
    checks.one_of(dtype, DTYPES, "dtype")
    checks.integer(seed, "seed", at_least=0)


def hidden_layers(
    h: keras.KerasTensor,
    num_layers: Any,
    width: int,
    dtype: str,
    seed: int,
    activation: str = "relu",
) -> keras.KerasTensor:
    """Applies `num_layers` dense layers of `width` units to h [B, n]."""
    for i in range(checks.integer(num_layers, "num_layers", at_least=0)):
        h = keras.layers.Dense(
            width,
            activation=activation,
            kernel_initializer=glorot(seed, i),
            dtype=dtype,
            name=f"dense_{i + 1}",
        )(h)
    return h


def num_halvings(image_shape: Any) -> int:
    """Returns how many stride-2 layers lie between `image_shape` and 4 x 4.

    Raises:
        ArgumentError: If the images are not square with one of these sides.
    """
    height, width, _ = checks.image_shape(image_shape)
    checks.require(
        height == width and height in HALVINGS,
        "image_shape",
        "have height and width 128 x 128, 64 x 64 or 32 x 32",
        tuple(image_shape),
        "Resize or pad the images to one of these sizes (`size` of ImageFolder and "
        "ImageFile does).",
    )
    return HALVINGS[height]
