"""The picture of a run on vectors: data, reconstructions, samples and codes."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import visualization
from tf_disentangle.models import LatentModel

#: Points to draw at most.
MAX_POINTS = 1000


class VectorPainter:
    """Draws a model of vectors; of more than two numbers, the first two.

    Args:
        model: The model, as it will be when a picture is asked for.
        vectors: float32 [N, 1, 1, C].
        seed: Seed of the samples.
    """

    def __init__(self, model: LatentModel, vectors: np.ndarray, seed: int = 0) -> None:
        self._model = model
        self._vectors = np.array(vectors[:MAX_POINTS])
        self._seed = tf.constant([seed, 0], tf.int32)

    def sheets(
        self,
        per_latent: Sequence[float] = (),
        factor_of_latent: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Returns {"points": picture}; there are no rows to annotate."""
        del per_latent, factor_of_latent
        model, count = self._model, len(self._vectors)
        prior_seed, code_seed = tfp.random.split_seed(self._seed, n=2)
        drawn = model.latents.prior.sample(count, prior_seed).numpy()
        drawn_codes = model.latents.to_codes(drawn)
        codes = model.posterior(self._vectors).sample(seed=code_seed).numpy()
        data = _plane(self._vectors)
        panels = {
            "data": {"": data[:0], "data": data},
            "reconstructions (dark)\nover the data": {
                "data": data,
                "reconstructions": _plane(model.reconstruct(self._vectors)),
            },
            "decoded samples of the prior\n(dark) over the data": {
                "data": data,
                "samples": _plane(model.sampler(count, prior_seed)(drawn_codes)),
            },
            f"codes sampled from q(z|x) (dark)\nover {model.latents.prior.label}": {
                "prior": _plane(drawn),
                "codes": _plane(codes),
            },
        }
        return {"points": visualization.scatters(panels)}

    def save(
        self,
        folder: str | os.PathLike,
        per_latent: Sequence[float] = (),
        factor_of_latent: Sequence[str] = (),
    ) -> list[pathlib.Path]:
        """Writes the picture as PNG."""
        paths = []
        for name, sheet in self.sheets(per_latent, factor_of_latent).items():
            paths.append(pathlib.Path(folder) / f"{name}.png")
            visualization.save_png(sheet, paths[-1])
        return paths


def _plane(points: np.ndarray) -> np.ndarray:
    """Returns the first two numbers of each finite point, [N, 2]; 0 for none."""
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    flat = flat[np.isfinite(flat).all(axis=1)]
    missing = max(0, 2 - flat.shape[1])
    return np.pad(flat, [(0, 0), (0, missing)])[:, :2]
