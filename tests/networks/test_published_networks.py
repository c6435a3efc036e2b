"""The options and networks that the papers' settings need, against plain numpy."""

import keras
import numpy as np
import pytest

from tests.networks import networks_oracle as oracle
from tf_disentangle import networks
from tf_disentangle.checks import ArgumentError, ArgumentTypeError

RNG = np.random.default_rng(0)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.abs(expected).max())


def images(n, *shape):
    return RNG.uniform(size=(n, *shape)).astype("float32")


def test_kernels_of_two_are_the_2019_studys():
    encoder = networks.conv_encoder((64, 64, 1), 6, seed=1, kernels=[4, 4, 2, 2])
    oracle.randomise_biases(encoder, RNG)
    *convs, dense, head = oracle.pairs(encoder)
    assert [kernel.shape[0] for kernel, _ in convs] == [4, 4, 2, 2]
    x = h = images(2, 64, 64, 1)
    for kernel, bias in convs[:2]:
        h = oracle.relu(oracle.conv(h, kernel, bias))
    for kernel, bias in convs[2:]:  # 2 x 2 at stride 2 are disjoint patches
        n, side, _, channels = h.shape
        patches = h.reshape(n, side // 2, 2, side // 2, 2, channels)
        h = oracle.relu(np.einsum("nxuyvi,uvio->nxyo", patches, kernel) + bias)
    h = oracle.relu(h.reshape(2, -1) @ dense[0] + dense[1])
    close(encoder(x), h @ head[0] + head[1])


def test_channels_decide_the_layers_and_allow_other_sides():
    encoder = networks.conv_encoder((28, 28, 1), 2, seed=0, width=8, channels=(6, 9))
    assert [k.shape[-1] for k, _ in oracle.pairs(encoder)] == [6, 9, 8, 2]
    decoder = networks.conv_decoder(3, (28, 12, 1), seed=0, width=8, channels=[9, 6])
    assert decoder(np.zeros((1, 3))).shape == (1, 28, 12, 1)
    assert decoder.get_layer("dense_2").units == 7 * 3 * 9
    with pytest.raises(ArgumentError, match="image_shape must have sides that 8 div"):
        networks.conv_encoder((28, 28, 1), 2, seed=0, channels=(6, 9, 9))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_linear_dense_layer_and_activations(activation):
    options = {"seed": 1, "width": 16, "activation": activation}
    encoder = networks.conv_encoder((32, 32, 1), 3, linear_dense=True, **options)
    x = h = images(2, 32, 32, 1)
    act = np.tanh if activation == "tanh" else oracle.relu
    *convs, dense, head = oracle.pairs(encoder)
    for kernel, bias in convs:
        h = act(oracle.conv(h, kernel, bias))
    close(encoder(x), (h.reshape(2, -1) @ dense[0] + dense[1]) @ head[0] + head[1])
    decoder = networks.mlp_decoder(2, (2, 2, 1), num_layers=2, **options)
    z = RNG.normal(size=(4, 2)).astype("float32")
    h, (*hidden, (kernel, bias)) = z, oracle.pairs(decoder)
    for w, b in hidden:
        h = act(h @ w + b)
    close(decoder(z), (h @ kernel + bias).reshape(4, 2, 2, 1))


@pytest.mark.parametrize("build", [networks.conv_encoder, networks.mlp_encoder])
def test_heads_have_glorots_bound_each_and_the_same_order(build):
    encoder = build((32, 32, 1), 14, seed=0, width=50, heads=[2, 12])
    first, second = (encoder.get_layer(f"head_{i}") for i in (1, 2))
    for head, size in ((first, 2), (second, 12)):
        largest = np.abs(head.kernel.numpy()).max()
        assert 0.9 < largest / np.sqrt(6 / (50 + size)) <= 1 + 1e-6
    hidden = keras.Model(encoder.input, first.input)
    x = images(3, 32, 32, 1)
    parts = [hidden(x) @ h.kernel.numpy() + h.bias.numpy() for h in (first, second)]
    close(encoder(x), np.concatenate(parts, axis=1))
    with pytest.raises(ArgumentError, match=r"heads must add up to the 14 .*\(2, 3\)"):
        build((32, 32, 1), 14, seed=0, heads=[2, 3])


def test_distributions_of_the_initial_weights():
    shape, options = (64, 64, 3), {"seed": 3, "width": 128}
    for build in (
        lambda kind: networks.conv_encoder(shape, 20, initializer=kind, **options),
        lambda kind: networks.conv_decoder(10, shape, initializer=kind, **options),
        lambda kind: networks.mlp_encoder((1, 1, 9), 20, initializer=kind, **options),
    ):
        for layer in build("torch").layers:
            if layer.weights:
                # PyTorch: b = 1/sqrt(numel / first axis) of its weight, which has the
                # outputs first, or those of a transposed convolution second.
                kernel, bias = layer.get_weights()
                bound = 1 / np.sqrt(kernel.size / kernel.shape[-1])
                assert 0.8 * bound < np.abs(kernel).max() <= bound * (1 + 1e-6)
                assert 0 < np.abs(bias).max() <= bound * (1 + 1e-6)
                assert abs(kernel.std() / bound * np.sqrt(3) - 1) < 0.15
        for layer in build("dcgan").layers:
            if layer.weights:
                kernel, bias = layer.get_weights()
                error = 0.02 / np.sqrt(2 * kernel.size)
                assert abs(kernel.std() - 0.02) < 5 * error and not bias.any()


def test_dcgan_encoder():
    encoder = networks.dcgan_encoder((32, 32, 1), 6, seed=1, width=8)
    kernels = [layer.get_weights()[0] for layer in encoder.layers if convs(layer)]
    assert [k.shape for k in kernels] == [
        (4, 4, 1, 8),
        (4, 4, 8, 16),
        (4, 4, 16, 32),
        (4, 4, 32, 6),
    ]
    biases = [layer.use_bias for layer in encoder.layers if convs(layer)]
    assert biases == [False, False, False, True]
    x = h = images(9, 32, 32, 1)
    for i, kernel in enumerate(kernels[:-1]):
        h = oracle.conv(h, kernel, 0.0)
        h = oracle.relu(oracle.normalised(h) if i else h, 0.2)
    expected = np.einsum("nxyi,xyio->no", h, kernels[-1])
    close(encoder(x, training=True), expected)
    assert encoder(x).shape == (9, 6)


def test_dcgan_decoder():
    decoder = networks.dcgan_decoder(5, (32, 32, 3), seed=1, width=8)
    kernels = [layer.get_weights()[0] for layer in decoder.layers if convs(layer)]
    assert not any(layer.use_bias for layer in decoder.layers if convs(layer))
    assert [k.shape for k in kernels] == [
        (4, 4, 32, 5),
        (4, 4, 16, 32),
        (4, 4, 8, 16),
        (4, 4, 3, 8),
    ]
    z = RNG.normal(size=(9, 5)).astype("float32")
    h = np.einsum("ni,xyoi->nxyo", z, kernels[0])
    for kernel in kernels[1:]:
        h = oracle.conv_transpose(oracle.relu(oracle.normalised(h)), kernel, 0.0)
    close(decoder(z, training=True), h)


def convs(layer):
    return isinstance(layer, keras.layers.Conv2D | keras.layers.Conv2DTranspose)


def test_infogan_pair_shares_its_trunk():
    shape = (28, 28, 1)
    encoder, critic = networks.infogan_pair(shape, 12, seed=1, width=40)
    shared = set(map(id, encoder.weights)) & set(map(id, critic.weights))
    assert len(shared) == 14  # kernel and bias of three layers, two normalisations
    x = h = images(7, *shape)
    (conv_1, conv_2, dense_1, head), bias = oracle.pairs(critic), 0.0
    h = oracle.relu(oracle.conv(h, conv_1[0], bias), 0.1)
    h = oracle.relu(oracle.normalised(oracle.conv(h, conv_2[0], bias)), 0.1)
    h = oracle.relu(oracle.normalised(h.reshape(7, -1) @ dense_1[0]), 0.1)
    close(critic(x, training=True), h @ head[0])
    dense_2, head = oracle.pairs(encoder)[-2:]
    h = oracle.relu(oracle.normalised(h @ dense_2[0]), 0.1)
    close(encoder(x, training=True), h @ head[0])
    # Apart, each has the weights that it has in the pair of that seed.
    alone = networks.infogan_encoder(shape, 12, seed=1, width=40)
    np.testing.assert_array_equal(alone.weights[0], encoder.weights[0])
    assert networks.infogan_critic(shape, seed=1, width=40).output_shape == (None, 1)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kernels": [4, 4]}, ArgumentError, "one side for each of the 3 convol"),
        ({"kernels": 0}, ArgumentError, "kernels must be at least 1"),
        ({"channels": 32}, ArgumentTypeError, "channels must be list or tuple"),
        ({"channels": []}, ArgumentError, "channels must have at least one number"),
        ({"channels": [8, 0]}, ArgumentError, "each of channels must be at least 1"),
        ({"activation": "gelu"}, ArgumentError, "activation must be one of 'relu'"),
        ({"initializer": "he"}, ArgumentError, "initializer must be one of 'glorot'"),
        ({"linear_dense": 1}, ArgumentTypeError, "linear_dense must be bool"),
    ],
)
def test_error_texts(options, error, text):
    with pytest.raises(error, match=text):
        networks.conv_encoder((32, 32, 1), 4, seed=0, **options)
