"""An objective on one small batch, with its gradient in the encoder's outputs."""

import numpy as np
import tensorflow as tf

from tf_disentangle.latents import GaussianLatents
from tf_disentangle.objectives import Inference

IMAGES = np.random.default_rng(0).uniform(size=(6, 4, 4, 1)).astype("float32")
NUM_EXAMPLES = 40


def encoder_outputs(latents, batch=6):
    rng = np.random.default_rng(2)
    return tf.constant(rng.normal(size=(batch, latents.num_parameters)), tf.float32)


def decoder_weights(num_decoded):
    rng = np.random.default_rng(1)
    return rng.normal(size=(num_decoded, 16)).astype("float32")


WEIGHTS = decoder_weights(2)


def critic(samples):
    """A fixed one, for objectives that need it."""
    return tf.reduce_sum(tf.sin(samples), axis=1, keepdims=True)


def inference_of(
    latents, raw, step=0, seed=(3, 4), num_examples=NUM_EXAMPLES, critic=None
):
    posterior = latents.posterior(raw)
    sample = posterior.sample(seed=seed)
    step, seed = tf.constant(step, tf.int64), tf.constant([5, 6])
    return Inference(latents, posterior, sample, step, seed, num_examples, critic)


def terms_and_gradient(objective, latents=None, step=0, seed=(3, 4)):
    """The terms of a linear decoder, the loss, and its gradient."""
    latents = latents or GaussianLatents(2)
    raw = encoder_outputs(latents)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        inference = inference_of(latents, raw, step, seed, critic=critic)
        weights = decoder_weights(latents.num_decoded)
        outputs = tf.reshape(inference.sample @ weights, IMAGES.shape)
        terms = objective(IMAGES, outputs, inference)
        loss = terms.scalars()["loss"]
    return terms, loss.numpy(), tape.gradient(loss, raw).numpy()


def assert_same(objective, other, latents=None, *, rtol=1e-6, **options):
    """Equal in value and gradient, to float32's accuracy."""
    _, loss, gradient = terms_and_gradient(objective, latents, **options)
    _, expected, expected_gradient = terms_and_gradient(other, latents, **options)
    np.testing.assert_allclose(loss, expected, rtol=rtol)
    tolerance = {"rtol": 10 * rtol, "atol": rtol}
    np.testing.assert_allclose(gradient, expected_gradient, **tolerance)
