"""Stateless batches: every batch is a function of (seed, step).

    position p = step B + b,   epoch = p // n,   index = shuffle(p mod n; seed, epoch)

The position in the data is the step number, so a resumed run needs no iterator
state. `tf.data` draws the indices (their shuffle has no GPU or XLA kernel). The images
either lie on the device, where `train_step` gathers them (`resident.ResidentImages`),
or are gathered on the host while the steps before are running (`streamed`): the same
batches either way.

This file and `resident.py` are the ones of the room that import TensorFlow.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import ImageArray

# Keeps the split apart from other draws with the same small seed.
_SPLIT_STREAM = 2
_LARGEST_SEED = 2**63 - 1


def split_indices(
    num_images: int, validation_size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits the images by a seeded permutation.

    Args:
        num_images: Number of images.
        validation_size: How many are for validation, in [0, num_images).
        seed: Of the permutation.

    Returns:
        (train, validation): disjoint int64 indices that cover [0, num_images).
    """
    num_images = checks.integer(num_images, "num_images", at_least=1)
    size = checks.integer(validation_size, "validation_size", at_least=0)
    rule = f"be less than num_images = {num_images}"
    remedy = "Lower validation_size; 0 holds nothing out."
    checks.require(size < num_images, "validation_size", rule, validation_size, remedy)
    seed = checks.integer(seed, "seed", at_least=0)
    rng = np.random.default_rng([_SPLIT_STREAM, seed])
    order = rng.permutation(num_images).astype(np.int64, copy=False)
    return order[size:], order[:size]


def index_batches(
    indices: np.ndarray,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    with_replacement: bool = False,
    num_steps: int | None = None,
) -> tf.data.Dataset:
    """Batches of indices; batch t depends on (seed, t) alone.

    Without replacement each epoch, in a new order, takes every index once; where
    the batch size does not divide their number a batch straddles two epochs.

    Args:
        indices: Integers [n]; the images to draw from, such as a split's.
        batch_size: B, at most n.
        seed: Of the order, in [0, 2**63).
        first_step: The first t; a run resumed at step k gives k.
        with_replacement: Draws each index uniformly instead (Locatello et al. 2019).
        num_steps: Number of batches; None for no end.

    Returns:
        A `tf.data.Dataset` of int64 [B].

    Raises:
        ArgumentError: if the batch is larger than the data, or another value is out
            of range.
    """
    indices = _check_indices(indices)
    batch_size = checks.integer(batch_size, "batch_size", at_least=1)
    remedy = "Lower batch_size or give more images."
    rule = f"be at most the number of images, {len(indices)}"
    checks.require(batch_size <= len(indices), "batch_size", rule, batch_size, remedy)
    seed = checks.integer(seed, "seed", at_least=0)
    checks.require(seed <= _LARGEST_SEED, "seed", "be less than 2**63", seed)
    first_step = checks.integer(first_step, "first_step", at_least=0)

    table = tf.constant(indices)
    draw = _uniform_positions if with_replacement else _shuffled_positions

    def batch(step: tf.Tensor) -> tf.Tensor:
        return tf.gather(table, draw(step, batch_size, len(indices), seed))

    steps = tf.data.Dataset.counter(first_step)
    if num_steps is not None:
        steps = steps.take(checks.integer(num_steps, "num_steps", at_least=0))
    options = tf.data.Options()
    options.deterministic = True
    batches = steps.map(batch, num_parallel_calls=tf.data.AUTOTUNE)
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def streamed(batches: tf.data.Dataset, images: ImageArray) -> tf.data.Dataset:
    """Batches of images, gathered on the host ahead of the steps that take them.

    For images that do not fit into the memory of the device, or that are computed, as
    `images[indices]` in several threads at once.

    Args:
        batches: Of indices [B], as of `index_batches`.
        images: Any image array.

    Returns:
        A `tf.data.Dataset` of images [B, H, W, C], in the order of `batches`.
    """
    dtype = tf.as_dtype(images.dtype)

    def gathered(indices: tf.Tensor) -> tf.Tensor:
        batch = tf.numpy_function(images.__getitem__, [indices], dtype, stateful=False)
        return tf.ensure_shape(batch, [*indices.shape, *images.shape[1:]])

    options = tf.data.Options()
    options.deterministic = True
    made = batches.map(gathered, num_parallel_calls=tf.data.AUTOTUNE)
    return made.prefetch(tf.data.AUTOTUNE).with_options(options)


def _check_indices(indices: np.ndarray) -> np.ndarray:
    """Returns `indices` as int64 [n], n at least 1, none negative."""
    indices = np.asarray(indices)
    checks.require(indices.ndim == 1, "indices", "have shape [n]", indices.shape)
    checks.require(indices.size, "indices", "not be empty", indices.shape)
    if not np.issubdtype(indices.dtype, np.integer):
        name = indices.dtype.name
        raise checks.ArgumentTypeError(checks.message("indices", "be integers", name))
    lowest = indices.min().item()
    checks.require(lowest >= 0, "indices", "be at least 0", lowest)
    return indices.astype(np.int64)


def _shuffled_positions(
    step: tf.Tensor, batch_size: int, num_images: int, seed: int
) -> tf.Tensor:
    """Positions of batch `step` without replacement per epoch, int64 [B]."""
    position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
    epoch = position // num_images
    # The batch belongs to one epoch or two, since it is not larger than the data.
    keys = tf.stack([_epoch_key(seed, epoch[0]), _epoch_key(seed, epoch[0] + 1)])
    # The raw op, because `tf.random.experimental.index_shuffle` pads a seed for each
    # index along the wrong axis (TensorFlow 2.21).
    return tf.raw_ops.RandomIndexShuffle(
        index=position % num_images,
        seed=tf.gather(keys, epoch - epoch[0]),
        max_index=tf.constant(num_images - 1, tf.int64),
    )


def _epoch_key(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The shuffle's key for an epoch, int32 [3].

    Hashed: under the plain key (seed, epoch) the orders of successive epochs are
    related (a chi-square of where an index lands gives p < 1e-8), and the shuffle
    sees only the low 32 bits.
    """
    word = tf.constant(seed, tf.int64)
    return tf.random.stateless_uniform(
        [3], tf.stack([word, epoch]), None, None, tf.int32, alg="philox"
    )


def _uniform_positions(
    step: tf.Tensor, batch_size: int, num_images: int, seed: int
) -> tf.Tensor:
    """Positions of batch `step` with replacement, int64 [B]."""
    return tf.random.stateless_uniform(
        [batch_size],
        seed=tf.stack([tf.constant(seed, tf.int64), step]),
        maxval=tf.constant(num_images, tf.int64),
        dtype=tf.int64,
        alg="philox",
    )
