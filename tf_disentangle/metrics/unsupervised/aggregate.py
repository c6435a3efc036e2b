"""The aggregate posterior q(z) = 1/N sum_i q(z|x_i): information and distance to p(z).

    mean_i KL(q(z|x_i) || p(z)) = I(x; z) + KL(q(z) || p(z))      (Hoffman & Johnson)
    KL(q(z) || p(z)) = TC(z) + sum_d KL(q(z_d) || p(z_d))         (Chen et al.)

with TC(z) = KL(q(z) || prod_d q(z_d)). For Gaussian posteriors q(z) is a mixture whose
density can be written down: z is drawn from it, and log q(z) is taken over all N
components, not over a batch, so that no importance weights are needed. The only error
left is the Monte Carlo error of the draws, which is reported.

References:
    Hoffman and Johnson (2016), ELBO surgery, NIPS workshop.
    Chen et al. (2018), Isolating Sources of Disentanglement, arXiv 1802.04942.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import Dataset, PosteriorEncoder
from tf_disentangle.metrics.encoding import require_posterior
from tf_disentangle.metrics.samples import check_codes
from tf_disentangle.progress import progress_bar

# Pairs of a draw and a component that are held at once: 1 MB, which stays in the
# processor's cache.
_PAIRS_PER_BLOCK = 2**17


@dataclasses.dataclass(frozen=True, eq=False)
class AggregatePosteriorScores:
    """Result of `aggregate_posterior_scores`; all in nats.

    Attributes:
        score: KL(q(z) || p(z)) for p = N(0, I), lower is better; at least 0 except for
            the error of the draws.
        mutual_information: I(x; z) of the N images, at most log N; a value near that
            says only that N is too small.
        total_correlation: TC(z) of sampled codes, lower is more independent.
        dimension_kl: sum_d KL(q(z_d) || p(z_d)).
        kl: mean KL(q(z|x) || p(z)), in closed form.
        kl_per_latent: float64 [L], the terms of `kl`.
        standard_errors: Standard errors of the first four, by name, from the spread of
            the draws.
        protocol: "mixture of N" components and the number of draws.
    """

    score: float
    mutual_information: float
    total_correlation: float
    dimension_kl: float
    kl: float
    kl_per_latent: np.ndarray
    standard_errors: dict[str, float]
    protocol: str


def aggregate_posterior_scores(
    means: np.ndarray,
    deviations: np.ndarray,
    *,
    seed: int = 0,
    num_samples: int = 2_000,
    progress: bool | None = None,
) -> AggregatePosteriorScores:
    """Splits the mean KL to N(0, I) into information and distance of q(z) to p(z).

    Args:
        means: Posterior means [N, L] of N images, N at least 2.
        deviations: Posterior standard deviations [N, L], greater than 0.
        seed: Seed of the draws, at least 0.
        num_samples: Draws of z, at least 2. The time grows with N x num_samples x L.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Raises:
        ArgumentError: If the arrays are not finite and of one shape [N, L], or a
            deviation is not greater than 0.
    """
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    integer(num_samples, "num_samples", at_least=2)
    means, deviations = _checked(means, deviations)
    count = len(means)
    chosen = rng.choice(count, size=num_samples, replace=num_samples > count)
    noise = rng.standard_normal((num_samples, means.shape[1]))
    z = means[chosen] + deviations[chosen] * noise
    own = np.sum(_log_normal(z, means[chosen], deviations[chosen]), axis=1)
    joint, marginals = mixture_log_densities(z, means, deviations, progress)
    prior = np.sum(_log_normal(z, 0.0, 1.0), axis=1)
    draws = {
        "score": joint - prior,
        "mutual_information": own - joint,
        "total_correlation": joint - marginals,
        "dimension_kl": marginals - prior,
    }
    square = means**2 + deviations**2
    kl = np.mean(0.5 * (square - 1.0) - np.log(deviations), axis=0)
    return AggregatePosteriorScores(
        **{name: float(values.mean()) for name, values in draws.items()},
        kl=float(kl.sum()),
        kl_per_latent=kl,
        standard_errors={
            name: float(values.std(ddof=1) / np.sqrt(num_samples))
            for name, values in draws.items()
        },
        protocol=f"mixture of {count}, {num_samples} draws",
    )


def aggregate_posterior(
    data: Dataset,
    encoder: PosteriorEncoder,
    *,
    seed: int = 0,
    num_images: int = 10_000,
    num_samples: int = 2_000,
    encode_batch_size: int = 250,
    progress: bool | None = None,
) -> AggregatePosteriorScores:
    """Computes I(x; z), TC and KLs of q(z) on training images (Chen et al., 2018).

    Args:
        data: Where the images come from.
        encoder: An encoder that knows its posterior, a diagonal Gaussian with
            p(z) = N(0, I), such as `models.encoder.ModelEncoder(model)`.
        seed: Seed of the images and of the draws of z, at least 0.
        num_images: N, at least 2; all are taken where there are fewer.
        num_samples: As in `aggregate_posterior_scores`.
        encode_batch_size: Images per call of the encoder.
        progress: As in `aggregate_posterior_scores`.

    Raises:
        ArgumentError: If the posteriors or the prior are of another kind, or the
            encoder knows none.
        ArgumentTypeError: If `data` is not a data set.
    """
    require_posterior(data, encoder, "aggregate_posterior")
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    integer(num_images, "num_images", at_least=2)
    count = min(num_images, len(data))
    rows, images = np.sort(rng.choice(len(data), count, replace=False)), data.images()
    starts = range(
        0, count, integer(encode_batch_size, "encode_batch_size", at_least=1)
    )
    parts = [
        encoder.gaussian_moments(images[rows[i : i + encode_batch_size]])
        for i in starts
    ]
    means, deviations = map(np.concatenate, zip(*parts, strict=True))
    return aggregate_posterior_scores(
        means, deviations, seed=seed, num_samples=num_samples, progress=progress
    )


def _checked(
    means: np.ndarray, deviations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64 [N, L]."""
    means, _ = check_codes(means, argument="means")
    deviations, _ = check_codes(deviations, argument="deviations")
    rule = f"have the shape of means, {means.shape}"
    require(deviations.shape == means.shape, "deviations", rule, deviations.shape)
    least = float(deviations.min())
    remedy = "Give standard deviations, not their logarithms."
    require(least > 0, "deviations", "be greater than 0", least, remedy)
    return means.astype(np.float64), deviations.astype(np.float64)


def mixture_log_densities(
    z: np.ndarray,
    means: np.ndarray,
    deviations: np.ndarray,
    progress: bool | None = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Log densities of the mixture of N diagonal Gaussians, float64 [M] each.

    Args:
        z: [M, L].
        means: [N, L].
        deviations: [N, L].
        progress: As in `aggregate_posterior_scores`.

    Returns:
        log q(z), and sum_d log q(z_d).
    """
    joint, marginals = np.empty(len(z)), np.zeros(len(z))
    centres, precisions = np.ascontiguousarray(means.T), 1 / deviations.T  # [L, N]
    heights = np.log(precisions) - 0.5 * np.log(2 * np.pi)
    block = max(1, _PAIRS_PER_BLOCK // len(means))
    with progress_bar(total=len(z), desc="q(z)", unit="draw", shown=progress) as bar:
        for start in range(0, len(z), block):
            rows = slice(start, start + block)
            total = np.zeros((len(z[rows]), len(means)))
            for d in range(z.shape[1]):
                log = z[rows, d, np.newaxis] - centres[d]
                log *= precisions[d]
                np.square(log, out=log)
                log *= -0.5
                log += heights[d]
                total += log
                marginals[rows] += _log_sum_exp(log)
            joint[rows] = _log_sum_exp(total)
            bar.update(len(total))
    size = np.log(len(means))
    return joint - size, marginals - z.shape[1] * size


def _log_sum_exp(log: np.ndarray) -> np.ndarray:
    """Log of the sum of exponentials of finite numbers [M, N] along N, in their place.

    scipy's, which serves every case, takes several times as long.
    """
    highest = log.max(axis=1)
    log -= highest[:, np.newaxis]
    return highest + np.log(np.exp(log, out=log).sum(axis=1))


def _log_normal(
    z: np.ndarray, mean: np.ndarray | float, deviation: np.ndarray | float
) -> np.ndarray:
    """Log density of N(mean, deviation^2) at z, by the broadcast shape."""
    scaled = (z - mean) / deviation
    return -0.5 * scaled**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
