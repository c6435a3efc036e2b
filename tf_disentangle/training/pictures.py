"""The pictures of a run: reconstructions, traversals, samples, the hyperprior."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_disentangle import visualization
from tf_disentangle.models import LatentModel

_STANDARD_NORMAL, _UNIFORM = "z ~ N(0, I)", "c ~ uniform"
_PER_LATENT = {"kl": "marginal KL", "information": "information"}


class Painter:
    """Draws a model on a few fixed images.

    Args:
        model: The model, as it will be when a picture is asked for.
        images: uint8 [N, H, W, C]; the first is where traversals start.
        seed: Seed of the samples.
        steps: Of the traversals; None is those of `visualization.traversals`.
    """

    def __init__(
        self,
        model: LatentModel,
        images: np.ndarray,
        seed: int = 0,
        steps: Sequence[float] | None = None,
    ) -> None:
        self._model = model
        self._images = np.array(images)
        self._seed = tf.constant([seed, 0], tf.int32)
        self._steps = steps

    def sheets(
        self,
        per_latent: Sequence[float] = (),
        factor_of_latent: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """Returns pictures by name, uint8 [H, W, 3].

        Args:
            per_latent: KL of each latent's marginal, or its information, to order and
                annotate rows.
            factor_of_latent: The factor that a score assigned to each latent, or "".
        """
        model = self._model
        return {
            "reconstructions": visualization.reconstructions(
                self._images, model.reconstruct(self._images)
            ),
            "traversals": visualization.traversals(
                model.decode, **self._rows(per_latent, factor_of_latent)
            ),
            "samples": visualization.samples(self._samples(12)),
            **self._categories(),
            **self._hyperprior(),
        }

    def save(
        self,
        folder: str | os.PathLike,
        per_latent: Sequence[float] = (),
        factor_of_latent: Sequence[str] = (),
    ) -> list[pathlib.Path]:
        """Writes the pictures as PNG, and the traversals as GIF too."""
        folder = pathlib.Path(folder)
        paths = []
        for name, sheet in self.sheets(per_latent, factor_of_latent).items():
            paths.append(folder / f"{name}.png")
            visualization.save_png(sheet, paths[-1])
        frames = visualization.traversal_frames(
            self._model.decode, **self._rows(per_latent, factor_of_latent)
        )
        paths.append(folder / "traversals.gif")
        visualization.save_gif(frames, paths[-1])
        return paths

    def _rows(self, numbers: Sequence[float], factors: Sequence[str]) -> Mapping:
        """Returns code, labels and order of the rows: the most informative first."""
        columns = self._model.latents.columns
        label = _PER_LATENT[self._model.per_latent]
        cells = [f"{label} {value:.2f}" for value in numbers] or [""] * len(columns)
        factor_cells = list(factors) or [""] * len(columns)
        return {
            "code": self._model.encode(self._images[:1])[0],
            "columns": columns,
            "values": self._steps,
            "notes": list(zip(cells, factor_cells, strict=True)),
            "order": np.argsort(-np.asarray(numbers), kind="stable")
            if len(numbers)
            else None,
        }

    def _samples(self, count: int) -> dict[str, np.ndarray]:
        """Returns decoded samples of the prior, beside those of N(0, I)."""
        latents = self._model.latents
        drawn = self._prior_codes(count)
        # Of latents that are categorical, the same values in both.
        normal = tf.random.stateless_normal(drawn.shape, self._seed).numpy()
        is_category = np.array([c.kind == "categorical" for c in latents.columns])
        normal[:, is_category] = drawn[:, is_category]
        codes = {latents.prior.label: drawn}
        kinds = ((_STANDARD_NORMAL, ~is_category), (_UNIFORM, is_category))
        plain = ", ".join(name for name, present in kinds if present.any())
        codes.setdefault(plain, normal)
        decode = self._model.sampler(count, self._seed)
        images = {label: decode(z) for label, z in codes.items()}
        # A draw from a heavy-tailed prior can overflow the decoder.
        finite = {k: x[np.isfinite(x).all(axis=(1, 2, 3))] for k, x in images.items()}
        return {label: x for label, x in finite.items() if len(x)}

    def _prior_codes(self, count: int) -> np.ndarray:
        """Draws codes [count, L] from the prior, categories as whole numbers."""
        latents = self._model.latents
        return latents.to_codes(latents.prior.sample(count, self._seed)).numpy()

    def _categories(self) -> dict[str, np.ndarray]:
        """Returns samples by category, for each categorical latent."""
        columns, codes = self._model.latents.columns, self._prior_codes(10)
        decode = self._model.sampler(10, self._seed)
        return {
            f"samples_{column.name}": visualization.samples_by_category(
                decode, codes, latent, columns
            )
            for latent, column in enumerate(columns)
            if column.kind == "categorical"
        }

    def _hyperprior(self) -> dict[str, np.ndarray]:
        """Returns the covariances of a hyperprior, if there is one."""
        matrices = self._model.latents.prior.covariances(self._seed)
        return {"hyperprior": visualization.covariances(matrices)} if matrices else {}
