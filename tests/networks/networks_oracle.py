"""The two networks in plain numpy, float64: independent of Keras's layers."""

import numpy as np


def relu(x, slope=0.0):
    return np.maximum(x, slope * x)


def normalised(x):
    """Over all but the channels, as in training; 1e-5 is added to the variance."""
    over = tuple(range(x.ndim - 1))
    return (x - x.mean(over)) / np.sqrt(x.var(over) + 1e-5)


def conv(x, kernel, bias):
    """4 x 4, stride 2, one pixel of padding; kernel [4, 4, I, O]."""
    half = x.shape[1] // 2
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((len(x), half, half, kernel.shape[3]))
    for u in range(4):
        for v in range(4):
            y += padded[:, u : u + 2 * half : 2, v : v + 2 * half : 2] @ kernel[u, v]
    return y + bias


def conv_transpose(x, kernel, bias):
    """The transpose of `conv`; kernel [4, 4, O, I]."""
    side = 2 * x.shape[1]
    y = np.zeros((len(x), side + 2, side + 2, kernel.shape[2]))
    for u in range(4):
        for v in range(4):
            y[:, u : u + side : 2, v : v + side : 2] += x @ kernel[u, v].T
    return y[:, 1:-1, 1:-1] + bias


def pairs(model):
    """Kernels and biases in order, float64."""
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    weights = [[w.astype(np.float64) for w in x.get_weights()] for x in layers]
    return [tuple(pair) for pair in weights]


def encode(model, x, slope=0.0):
    *convs, dense, head = pairs(model)
    for kernel, bias in convs:
        x = relu(conv(x, kernel, bias), slope)
    x = relu(x.reshape(len(x), -1) @ dense[0] + dense[1], slope)
    return x @ head[0] + head[1]


def decode(model, z, between=lambda h: h):
    *layers, last = pairs(model)
    for kernel, bias in layers[:2]:
        z = relu(between(z @ kernel + bias))
    z = z.reshape(len(z), 4, 4, 64)
    for kernel, bias in layers[2:]:
        z = relu(between(conv_transpose(z, kernel, bias)))
    return conv_transpose(z, *last)


def randomise_biases(model, rng):
    """Zero biases would hide a bias that is not added."""
    model.set_weights(
        [
            rng.normal(size=w.shape).astype(np.float32) if w.ndim == 1 else w
            for w in model.get_weights()
        ]
    )
