"""q(z|x) as metrics see it: codes sampled from it, and its moments."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models.base import LatentModel
from tf_disentangle.priors import (
    StandardNormalPrior,
)


class PosteriorSamples:
    """Samples of q(z|x) as the codes of images (`interfaces.RandomEncoder`).

    A call returns the parameters of q(z|x), which depend on the image alone and so are
    computed once for each image; `draw` samples codes from them, anew for each draw.

    Args:
        model: The model, as it will be at the time of the call.

    Raises:
        ArgumentTypeError: If its latents are not Gaussian.
    """

    def __init__(self, model: LatentModel) -> None:
        remedy = "Score the mean codes."
        checks.require_type(model.latents, GaussianLatents, "model.latents", remedy)
        self._size = model.latents.num_latents
        self._lower = np.tril_indices(self._size)
        is_diagonal = model.latents.covariance != "full"
        images = tf.TensorSpec([None, *model.image_shape], tf.uint8)

        def parameters(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            posterior = model.posterior(batch)
            if is_diagonal:
                return posterior.mean(), posterior.stddev()
            return posterior.mean(), posterior.distribution.scale.to_dense()

        self._parameters = tf.function(
            parameters, input_signature=[images], autograph=False
        )

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C] to parameters of q(z|x), float32 [B, P].

        The mean [L], then the standard deviations [L] or the lower triangle of the
        covariance's Cholesky factor [L (L + 1) / 2].
        """
        images = checks.uint8_images(images)
        mean, scale = (part.numpy() for part in self._parameters(images))
        if scale.ndim == 3:
            scale = scale[:, *self._lower]
        return np.concatenate([mean, scale], axis=1)

    def draw(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws one code for each row of parameters [B, P], float32 [B, L]."""
        mean, scale = np.split(parameters, [self._size], axis=1)
        noise = rng.standard_normal(mean.shape, np.float32)
        if scale.shape[1] == self._size:
            return mean + scale * noise
        return mean + np.einsum("bij,bj->bi", self._factors(scale), noise)

    def moments(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean [B, L] and standard deviation [B, L] of each latent."""
        mean, scale = np.split(parameters, [self._size], axis=1)
        if scale.shape[1] == self._size:
            return mean, scale
        return mean, np.sqrt(np.sum(self._factors(scale) ** 2, axis=2))

    def _factors(self, scale: np.ndarray) -> np.ndarray:
        """Lower triangular factors [B, L, L] of the covariances."""
        factors = np.zeros((len(scale), self._size, self._size), np.float32)
        factors[:, *self._lower] = scale
        return factors


def has_usual_latents(model: LatentModel) -> bool:
    """Whether q(z|x) is a diagonal Gaussian and p(z) = N(0, I)."""
    latents = model.latents
    is_gaussian = isinstance(latents, GaussianLatents)
    is_usual = is_gaussian and isinstance(latents.prior, StandardNormalPrior)
    return is_usual and latents.covariance != "full"
