import keras
import networks_oracle as oracle
import numpy as np
import pytest

from tf_disentangle import checks
from tf_disentangle.networks import conv_encoder


def images(n, shape, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, *shape)).astype(np.float32)


@pytest.mark.parametrize(
    "shape", [(64, 64, 1), (64, 64, 3), (32, 32, 1), (128, 128, 1)]
)
def test_equals_the_numpy_network(shape):
    encoder = conv_encoder(shape, 20, width=128, seed=1)
    oracle.randomise_biases(encoder, np.random.default_rng(2))
    x = images(3, shape)
    y = encoder(x)
    assert y.shape == (3, 20)
    expected = oracle.encode(encoder, x)
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.abs(expected).max())


def test_leaky():
    leaky = conv_encoder((32, 32, 1), 3, width=16, activation="leaky_relu", seed=1)
    x = images(3, (32, 32, 1))
    expected = oracle.encode(leaky, x, slope=0.2)
    np.testing.assert_allclose(leaky(x), expected, atol=1e-5 * np.abs(expected).max())


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
def test_parameter_count(shape, width, outputs, count):
    assert conv_encoder(shape, outputs, width=width, seed=0).count_params() == count


def test_width_is_256_unless_given():
    encoder = conv_encoder((32, 32, 1), 4, seed=0)
    assert encoder.get_layer("dense").units == 256


def test_initial_weights():
    encoder = conv_encoder((64, 64, 1), 20, seed=0)
    for layer in encoder.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            fans = np.prod(kernel.shape[:-2]) * (kernel.shape[-2] + kernel.shape[-1])
            limit = np.sqrt(6.0 / fans)
            assert limit * 0.95 < np.abs(kernel).max() <= limit * (1 + 1e-6)
            # Variance of a uniform draw, limit^2 / 3, with its standard error.
            error = limit**2 * np.sqrt(4 / 45 / kernel.size)
            assert abs(np.mean(kernel**2) - limit**2 / 3) < 4 * error
            assert not bias.any()


def test_seed_decides_the_weights():
    keras.utils.set_random_seed(1)
    first = conv_encoder((64, 64, 1), 20, seed=3).get_weights()
    keras.utils.set_random_seed(2)
    again = conv_encoder((64, 64, 1), 20, seed=3).get_weights()
    other = conv_encoder((64, 64, 1), 20, seed=4).get_weights()
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or not np.array_equal(a, c)
    # Layers differ from each other, too, where their shapes begin alike.
    assert not np.array_equal(first[0].ravel()[:100], first[2].ravel()[:100])


def test_mixed_bfloat16():
    mixed = conv_encoder((64, 64, 1), 20, seed=0, dtype="mixed_bfloat16")
    plain = conv_encoder((64, 64, 1), 20, seed=0)
    assert {str(v.dtype) for v in mixed.variables} == {"float32"}
    by_name = {layer.name: layer.compute_dtype for layer in mixed.layers}
    assert by_name.pop("head") == "float32"
    inner = [d for n, d in by_name.items() if n.startswith(("conv", "dense"))]
    assert inner == ["bfloat16"] * 5
    x = images(4, (64, 64, 1))
    a, b = np.asarray(mixed(x)), np.asarray(plain(x))
    assert a.dtype == np.float32
    assert 0 < np.abs(a - b).max() < 0.03 * np.abs(b).max()


def test_global_policy_and_layout_do_not_matter():
    x = images(2, (32, 32, 1))
    expected = np.asarray(conv_encoder((32, 32, 1), 4, seed=0)(x))
    policy, layout = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_image_data_format("channels_first")
    try:
        y = np.asarray(conv_encoder((32, 32, 1), 4, seed=0)(x))
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(layout)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)


# Keras 3.15 hands its variables to NumPy 2 the old way when it writes HDF5.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_weights_and_model_can_be_saved(tmp_path):
    encoder = conv_encoder((32, 32, 1), 4, seed=0, dtype="mixed_bfloat16")
    x = images(2, (32, 32, 1))
    encoder.save_weights(tmp_path / "encoder.weights.h5")
    other = conv_encoder((32, 32, 1), 4, seed=1, dtype="mixed_bfloat16")
    assert not np.array_equal(other(x), encoder(x))
    other.load_weights(tmp_path / "encoder.weights.h5")
    np.testing.assert_array_equal(other(x), encoder(x))
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(x), encoder(x))


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 32, 1), (96, 96, 3)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(checks.ArgumentError, match="64 x 64 or 32 x 32; received") as e:
        conv_encoder(shape, 20, seed=0)
    assert str(shape) in str(e.value)
    assert "Resize or pad" in str(e.value)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"num_outputs": 0}, ValueError, "num_outputs must be at least 1; received 0"),
        ({"num_outputs": 2.0}, TypeError, "num_outputs must be int"),
        ({"width": 0}, ValueError, "width must be at least 1; received 0"),
        ({"activation": "elu"}, ValueError, "activation must be one of 'relu', 'l"),
        ({"seed": -1}, ValueError, "seed must be at least 0; received -1"),
        ({"seed": None}, TypeError, "seed must be int"),
        ({"dtype": "bfloat16"}, ValueError, "Did you mean mixed_bfloat16"),
        ({"image_shape": (64, 64)}, ValueError, "image_shape must be three positive"),
    ],
)
def test_error_texts(change, error, text):
    good = {"image_shape": (64, 64, 1), "num_outputs": 20, "seed": 0}
    with pytest.raises(error, match=text):
        conv_encoder(**(good | change))
