"""The importance-weighted estimate of the evidence log p(x), for any latent space.

    log p(x) ~ log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

A lower bound on average: the ELBO at K = 1, rising with K towards log p(x).

References:
    Burda et al., Importance Weighted Autoencoders (ICLR 2016), arXiv:1509.00519,
    equation (8).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.models import kernels
from tf_disentangle.models.base import LatentModel, as_graph
from tf_disentangle.models.images import as_float
from tf_disentangle.models.vae import VAE

# Decoded samples per call, so that memory use does not grow with K.
_CHUNK = 500


@dataclasses.dataclass(frozen=True, eq=False)
class LogEvidence:
    """Result of `log_evidence`.

    Attributes:
        score: Mean estimate of log p(x) over the images, in nats per image; higher is
            better. On average it is at most the true value.
        standard_error: Standard error of that mean, over the images; NaN for one image.
        effective_samples: Median of (sum w)^2 / sum w^2 over the images, from 1 to K.
            Near 1, the estimate depends on one sample and lies far below log p(x).
        per_image: float64 [N], the estimate for each image.
        effective_samples_per_image: float64 [N].
        protocol: Numbers of images and of samples.
    """

    score: float
    standard_error: float
    effective_samples: float
    per_image: np.ndarray
    effective_samples_per_image: np.ndarray
    protocol: str


def log_evidence(
    model: VAE,
    images: np.ndarray,
    *,
    num_samples: int = 1000,
    seed: int = 0,
    on_images: Callable[[int], object] | None = None,
) -> LogEvidence:
    """Estimates log p(x) of images under a model.

    With a hyperprior, this is the evidence of the model in which the covariance is
    integrated out; with categorical latents, that of the model with relaxed ones. With
    the Bernoulli likelihood of grey images, it is that of the expected binary
    log-likelihood, which is not a density of x.

    Args:
        model: Its prior must have a density (`prior.distribution`).
        images: uint8 [N, H, W, C], or vectors, N at least 1.
        num_samples: K, at least 1.
        seed: Random seed, in [0, 2**31).
        on_images: Called with how many images were done, as a bar's `update` is.

    Returns:
        The estimate, in nats.

    Raises:
        ArgumentError: If the images do not fit the model, or the prior has no density.
    """
    images = model.validate_images(images)
    checks.require(len(images), "images", "not be empty", images.shape)
    count = checks.integer(num_samples, "num_samples", at_least=1)
    seed = checks.seed(seed)
    name = f"{type(model).__name__} with {type(model.latents.prior).__name__}"
    rule = "have a likelihood, and a prior with a density, `distribution()`"
    checks.require(has_density(model), "model", rule, name)
    log_weights = _log_weight_function(model)
    draws = min(count, _CHUNK)
    rows = max(1, _CHUNK // draws)
    totals, squares = [], []
    for start in range(0, len(images), rows):
        batch = tf.constant(images[start : start + rows])
        blocks = []
        for first in range(0, count, draws):
            size = tf.constant(min(draws, count - first))
            key = tf.constant([seed, start], tf.int32)
            key = tf.random.experimental.stateless_fold_in(key, first)
            blocks.append(log_weights(batch, size, key).numpy())
        weights = np.concatenate(blocks).astype(np.float64)  # [K, rows]
        totals.append(np.logaddexp.reduce(weights, axis=0))
        squares.append(np.logaddexp.reduce(2 * weights, axis=0))
        if on_images is not None:
            on_images(len(batch))
    total, square = np.concatenate(totals), np.concatenate(squares)
    per_image, effective = total - np.log(count), np.exp(2 * total - square)
    spread = per_image.std(ddof=1) if len(images) > 1 else math.nan
    return LogEvidence(
        score=float(per_image.mean()),
        standard_error=float(spread / math.sqrt(len(images))),
        effective_samples=float(np.median(effective)),
        per_image=per_image,
        effective_samples_per_image=effective,
        protocol=f"{len(images)} images, {count} draws",
    )


def has_density(model: LatentModel) -> bool:
    """Whether a model has a likelihood, and its prior a density over the latents."""
    if not isinstance(model, VAE):
        return False
    try:
        model.latents.prior.distribution()
    except NotImplementedError:
        return False
    return True


def _log_weight_function(model: VAE) -> Callable[..., tf.Tensor]:
    """Returns (images [B, ...], K, seed) -> log p(x, z_k) - log q(z_k|x), [K, B]."""

    def log_weights(
        images: tf.Tensor, num_samples: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        posterior = model.posterior(images)
        z = posterior.sample(seed, num_samples)  # [K, B, D]
        flat = tf.reshape(z, [-1, model.latents.num_decoded])
        repeated = tf.repeat(as_float(images)[tf.newaxis], num_samples, axis=0)
        repeated = tf.reshape(repeated, [-1, *model.image_shape])
        with kernels.faster():  # It decodes as many images as thousands of steps.
            outputs = model.decoder(flat, training=False)
        likelihood = model.objective.likelihood.log_prob(repeated, outputs)
        likelihood = tf.reshape(likelihood, [num_samples, -1])
        prior = model.latents.prior.distribution().log_prob(z)
        return likelihood + prior - posterior.log_prob(z)

    kernels.use_faster_kernels([model.decoder])
    specs = tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.int32)
    return as_graph(log_weights, model.images_spec, *specs)
