"""The evidence log p(x) of images, by importance weights.

    log p(x) ~ log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

It is a lower bound on average. The encoder's model makes the estimate
(`models.log_evidence`); here images are drawn and the mean over them is taken.

References:
    Burda et al. (2016), Importance Weighted Autoencoders, arXiv 1509.00519, eq. 8.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import Dataset, PosteriorEncoder
from tf_disentangle.metrics.encoding import require_posterior
from tf_disentangle.progress import progress_bar


def log_evidence(
    data: Dataset,
    encoder: PosteriorEncoder,
    *,
    seed: int = 0,
    num_images: int = 200,
    num_samples: int = 1_000,
    held_out: np.ndarray | None = None,
    progress: bool | None = None,
) -> Any:
    """Estimates log p(x) by importance weights (IWAE; Burda et al., 2016).

    Args:
        data: Where the images come from.
        encoder: An encoder that knows its posterior, such as
            `models.encoder.ModelEncoder(model)`.
        seed: Seed of the images, drawn without replacement, and of the weights.
        num_images: At least 2; all are taken where there are fewer.
        num_samples: K, at least 1.
        held_out: Numbers of the images that were not trained on, int [n], n at least
            2. None takes any of the data set's images, and the protocol says so.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        `models.importance.LogEvidence`: the mean in nats per image (`score`), its
        standard error, and the number of draws that carry the estimate.

    Raises:
        ArgumentError: If the prior has no density, the model has no likelihood, or
            fewer than 2 images are held out, or the encoder knows no posterior.
        ArgumentTypeError: If `data` is not a data set.
    """
    require_posterior(data, encoder, "log_evidence")
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    integer(num_images, "num_images", at_least=2)
    rows = np.arange(len(data)) if held_out is None else np.asarray(held_out)
    remedy = "Hold out some images in training, or leave held_out out."
    require(len(rows) >= 2, "held_out", "have at least 2 images", len(rows), remedy)
    count = min(num_images, len(rows))
    rows = np.sort(rng.choice(rows, size=count, replace=False))
    with progress_bar(
        total=count, desc="log p(x)", unit="image", shown=progress
    ) as bar:
        result = encoder.log_evidence(
            data.images()[rows],
            num_samples=num_samples,
            seed=seed,
            on_images=bar.update,
        )
    which = "images" if held_out is None else "held-out images"
    return dataclasses.replace(result, protocol=f"{count} {which}, {num_samples} draws")
