"""Images for a step of a small model, and what a step may move."""

import keras
import numpy as np
import tensorflow as tf

SHAPE = (32, 32, 1)


def sgd(rate=0.1):
    return lambda: keras.optimizers.SGD(rate)


def images(count=8, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.integers(0, 256, (count, *SHAPE)), tf.uint8)


def weights(part):
    return [v.numpy() for v in part.trainable_variables]


def all_equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
