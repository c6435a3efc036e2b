"""The perceptrons against a numpy one."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.networks import mlp_critic, mlp_decoder, mlp_encoder

# name: (builder, its first arguments, shape of the inputs, slope of its ReLU)
CASES = {
    "encoder": (mlp_encoder, ((2, 3, 2), 5), (2, 3, 2), 0.0),
    "decoder": (mlp_decoder, (5, (2, 3, 2)), (5,), 0.0),
    "critic": (mlp_critic, (5,), (5,), 0.2),
}


@pytest.mark.parametrize("num_layers", [0, 1, 3])
@pytest.mark.parametrize("name", CASES)
def test_equals_numpy(name, num_layers):
    build, arguments, shape, slope = CASES[name]
    network = build(*arguments, seed=0, width=7, num_layers=num_layers)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(size=w.shape) for w in network.get_weights()])
    x = rng.normal(size=(4, *shape)).astype("float32")
    *hidden, head, bias = network.get_weights()
    assert len(hidden) == 2 * num_layers
    h = x.reshape(4, -1).astype("float64")
    for kernel, offset in zip(hidden[::2], hidden[1::2], strict=True):
        h = h @ kernel + offset
        h = np.where(h > 0, h, slope * h)
    expected = (h @ head + bias).reshape(network(x).shape)
    np.testing.assert_allclose(network(x), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ArgumentError, match="num_layers must be at least 0"):
        build(*arguments, seed=0, num_layers=-1)


def test_by_default_the_critic_is_the_papers():
    kernels = [w.shape for w in mlp_critic(10, seed=0).weights][::2]
    assert kernels == [(10, 1000), *[(1000, 1000)] * 5, (1000, 1)]


@pytest.mark.parametrize("layer", range(4))
def test_a_seed_beyond_the_runs_seeds_is_no_layer_of_another_network(layer):
    """As `build_vae` gives it: a pool of entropy pads what is short with zeros."""
    critic = mlp_critic(6, seed=2**63, width=6, num_layers=4)
    for seed in range(4):
        other = mlp_encoder((1, 1, 6), 6, seed=seed, width=6, num_layers=4)
        for weights in other.weights[::2]:
            assert not np.array_equal(critic.weights[2 * layer], weights)
