"""Faster kernels: the same mathematics as TensorFlow's and Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import models
from tf_disentangle.models import kernels


def of_conv_transpose(function, inputs, kernel, upstream):
    """Returns (the result, its gradients in inputs and kernel, one of second order)."""
    with tf.GradientTape(persistent=True) as outer:
        outer.watch((inputs, kernel))
        with tf.GradientTape() as tape:
            tape.watch((inputs, kernel))
            result = function(inputs, kernel)
        gradients = tape.gradient(result, (inputs, kernel), upstream)
        norm = tf.reduce_sum(gradients[0] ** 2)
    return result, *gradients, outer.gradient(norm, kernel)


@pytest.mark.parametrize("shape", [(4, 6, 1), (3, 5, 1), (4, 6, 3)])
def test_a_transposed_convolution_by_tiles(shape):
    height, width, channels = shape
    rng = np.random.default_rng(0)

    def draw(*size):
        return tf.constant(rng.normal(size=size), tf.float64)

    arguments = (
        draw(2, height, width, 5),
        draw(4, 4, channels, 5),
        draw(2, 2 * height, 2 * width, channels),
    )

    def of_tensorflow(x, w):
        size = [2, 2 * height, 2 * width, channels]
        return tf.nn.conv2d_transpose(x, w, size, 2, "SAME")

    ours = of_conv_transpose(kernels.conv_transpose, *arguments)
    expected = of_conv_transpose(of_tensorflow, *arguments)
    for value, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def model():
    model = models.build_vae((32, 32, 1), latents=2)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.fixture
def calls(monkeypatch):
    """Lists the calls of `conv_transpose`."""
    made, plain = [], kernels.conv_transpose
    monkeypatch.setattr(
        kernels, "conv_transpose", lambda *a: made.append(a) or plain(*a)
    )
    return made


def test_only_training_uses_it(model, calls):
    codes = tf.random.stateless_normal([3, 2], [0, 0])
    twin = models.build_vae((32, 32, 1), latents=2)  # never compiled: Keras's alone
    twin.set_weights(model.get_weights())
    expected = twin.decoder(codes)
    np.testing.assert_array_equal(model.decoder(codes), expected)
    assert not calls
    with kernels.faster():
        value = model.decoder(codes)
    assert len(calls) == 1
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    images = np.zeros((4, 32, 32, 1), np.uint8)
    model.fit(images, batch_size=4, verbose=0)
    assert len(calls) > 1
    trained = len(calls)
    model.evaluate(images, batch_size=4, verbose=0)
    assert len(calls) == trained


@pytest.mark.slow
def test_a_step_of_xla_does_not_use_it_whatever_came_before(calls):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 1), np.uint8)
    plain, changed = (models.build_vae((32, 32, 1), latents=2) for _ in range(2))
    optimizer = keras.optimizers.Adam(1e-2)
    changed.compile(optimizer)
    changed.compile(optimizer, jit_compile=True)
    models.log_evidence(changed, images, num_samples=2)
    assert len(calls) == 1
    plain.compile(keras.optimizers.Adam(1e-2), jit_compile=True)
    for name in ("call", "update_step"):  # Keras's alone
        for part in (*plain.decoder.layers, plain.optimizer):
            vars(part).pop(name, None)
    changed.set_weights(plain.get_weights())
    for model in (plain, changed):
        model.fit(images, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert len(calls) == 1
    for ours, kerass in zip(changed.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, kerass)


def test_what_is_saved_is_kerass_own(model, tmp_path):
    logits = model.decoder.get_layer("logits")
    record = keras.saving.serialize_keras_object(logits)
    assert (record["module"], record["class_name"]) == (
        "keras.layers",
        "Conv2DTranspose",
    )
    optimizer = keras.saving.serialize_keras_object(model.optimizer)
    assert optimizer["class_name"] == "Adam"
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    codes = np.ones((2, 2), np.float32)
    np.testing.assert_array_equal(again.decode(codes), model.decode(codes))
    assert "call" in vars(again.decoder.get_layer("logits"))


@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.5}, {"weight_decay": 0.1}])
def test_adam_in_one_operation(options):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 4)).astype(np.float32)
    weights, optimizers = [], []
    for fast in (False, True):
        variable = keras.Variable(start)
        optimizer = keras.optimizers.Adam(0.05, 0.7, 0.8, epsilon=1e-2, **options)
        optimizer.build([variable])
        if fast:
            kernels.use_faster_kernels([], [optimizer])
            assert "update_step" in vars(optimizer)
        weights.append(variable)
        optimizers.append(optimizer)
    for _ in range(5):
        gradient = tf.constant(rng.normal(size=(3, 4)), tf.float32)
        for variable, optimizer in zip(weights, optimizers, strict=True):
            with kernels.faster():
                optimizer.apply([gradient], [variable])
    plain, fast = (
        [v.numpy() for v in (weight, *optimizer.variables)]
        for weight, optimizer in zip(weights, optimizers, strict=True)
    )
    for value, other in zip(fast, plain, strict=True):
        np.testing.assert_allclose(value, other, rtol=2e-6, atol=2e-7)
    assert np.abs(plain[0] - start).max() > 0.1


def test_other_optimisers_and_layers_stay():
    class Own(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            raise NotImplementedError

    others = [Own(), keras.optimizers.SGD(), keras.optimizers.Adam(amsgrad=True)]
    network = keras.Sequential(
        [
            keras.Input((4, 4, 5)),
            keras.layers.Conv2DTranspose(1, 3, 2, padding="same"),
            keras.layers.Conv2DTranspose(8, 4, 2, padding="same"),
            keras.layers.Conv2DTranspose(1, 4, 2, padding="valid"),
        ]
    )
    kernels.use_faster_kernels([network], others)
    assert not any("update_step" in vars(optimizer) for optimizer in others)
    assert not any("call" in vars(layer) for layer in network.layers)
