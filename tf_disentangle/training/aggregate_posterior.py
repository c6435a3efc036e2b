"""The aggregate posterior of a model, as a metric of a data set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tf_disentangle import checks, metrics
from tf_disentangle.interfaces import Dataset, Encoder
from tf_disentangle.models import VAE
from tf_disentangle.models.posterior_samples import PosteriorSamples, has_usual_latents

# Images per call of the encoder.
_CHUNK = 250


def aggregate_posterior_of(
    model: VAE,
) -> Callable[..., metrics.AggregatePosteriorScores]:
    """Returns the metric (dataset, encode, ...) of the model's aggregate posterior.

    It scores q(z) over training images, drawn without replacement; `encode` is not
    used, since a code does not tell its posterior.

    Args:
        model: With diagonal Gaussian posteriors and a standard normal prior.

    Raises:
        ArgumentError: If posteriors or prior are others.
    """
    rule = "have diagonal Gaussian posteriors and a standard normal prior"
    received = (model.latents.name, type(model.latents.prior).__name__)
    checks.require(has_usual_latents(model), "model", rule, received)

    def aggregate_posterior(
        dataset: Dataset,
        encode: Encoder,
        *,
        seed: int = 0,
        num_images: int = 10_000,
        num_samples: int = 2_000,
        progress: bool | None = None,
    ) -> metrics.AggregatePosteriorScores:
        rng = np.random.default_rng(checks.integer(seed, "seed", at_least=0))
        checks.integer(num_images, "num_images", at_least=2)
        count = min(num_images, len(dataset))
        chosen = np.sort(rng.choice(len(dataset), size=count, replace=False))
        posterior, images = PosteriorSamples(model), dataset.images()
        starts = range(0, count, _CHUNK)
        parts = [posterior(images[chosen[i : i + _CHUNK]]) for i in starts]
        means, deviations = posterior.moments(np.concatenate(parts))
        return metrics.aggregate_posterior_scores(
            means, deviations, seed=seed, num_samples=num_samples, progress=progress
        )

    return aggregate_posterior
