"""The perceptron critic against a numpy one."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.networks import mlp_critic, mlp_encoder


@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_equals_numpy(num_layers):
    critic = mlp_critic(5, seed=0, width=7, num_layers=num_layers)
    rng = np.random.default_rng(0)
    critic.set_weights([rng.normal(size=w.shape) for w in critic.get_weights()])
    z = rng.normal(size=(4, 5)).astype("float32")
    *hidden, head, bias = critic.get_weights()
    h = z.astype("float64")
    for kernel, offset in zip(hidden[::2], hidden[1::2], strict=True):
        h = h @ kernel + offset
        h = np.where(h > 0, h, 0.2 * h)
    assert len(hidden) == 2 * num_layers
    np.testing.assert_allclose(critic(z), h @ head + bias, rtol=1e-4, atol=1e-5)


def test_by_default_it_is_the_papers():
    kernels = [w.shape for w in mlp_critic(10, seed=0).weights][::2]
    assert kernels == [(10, 1000), *[(1000, 1000)] * 5, (1000, 1)]


def test_seeds_and_layers_have_their_own_weights():
    a, b, c = (mlp_critic(6, seed=s, width=6) for s in (0, 0, 1))
    np.testing.assert_array_equal(a.weights[0], b.weights[0])
    assert not np.array_equal(a.weights[0], c.weights[0])
    assert not np.array_equal(a.weights[0], a.weights[2])


@pytest.mark.parametrize("layer", range(4))
def test_a_seed_beyond_the_runs_seeds_is_no_layer_of_another_network(layer):
    """As `build_vae` gives it: a pool of entropy pads what is short with zeros."""
    critic = mlp_critic(6, seed=2**63, width=6, num_layers=4)
    for seed in range(4):
        other = mlp_encoder((1, 1, 6), 6, seed=seed, width=6, num_layers=4)
        for weights in other.weights[::2]:
            assert not np.array_equal(critic.weights[2 * layer], weights)


def test_mixed_precision_ends_in_float32():
    critic = mlp_critic(2, seed=0, width=4, dtype="mixed_bfloat16")
    assert critic(np.ones((2, 2), np.float32)).dtype == "float32"
    assert critic.get_layer("dense_1").compute_dtype == "bfloat16"


def test_values_out_of_range():
    with pytest.raises(ArgumentError, match="num_inputs must be at least 1"):
        mlp_critic(0, seed=0)
    with pytest.raises(ArgumentError, match="num_layers must be at least 0"):
        mlp_critic(2, seed=0, num_layers=-1)
    with pytest.raises(ArgumentError, match="width must be at least 1"):
        mlp_critic(2, seed=0, width=0)
