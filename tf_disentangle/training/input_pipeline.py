"""Which images a run sees and when, and how they reach the train step.

    position p = step B + b,   epoch = p // n,   index = shuffle(p mod n; seed, epoch)

Every batch is a function of (seed, step), so a resumed run needs no iterator state.
`tf.data` draws the indices (their shuffle has no GPU or XLA kernel). The images are
either held on the device, where `train_step` gathers them (`resident.ResidentImages`),
or gathered on the host while earlier steps are running (`streamed`): the batches are
the same either way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import ImageArray
from tf_disentangle.training.resident import ResidentImages, can_reside, may_reside

# Keeps the split independent of other random numbers with the same small seed.
_SPLIT_STREAM = 2
# The default of `validation_size` is one image in so many, but at most so many.
_MOST_HELD_OUT, _ONE_IN = 2000, 10


@dataclasses.dataclass(frozen=True)
class Batches:
    """Which images a run sees, and when: a function of (seed, step).

    Attributes:
        training: Indices of the training images.
        held_out: Indices of the validation images, in a seeded order.
        batch_size: Images per step.
        seed: Seed of the order.
        with_replacement: Whether images are drawn with replacement.
    """

    training: np.ndarray
    held_out: np.ndarray
    batch_size: int
    seed: int
    with_replacement: bool

    def __post_init__(self) -> None:
        """Checks the batch against the data."""
        checks.integer(self.batch_size, "batch_size", at_least=1)
        checks.require(
            self.batch_size <= len(self.training),
            "batch_size",
            f"be at most the {len(self.training)} training images",
            self.batch_size,
            "Lower batch_size, or validation_size, or take more images.",
        )

    def starting_at(
        self, step: int, num_steps: int, batches_per_step: int = 1
    ) -> tf.data.Dataset:
        """Returns the indices of steps `step` to `num_steps`, int64 [B] each.

        Several batches for one step are joined: int64 [batches_per_step * B].
        """
        return index_batches(
            self.training,
            batches_per_step * self.batch_size,
            self.seed,
            first_step=step,
            with_replacement=self.with_replacement,
            num_steps=num_steps - step,
        )


class InputPipeline:
    """Gives a model its batches: the same images in the same order, held or streamed.

    Args:
        images: The images of the data set.
        batches: Which of them the model sees, and when.
        resident: Whether the device holds the images; None means `may_reside(images)`.
        batches_per_step: How many batches a step takes at once.

    Attributes:
        load_images: The value for a model's `load_images`: it gathers a batch of
            indices on the device. None if the batches are images themselves.

    Raises:
        ArgumentError: If the device is to hold images that can only be streamed.
    """

    def __init__(
        self,
        images: ImageArray,
        batches: Batches,
        resident: bool | None = None,
        batches_per_step: int = 1,
    ) -> None:
        if resident is None:
            resident = may_reside(images)
        self.load_images: ResidentImages | None = None
        if resident:
            if not can_reside(images):
                rule = "be False or None for images that are not an array in memory"
                message = checks.message("Device.resident", rule, resident)
                raise checks.ArgumentError(message)
            self.load_images = ResidentImages(images)
        self._images = images
        self._batches = batches
        self._batches_per_step = batches_per_step

    def starting_at(self, step: int, num_steps: int) -> tf.data.Dataset:
        """Returns batches `step` to `num_steps`, of indices or of images."""
        batches = self._batches.starting_at(step, num_steps, self._batches_per_step)
        if self.load_images is not None:
            return batches
        return streamed(batches, self._images)


def images_at(images: ImageArray, indices: np.ndarray) -> np.ndarray:
    """Returns `images[indices]`, read in the order of the file and then permuted."""
    order = np.argsort(indices, kind="stable")
    in_order = np.asarray(images[np.asarray(indices)[order]])
    result = np.empty_like(in_order)
    result[order] = in_order
    return result


def split_indices(
    num_images: int, validation_size: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits the images by a seeded permutation.

    The validation indices come in a random order, so that each part of them is a random
    part of the data: the order of a data set is often that of its factors.

    Args:
        num_images: Number of images.
        validation_size: How many are for validation, in [0, num_images); None means one
            in ten, at most 2,000.
        seed: Seed of the permutation, at least 0.

    Returns:
        (train, validation): disjoint int64 indices that cover [0, num_images).
    """
    if validation_size is None:
        validation_size = min(_MOST_HELD_OUT, num_images // _ONE_IN)
    size = checks.integer(validation_size, "validation_size", at_least=0)
    rule = f"be less than num_images = {num_images}"
    remedy = "Lower validation_size; 0 holds nothing out."
    checks.require(size < num_images, "validation_size", rule, validation_size, remedy)
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

    Without replacement, each epoch takes every index once, in a new order; if the batch
    size does not divide the number of indices, a batch straddles two epochs.

    Args:
        indices: int64 [n], the images to draw from, such as a split's.
        batch_size: B, from 1 to n.
        seed: Seed of the order, in [0, 2**63).
        first_step: The first t; a run resumed at step k gives k.
        with_replacement: Draws each index uniformly instead (Locatello et al. 2019).
        num_steps: Number of batches; None for no end.

    Returns:
        A `tf.data.Dataset` of int64 [B].
    """
    table = tf.constant(indices)
    draw = _uniform_positions if with_replacement else _shuffled_positions

    def batch(step: tf.Tensor) -> tf.Tensor:
        return tf.gather(table, draw(step, batch_size, len(indices), seed))

    steps = tf.data.Dataset.counter(first_step)
    if num_steps is not None:
        steps = steps.take(num_steps)
    return _ahead(steps, batch)


def streamed(batches: tf.data.Dataset, images: ImageArray) -> tf.data.Dataset:
    """Batches of images, gathered on the host ahead of the steps that take them.

    This is for images that do not fit into the device's memory, or that are computed on
    demand: `images[indices]` is called in several threads at once.

    Args:
        batches: Batches of indices [B], as `index_batches` makes them.
        images: Any image array.

    Returns:
        A `tf.data.Dataset` of images [B, H, W, C], in the order of `batches`.
    """
    dtype = tf.as_dtype(images.dtype)

    def gathered(indices: tf.Tensor) -> tf.Tensor:
        batch = tf.numpy_function(images.__getitem__, [indices], dtype, stateful=False)
        return tf.ensure_shape(batch, [*indices.shape, *images.shape[1:]])

    return _ahead(batches, gathered)


def _ahead(
    elements: tf.data.Dataset, function: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    """Maps elements in several threads, ahead of their use, and keeps their order."""
    options = tf.data.Options()
    options.deterministic = True
    mapped = elements.map(function, num_parallel_calls=tf.data.AUTOTUNE)
    return mapped.prefetch(tf.data.AUTOTUNE).with_options(options)


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
