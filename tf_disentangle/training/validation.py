"""The objective's terms, and monitors of the code, on held-out images."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tf_disentangle.models import LatentModel

_CHUNK = 250


class Validation:
    """Means of the terms over fixed images, with the same draws at every call.

    The monitors (`objectives.monitors`) are those of the first 250 images alone: what
    they estimate depends on the size of the batch, so a mean over unequal batches would
    be nothing in particular. Those that are not finite are left out.

    Args:
        model: The model, as it will be at the time of the call.
        images: uint8 [N, H, W, C].
        seed: Seed of the draws.
    """

    def __init__(self, model: LatentModel, images: np.ndarray, seed: int) -> None:
        self._images = images
        self._seed = seed

        # As `fit` traces the training step: without AutoGraph, whose rewriting of the
        # Python would take longer than the trace.
        @tf.function(reduce_retracing=True, autograph=False)
        def terms(batch: tf.Tensor, seed: tf.Tensor) -> tuple:
            step = tf.cast(model.optimizer.iterations.value, tf.int64)
            return model.validate(batch, seed, step)

        @tf.function(autograph=False)
        def monitors(batch: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            return model.monitors(batch, seed)

        self._terms, self._monitors = terms, monitors

    def __call__(self) -> tuple[dict[str, float], np.ndarray]:
        """Returns (terms and monitors by name, what the model says of each latent)."""
        totals: dict[str, float] = {}
        each = 0.0
        for start in range(0, len(self._images), _CHUNK):
            batch = np.asarray(self._images[start : start + _CHUNK])
            seed = tf.constant([self._seed, start], tf.int32)
            scalars, per_latent = self._terms(batch, seed)
            weight = len(batch) / len(self._images)
            for name, value in scalars.items():
                totals[name] = totals.get(name, 0.0) + weight * float(value)
            each = each + weight * per_latent.numpy()
        return totals | self._finite_monitors(), each

    def _finite_monitors(self) -> dict[str, float]:
        """Returns the monitors of the first chunk."""
        batch = np.asarray(self._images[:_CHUNK])
        found = self._monitors(batch, tf.constant([self._seed, 0], tf.int32))
        values = {name: float(value) for name, value in found.items()}
        return {name: v for name, v in values.items() if np.isfinite(v)}
