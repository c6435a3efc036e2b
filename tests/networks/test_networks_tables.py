import inspect

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import networks


@pytest.mark.parametrize("name", networks.ENCODERS)
def test_every_encoder(name):
    build = networks.ENCODERS[name]
    assert build.__name__ == name and name in networks.__all__
    assert list(inspect.signature(build).parameters)[:2] == [
        "image_shape",
        "num_outputs",
    ]
    size = 1 if name.endswith("critic") else 7
    encoder = build((64, 64, 1), size, seed=0, width=8)
    assert encoder.input_shape == (None, 64, 64, 1)
    assert encoder(np.zeros((2, 64, 64, 1), np.float32)).shape == (2, size)


@pytest.mark.parametrize("name", networks.DECODERS)
def test_every_decoder(name):
    build = networks.DECODERS[name]
    assert build.__name__ == name and name in networks.__all__
    assert list(inspect.signature(build).parameters)[:2] == [
        "num_latents",
        "image_shape",
    ]
    decoder = build(3, (64, 64, 1), seed=0, width=8)
    assert decoder.input_shape == (None, 3)
    assert decoder(np.zeros((2, 3), np.float32)).shape == (2, 64, 64, 1)


@pytest.mark.parametrize("name", networks.CRITICS)
def test_every_critic(name):
    build = networks.CRITICS[name]
    assert build.__name__ == name and name in networks.__all__
    assert next(iter(inspect.signature(build).parameters)) == "num_inputs"
    critic = build(3, seed=0)
    assert critic.input_shape == (None, 3)
    assert critic(np.zeros((2, 3), np.float32)).shape == (2, 1)


def test_every_weight_of_an_autoencoder_gets_a_gradient_under_a_strategy():
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])
    with strategy.scope():
        encoder = networks.conv_encoder((32, 32, 1), 4, seed=0)
        decoder = networks.conv_decoder(4, (32, 32, 1), seed=0)
    x = tf.random.stateless_uniform((8, 32, 32, 1), (0, 1))
    variables = encoder.trainable_variables + decoder.trainable_variables

    @tf.function
    def gradients():
        def replica():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((decoder(encoder(x)) - x) ** 2)
            return tape.gradient(loss, [v.value for v in variables])

        return strategy.run(replica)

    for variable, gradient in zip(variables, gradients(), strict=True):
        assert gradient.shape == variable.shape
        assert np.abs(gradient).max() > 0, variable.path
