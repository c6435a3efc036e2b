"""The perceptron encoder against a numpy one."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.networks import mlp_encoder


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_equals_numpy(num_layers):
    encoder = mlp_encoder((2, 3, 2), 5, seed=0, width=7, num_layers=num_layers)
    x = np.random.default_rng(0).normal(size=(4, 2, 3, 2)).astype("float32")
    *hidden, head, bias = (w.numpy() for w in encoder.weights)
    h = x.reshape(4, -1)
    for kernel, offset in zip(hidden[::2], hidden[1::2], strict=True):
        assert kernel.shape[1] == 7
        h = np.maximum(h @ kernel + offset, 0)
    assert len(hidden) == 2 * num_layers
    np.testing.assert_allclose(encoder(x), h @ head + bias, rtol=1e-4, atol=1e-6)


def test_seeds_and_layers_have_their_own_weights():
    a, b, c = (mlp_encoder((1, 1, 6), 6, seed=s, width=6) for s in (0, 0, 1))
    np.testing.assert_array_equal(a.weights[0], b.weights[0])
    assert not np.array_equal(a.weights[0], c.weights[0])
    assert not np.array_equal(a.weights[0], a.weights[2])


def test_mixed_precision_ends_in_float32():
    encoder = mlp_encoder((1, 1, 2), 3, seed=0, dtype="mixed_bfloat16")
    assert encoder(np.ones((2, 1, 1, 2), np.float32)).dtype == "float32"
    assert encoder.get_layer("dense_1").compute_dtype == "bfloat16"


def test_values_out_of_range():
    with pytest.raises(ArgumentError, match="num_layers must be at least 0"):
        mlp_encoder((1, 1, 2), 3, seed=0, num_layers=-1)
    with pytest.raises(ArgumentError, match="width must be at least 1"):
        mlp_encoder((1, 1, 2), 3, seed=0, width=0)
    with pytest.raises(ArgumentError, match="image_shape"):
        mlp_encoder((2,), 3, seed=0)
