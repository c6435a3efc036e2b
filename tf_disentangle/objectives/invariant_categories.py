"""Categories that are informative about an image and invariant to small moves of it.

    penalty / weight = mu KL(q(c) || p(c))
                       + mean_B [H(q(c|x)) + KL(q(c|x) || q(c|t(x)))]

for a categorical latent c, with q(c) = mean_B q(c|x), p uniform and t random. This is
IMSAT's objective (Hu et al., who set mu to 4 and weight the divergence separately). At
mu = 1 the first two terms are log n less the information I(x; c). The penalty is 0
where all values are used equally often, are certain, and stay the same under t: what t
changes is left to the other latents. JointVAE's capacities alone keep a category
certain, whatever it stands for: there are many ways to divide handwritten digits into
ten classes, by slant or thickness, that reconstruct about as well as the digits do.

That small rotations, shifts, scalings and shears do not change a digit is knowledge
about the images that is put in by hand; which digit it is remains unknown.

References:
    Hu, Miyato, Tokui, Matsumoto and Sugiyama, "Learning Discrete Representations via
    Information Maximizing Self-Augmented Training", ICML 2017, arXiv:1702.08720. Adding
    it to a VAE's loss is ours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.objectives.terms import BatchPenalty, Inference

# Smallest probability: even a view that differs by 69 nats still has a gradient.
_SMALLEST = 1e-30


@dataclasses.dataclass(frozen=True)
class RandomAffine:
    """Changes each image of a batch by its own affine map, drawn uniformly at random.

    Called with images [B, H, W, C] and a seed, int32 [2], it returns images of the same
    shape, interpolated linearly; beyond the edges, the edge pixels are repeated.

    The map says where each pixel of the changed image is taken from, so a factor of 1.2
    shrinks what is shown, by 1 / 1.2. Both axes run from -1 to 1 whatever the size, so
    on images that are not square a rotation also shears a little.

    Attributes:
        rotation: Largest rotation either way, in radians.
        scale: Each axis is scaled by factors from 1 - scale to 1 + scale; at most 0.9.
        shear: Largest shear either way, in columns per row.
        shift: Largest shift either way on each axis, as a part of the image.
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
    """Asks categories to be evenly used, certain, and the same under small moves.

    The penalty is in nats, summed over the categorical latents; it is 0 without any. A
    small batch overestimates the information: use at least ten times as many images as
    there are values. Each step encodes a second batch, the changed images.

    Attributes:
        weight: At least 0.
        evenness: mu, at least 1: the weight of KL(q(c) || p(c)) relative to the rest.
            At 1, nothing keeps all images from having the same value.
        views: Maps images [B, H, W, C] in [0, 1] and a seed, int32 [2], to images of
            the same shape that show the same thing.
        name: Name of the term in the rows of a run.
    """

    weight: float = 50.0
    evenness: float = 4.0
    views: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = RandomAffine()
    name: str = "weighted_invariance"

    def __post_init__(self) -> None:
        checks.real(self.weight, "weight", at_least=0.0)
        checks.real(self.evenness, "evenness", at_least=1.0)
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
        return self.weight * tf.add_n(
            [self._lacking(p, others[name]) for name, p in own.items()]
        )

    def _lacking(self, own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        """Returns the penalty of one latent before its weight; both are [B, n]."""
        used = tf.reduce_mean(own, axis=0)
        uneven = tf.reduce_sum(used * _log(used)) + math.log(own.shape[-1])
        # H(p) + KL(p || q) is a cross entropy.
        changing = -tf.reduce_mean(tf.reduce_sum(own * _log(others), axis=-1))
        return self.evenness * uneven + changing


def _log(probabilities: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.maximum(probabilities, _SMALLEST))
