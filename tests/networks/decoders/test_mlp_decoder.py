"""The perceptron decoder against a numpy one."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.networks import mlp_decoder


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_equals_numpy(num_layers):
    decoder = mlp_decoder(3, (2, 3, 2), seed=0, width=7, num_layers=num_layers)
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    *hidden, head, bias = (w.numpy() for w in decoder.weights)
    h = z
    for kernel, offset in zip(hidden[::2], hidden[1::2], strict=True):
        assert kernel.shape[1] == 7
        h = np.maximum(h @ kernel + offset, 0)
    assert len(hidden) == 2 * num_layers
    expected = (h @ head + bias).reshape(4, 2, 3, 2)
    np.testing.assert_allclose(decoder(z), expected, rtol=1e-4, atol=1e-6)


def test_mixed_precision_ends_in_float32():
    decoder = mlp_decoder(3, (1, 1, 2), seed=0, dtype="mixed_bfloat16")
    assert decoder(np.ones((2, 3), np.float32)).dtype == "float32"
    assert decoder.get_layer("dense_1").compute_dtype == "bfloat16"


def test_values_out_of_range():
    with pytest.raises(ArgumentError, match="num_layers must be at least 0"):
        mlp_decoder(3, (1, 1, 2), seed=0, num_layers=-1)
    with pytest.raises(ArgumentError, match="num_latents must be at least 1"):
        mlp_decoder(0, (1, 1, 2), seed=0)
