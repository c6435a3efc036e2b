"""Layers of a Keras model as words, and how many numbers such words stand for."""

import math
import re

import keras

SKIPPED = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Concatenate)


def described(model):
    """Returns a line for each layer that computes or reshapes."""
    return [line for line in map(_line, model.layers) if line]


def _line(layer):
    if isinstance(layer, SKIPPED):
        return None
    if isinstance(layer, keras.layers.Reshape):
        return "reshape " + " x ".join(map(str, layer.target_shape))
    if isinstance(layer, keras.layers.BatchNormalization):
        settings = (layer.momentum, layer.epsilon, layer.center, layer.scale)
        assert settings == (0.9, 1e-5, True, True)
        return "batch norm"
    if isinstance(layer, keras.layers.LeakyReLU):
        return f"leaky_relu {layer.negative_slope:g}"
    act = layer.activation.__name__
    if act == "leaky_relu":
        act = "leaky_relu 0.2"  # the slope of Keras's function
    if isinstance(layer, keras.layers.Activation):
        return None if act == "linear" else act
    bias = "" if layer.use_bias else ", no bias"
    if isinstance(layer, keras.layers.Dense):
        kind = "head" if layer.name.startswith("head") else "dense"
        return f"{kind} {layer.units} {act}{bias}"
    (side, same), (stride, _) = layer.kernel_size, layer.strides
    assert side == same and layer.data_format == "channels_last"
    transposed = isinstance(layer, keras.layers.Conv2DTranspose)
    kind = "transposed" if transposed else "conv"
    return f"{kind} {layer.filters} {side}x{side}/{stride} {layer.padding} {act}{bias}"


def count(lines, shape):
    """Returns the numbers in all layers of `lines`, applied to data of `shape`."""
    total, shape = 0, tuple(shape)
    into_heads = None
    for line in lines:
        word, *rest = line.split()
        biased = not line.endswith("no bias")
        if word == "reshape":
            shape = tuple(map(int, re.findall(r"\d+", line)))
        elif word == "batch":
            total += 4 * shape[-1]
        elif word in ("dense", "head"):
            if word == "head":  # heads stand side by side
                into_heads = math.prod(shape) if into_heads is None else into_heads
            size = into_heads if word == "head" else math.prod(shape)
            units = int(rest[0])
            total += (size + biased) * units
            shape = (units,)
        elif word in ("conv", "transposed"):
            filters, side, _, stride = map(int, re.findall(r"\d+", line)[:4])
            total += side**2 * shape[-1] * filters + biased * filters
            if stride == 1:  # between 1 x 1 and the kernel's size
                sides = (side, side) if word == "transposed" else (1, 1)
            else:
                factor = stride if word == "transposed" else 1 / stride
                sides = tuple(int(s * factor) for s in shape[:2])
            shape = (*sides, filters)
    return total
