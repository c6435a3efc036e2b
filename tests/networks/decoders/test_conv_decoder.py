import keras
import networks_oracle as oracle
import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.networks import conv_decoder

SHAPES = [(64, 64, 1), (64, 64, 3), (32, 32, 1), (128, 128, 1)]


def latents(n, size, seed=0):
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_numpy_network(shape):
    decoder = conv_decoder(10, shape, width=128, seed=1)
    oracle.randomise_biases(decoder, np.random.default_rng(2))
    z = latents(3, 10)
    y = decoder(z)
    assert y.shape == (3, *shape)
    expected = oracle.decode(decoder, z)
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.abs(expected).max())


def test_normalised_over_the_batch_in_training_alone():
    decoder = conv_decoder(4, (32, 32, 1), width=16, batch_norm=True, seed=1)
    z = latents(32, 4)
    found = decoder(z, training=True)
    expected = oracle.decode(decoder, z, oracle.normalised)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    for _ in range(100):  # the running means, which inference takes
        decoder(z, training=True)
    np.testing.assert_allclose(decoder(z), found, atol=0.02 * np.abs(expected).max())
    np.testing.assert_allclose(decoder(z)[:3], decoder(z[:3]), atol=1e-4)


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
def test_parameter_count(shape, width, num_latents, count):
    decoder = conv_decoder(num_latents, shape, width=width, seed=0)
    assert decoder.count_params() == count


def test_seed_decides_the_weights():
    keras.utils.set_random_seed(1)
    first = conv_decoder(10, (64, 64, 1), seed=3).get_weights()
    keras.utils.set_random_seed(2)
    again = conv_decoder(10, (64, 64, 1), seed=3).get_weights()
    other = conv_decoder(10, (64, 64, 1), seed=4).get_weights()
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (not a.any()) if a.ndim == 1 else not np.array_equal(a, c)


def test_mixed_bfloat16():
    mixed = conv_decoder(10, (64, 64, 1), seed=0, dtype="mixed_bfloat16")
    plain = conv_decoder(10, (64, 64, 1), seed=0)
    assert {str(v.dtype) for v in mixed.variables} == {"float32"}
    computing = [layer.compute_dtype for layer in mixed.layers if layer.weights]
    assert computing == ["bfloat16"] * 6
    z = latents(4, 10)
    a, b = np.asarray(mixed(z)), np.asarray(plain(z))
    assert a.dtype == np.float32
    assert 0 < np.abs(a - b).max() < 0.03 * np.abs(b).max()


def test_global_policy_and_layout_do_not_matter():
    z = latents(2, 10)
    expected = np.asarray(conv_decoder(10, (32, 32, 1), seed=0)(z))
    policy, layout = keras.config.dtype_policy(), keras.config.image_data_format()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_image_data_format("channels_first")
    try:
        y = np.asarray(conv_decoder(10, (32, 32, 1), seed=0)(z))
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(layout)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, expected)


def test_under_xla():
    decoder = conv_decoder(10, (32, 32, 1), seed=0)
    z = latents(2, 10)
    compiled = tf.function(decoder, jit_compile=True)(z)
    np.testing.assert_allclose(compiled, decoder(z), atol=1e-5)


def test_saved_model_with_any_batch_size(tmp_path):
    decoder = conv_decoder(10, (32, 32, 3), seed=0)
    archive = keras.export.ExportArchive()
    archive.track(decoder)
    signature = [tf.TensorSpec((None, 10), tf.float32, name="latents")]
    archive.add_endpoint("decode", decoder.call, input_signature=signature)
    archive.write_out(str(tmp_path / "export"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "export"))
    for n in (1, 5):
        z = tf.constant(latents(n, 10))
        np.testing.assert_allclose(served.decode(z), decoder(z), atol=1e-6)


# Keras 3.15 hands its variables to NumPy 2 the old way when it writes HDF5.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_weights_can_be_saved(tmp_path):
    decoder = conv_decoder(10, (32, 32, 1), seed=0)
    z = latents(2, 10)
    decoder.save_weights(tmp_path / "decoder.weights.h5")
    other = conv_decoder(10, (32, 32, 1), seed=1)
    assert not np.array_equal(other(z), decoder(z))
    other.load_weights(tmp_path / "decoder.weights.h5")
    np.testing.assert_array_equal(other(z), decoder(z))


def test_other_sizes_are_refused():
    with pytest.raises(checks.ArgumentError, match="64 x 64 or 32 x 32; received"):
        conv_decoder(10, (28, 28, 1), seed=0)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"num_latents": 0}, ValueError, "num_latents must be at least 1; received 0"),
        ({"width": 1.5}, TypeError, "width must be int"),
        ({"seed": -1}, ValueError, "seed must be at least 0; received -1"),
        ({"batch_norm": 1}, TypeError, "batch_norm must be bool"),
        ({"dtype": "float16"}, ValueError, "dtype must be one of 'float32'"),
    ],
)
def test_error_texts(change, error, text):
    good = {"image_shape": (64, 64, 1), "num_latents": 10, "seed": 0}
    with pytest.raises(error, match=text):
        conv_decoder(**(good | change))
