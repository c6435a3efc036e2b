"""The objective's terms, and diagnostics of the code, on held-out images."""

from __future__ import annotations

import numpy as np

from tf_disentangle.models import LatentModel

_CHUNK = 250


class Validation:
    """Means of the terms over fixed images, with the same draws at every call.

    The diagnostics are those of the first 250 images alone: what they estimate depends
    on the size of the batch.

    Args:
        model: The model, as it will be at the time of the call.
        images: uint8 [N, H, W, C].
        seed: Seed of the draws.
    """

    def __init__(self, model: LatentModel, images: np.ndarray, seed: int) -> None:
        self._model, self._images, self._seed = model, images, seed

    def __call__(self) -> tuple[dict[str, float], np.ndarray]:
        """Returns (terms and diagnostics by name, a number of each latent)."""
        terms, per_latent = self._model.validation(self._images, self._seed)
        first = self._images[:_CHUNK]
        return terms | self._model.diagnostics(first, self._seed), per_latent
