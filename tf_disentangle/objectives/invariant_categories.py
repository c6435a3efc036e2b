"""Categories that stay the same when the image is turned or moved a little.

    penalty = weight (sum_i log n_i - I(c; c')),   c ~ q(c|x), c' ~ q(c|t(x)), t random

I is the mutual information of the categories of an image and of its view t(x), by the
batch's joint distribution P = mean_B q(c|x) q(c'|t(x))^T, made symmetric (equation 3 of
Ji et al.); n_i is how many values the i-th categorical latent has. It is 0 where all
values are used equally often, are certain, and do not change with t: what t changes is
left to the other latents. JointVAE's capacities alone hold a category that is certain,
whatever it is of; many ways to cut handwritten digits into ten, by slant or thickness,
reconstruct about as well as the digits do.

That a digit is what no small rotation, shift, scaling or shear changes is knowledge
about the images, put in by hand; which digit it is remains unknown.

References:
    Ji, Henriques and Vedaldi, "Invariant Information Clustering for Unsupervised Image
    Classification and Segmentation", ICCV 2019, arXiv:1807.06653; beside a VAE's loss
    it is ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.objectives.terms import BatchPenalty, Inference

# The least joint probability: its logarithm and gradient are finite.
_SMALLEST = 1e-8


@dataclasses.dataclass(frozen=True)
class RandomAffine:
    """Changes each image of a batch by an affine map of its own, drawn uniformly.

    Called with images [B, H, W, C] and a seed, int32 [2], it returns images of the same
    shape, interpolated linearly; beyond the edges the pixels of the edges go on.

    Attributes:
        rotation: At most so many radians either way.
        scale: Each axis by factors from 1 - scale to 1 + scale; at most 0.9.
        shear: At most so many columns for a row either way.
        shift: At most this part of the image either way, on each axis.
    """

    rotation: float = 0.3
    scale: float = 0.2
    shear: float = 0.3
    shift: float = 0.1

    def __post_init__(self) -> None:
        for name in ("rotation", "shear", "shift"):
            checks.real(getattr(self, name), name, at_least=0.0)
        checks.real(self.scale, "scale", at_least=0.0, at_most=0.9)

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the changed images."""
        shape = tf.shape(images)
        matrix, shift = self.maps(shape[0], seed)
        rows, columns = (tf.linspace(-1.0, 1.0, size) for size in (shape[1], shape[2]))
        grid = tf.reshape(tf.stack(tf.meshgrid(columns, rows), axis=-1), [-1, 2])
        points = tf.einsum("bij,nj->bni", matrix, grid) + shift[:, tf.newaxis]
        changed = tfp.math.batch_interp_regular_nd_grid(
            points[..., ::-1], [-1.0, -1.0], [1.0, 1.0], images, axis=-3
        )
        return tf.reshape(changed, shape)

    def maps(self, batch: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns where each pixel (x, y) is taken from: matrices and shifts.

        Both axes run from -1 to 1.

        Args:
            batch: B.
            seed: int32 [2].

        Returns:
            [B, 2, 2] and [B, 2].
        """
        drawn = tf.random.stateless_uniform([6, batch], seed, -1.0, 1.0)
        angle, shear = self.rotation * drawn[0], self.shear * drawn[1]
        widths, heights = (1.0 + self.scale * drawn[i] for i in (2, 3))
        cos, sin = tf.cos(angle), tf.sin(angle)
        first = tf.stack([widths * cos, widths * (shear * cos - sin)], axis=-1)
        second = tf.stack([heights * sin, heights * (shear * sin + cos)], axis=-1)
        shift = 2.0 * self.shift * tf.transpose(drawn[4:])
        return tf.stack([first, second], axis=-2), shift


@dataclasses.dataclass(frozen=True)
class InvariantCategories(BatchPenalty):
    """weight (log n - I(c; c')), summed over the categorical latents; 0 without any.

    In nats. A batch of few images finds too much information: it should have ten times
    as many as there are values, at least. Each step encodes a second batch, the views.

    Attributes:
        weight: At least 0.
        views: Maps images [B, H, W, C] in [0, 1] and a seed, int32 [2], to images of
            the same shape that show the same.
        name: Name of the term in the rows of a run.
    """

    weight: float = 50.0
    views: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = RandomAffine()
    name: str = "weighted_invariance"

    def __post_init__(self) -> None:
        checks.real(self.weight, "weight", at_least=0.0)
        rule = "map images and a seed to images"
        remedy = "For example views=RandomAffine(rotation=0.2)."
        checks.require(callable(self.views), "views", rule, self.views, remedy)

    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns the penalty, a scalar."""
        own = inference.posterior.probabilities()
        if not own:
            return tf.zeros([])
        reencode, seed = inference.require_reencode(), inference.seed
        others = reencode(lambda images: self.views(images, seed)).probabilities()
        lacking = [
            math.log(p.shape[-1]) - information(p, others[name])
            for name, p in own.items()
        ]
        return self.weight * tf.add_n(lacking)


def information(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Returns the mutual information of the categories of paired images, in nats.

    Args:
        first: q(c|x) of a batch, [B, n].
        second: q(c|x') of what is paired with it, [B, n].

    Returns:
        A scalar, at most log n: that of mean_B first second^T, made symmetric.
    """
    size = tf.cast(tf.shape(first)[0], first.dtype)
    joint = tf.matmul(first, second, transpose_a=True) / size
    joint = tf.maximum(0.5 * (joint + tf.transpose(joint)), _SMALLEST)
    log_marginal = tf.math.log(tf.reduce_sum(joint, axis=0))
    independent = log_marginal + log_marginal[:, tf.newaxis]
    return tf.reduce_sum(joint * (tf.math.log(joint) - independent))
