"""An objective on one small batch, with its gradient in the encoder's outputs."""

import numpy as np
import tensorflow as tf

from tf_disentangle.latents import GaussianLatents
from tf_disentangle.objectives import Inference

IMAGES = np.random.default_rng(0).uniform(size=(6, 4, 4, 1)).astype("float32")
WEIGHTS = np.random.default_rng(1).normal(size=(2, 16)).astype("float32")
NUM_EXAMPLES = 40


def encoder_outputs(latents, batch=6):
    rng = np.random.default_rng(2)
    return tf.constant(rng.normal(size=(batch, latents.num_parameters)), tf.float32)


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
        outputs = tf.reshape(inference.sample @ WEIGHTS, IMAGES.shape)
        terms = objective(IMAGES, outputs, inference)
        loss = terms.scalars()["loss"]
    return terms, loss.numpy(), tape.gradient(loss, raw).numpy()


def assert_same(objective, other, latents=None, **options):
    """Equal in value and gradient, to float32's accuracy."""
    _, loss, gradient = terms_and_gradient(objective, latents, **options)
    _, expected, expected_gradient = terms_and_gradient(other, latents, **options)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-5, atol=1e-7)
