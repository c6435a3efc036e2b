"""The field's convolutional pair against a numpy one, and its sizes by hand."""

import numpy as np
import pytest

from tests.networks import networks_oracle as oracle
from tf_disentangle.networks import conv_decoder, conv_encoder

SHAPES = [(64, 64, 1), (64, 64, 3), (32, 32, 1), (128, 128, 1)]


def draws(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_encoder_equals_numpy(shape):
    encoder = conv_encoder(shape, 20, width=128, seed=1)
    oracle.randomise_biases(encoder, np.random.default_rng(2))
    x = draws(3, *shape)
    expected = oracle.encode(encoder, x)
    np.testing.assert_allclose(encoder(x), expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("shape", SHAPES)
def test_decoder_equals_numpy(shape):
    decoder = conv_decoder(10, shape, width=128, seed=1)
    oracle.randomise_biases(decoder, np.random.default_rng(2))
    z = draws(3, 10)
    expected = oracle.decode(decoder, z)
    np.testing.assert_allclose(decoder(z), expected, atol=1e-5 * abs(expected).max())


def test_leaky_encoder():
    leaky = conv_encoder((32, 32, 1), 3, width=16, activation="leaky_relu", seed=1)
    x = draws(3, 32, 32, 1)
    expected = oracle.encode(leaky, x, slope=0.2)
    np.testing.assert_allclose(leaky(x), expected, atol=1e-5 * abs(expected).max())


def test_decoder_normalised_over_the_batch_in_training_alone():
    decoder = conv_decoder(4, (32, 32, 1), width=16, batch_norm=True, seed=1)
    z = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
    actual = decoder(z, training=True)
    expected = oracle.decode(decoder, z, oracle.normalised)
    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.abs(expected).max())
    for _ in range(100):  # the running means, which inference takes
        decoder(z, training=True)
    np.testing.assert_allclose(decoder(z), actual, atol=0.05 * np.abs(expected).max())
    np.testing.assert_allclose(decoder(z)[:3], decoder(z[:3]), atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "width", "outputs", "count"),
    [
        # By hand: 16 I O + O per convolution; 1024 -> width -> outputs.
        ((64, 64, 1), 256, 20, 544 + 16416 + 32832 + 65600 + 262400 + 5140),
        ((64, 64, 3), 128, 20, 1568 + 16416 + 32832 + 65600 + 131200 + 2580),
        ((32, 32, 1), 256, 65, 544 + 16416 + 32832 + 262400 + 16705),
        ((128, 128, 1), 256, 20, 544 + 16416 + 32832 + 2 * 65600 + 262400 + 5140),
    ],
)
def test_numbers_of_an_encoder(shape, width, outputs, count):
    assert conv_encoder(shape, outputs, width=width, seed=0).count_params() == count


@pytest.mark.parametrize(
    ("shape", "width", "num_latents", "count"),
    [
        # By hand: latents -> width -> 1024; 16 I O + O per transposed convolution.
        ((64, 64, 1), 256, 10, 2816 + 263168 + 65600 + 32800 + 16416 + 513),
        ((64, 64, 3), 128, 6, 896 + 132096 + 65600 + 32800 + 16416 + 1539),
        ((32, 32, 1), 256, 10, 2816 + 263168 + 32800 + 16416 + 513),
        ((128, 128, 1), 256, 10, 2816 + 263168 + 2 * 65600 + 32800 + 16416 + 513),
    ],
)
def test_numbers_of_a_decoder(shape, width, num_latents, count):
    decoder = conv_decoder(num_latents, shape, width=width, seed=0)
    assert decoder.count_params() == count


def test_width_is_256_by_default():
    assert conv_encoder((32, 32, 1), 4, seed=0).get_layer("dense").units == 256
    assert conv_decoder(4, (32, 32, 1), seed=0).get_layer("dense_1").units == 256


def test_initial_weights_are_glorots():
    for layer in conv_encoder((64, 64, 1), 20, seed=0).layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            fans = np.prod(kernel.shape[:-2]) * (kernel.shape[-2] + kernel.shape[-1])
            limit = np.sqrt(6.0 / fans)
            assert limit * 0.95 < np.abs(kernel).max() <= limit * (1 + 1e-6)
            # Variance of a uniform draw, limit^2 / 3, with its standard error.
            error = limit**2 * np.sqrt(4 / 45 / kernel.size)
            assert abs(np.mean(kernel**2) - limit**2 / 3) < 4 * error
            assert not bias.any()
