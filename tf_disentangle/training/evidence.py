"""The importance-weighted evidence of a model on its held-out images, as a metric."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset, Encoder
from tf_disentangle.models import VAE, LogEvidence, log_evidence
from tf_disentangle.models.importance import has_density


def log_evidence_of(model: VAE, held_out: np.ndarray) -> Callable[..., LogEvidence]:
    """Returns the metric (dataset, encode, ...) of log p(x) of held-out images.

    It draws the images without replacement; `encode` is not used, since a code does
    not tell its posterior. See `models.log_evidence` for what is estimated.

    Args:
        model: Its prior must have a density.
        held_out: Indices of the images that were not trained on, at least 2.

    Raises:
        ArgumentError: If the prior has no density, or fewer images were held out.
    """
    rule = "have a likelihood, and a prior with a density, `distribution()`"
    name = f"{type(model).__name__} with {type(model.latents.prior).__name__}"
    checks.require(has_density(model), "model", rule, name)
    rule = "hold out at least 2 images for log_evidence"
    remedy = "Train with train.validation_size of 2 or more."
    checks.require(len(held_out) >= 2, "run", rule, len(held_out), remedy)

    def evidence(
        dataset: Dataset,
        encode: Encoder,
        *,
        seed: int = 0,
        num_images: int = 200,
        num_samples: int = 1_000,
        progress: bool | None = None,
    ) -> LogEvidence:
        rng = np.random.default_rng(checks.integer(seed, "seed", at_least=0))
        checks.integer(num_images, "num_images", at_least=2)
        count = min(num_images, len(held_out))
        rows = np.sort(rng.choice(held_out, size=count, replace=False))
        disable = None if progress is None else not progress
        with tqdm(total=count, desc="log p(x)", unit="image", disable=disable) as bar:
            found = log_evidence(
                model,
                dataset.images()[rows],
                num_samples=num_samples,
                seed=seed,
                on_images=bar.update,
            )
        protocol = f"{count} held-out images, {num_samples} draws"
        return dataclasses.replace(found, protocol=protocol)

    return evidence
