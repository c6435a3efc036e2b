"""Which latents a model uses: those whose posterior mean moves with the image.

    A_d = Cov_x( E_q(z_d|x) [z_d] ),    d is active if A_d > 0.01

References:
    Burda, Grosse and Salakhutdinov (2016), Importance Weighted Autoencoders, arXiv
    1509.00519.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import real
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.samples import check_codes


@dataclasses.dataclass(frozen=True, eq=False)
class ActiveUnits:
    """Result of `active_units`.

    Attributes:
        score: How many latents are active, 0 to L; neither high nor low is better.
        active: bool [L].
        variances: float64 [L], variance of each posterior mean over the images (ddof
            1), in squared units of the code; for a categorical latent, the total
            variance of its one-hot vector, 1 - sum_k share_k^2.
        protocol: "burda", with the threshold if it is another.
    """

    score: float
    active: np.ndarray
    variances: np.ndarray
    protocol: str


def active_units(
    codes: np.ndarray,
    *,
    threshold: float = 0.01,
    columns: Sequence[CodeColumn] | None = None,
) -> ActiveUnits:
    """Counts active units, whose mean varies over images (Burda et al., 2016).

    For a categorical latent, it is the most probable value that varies: a latent that
    puts equal mass on the same two values for every image is not active.

    Args:
        codes: Posterior means [N, L], N at least 2. For samples of the posterior the
            noise would count as activity.
        threshold: Variance that an active latent exceeds, at least 0. It is in units of
            the code, so it means something for a prior of unit variance only.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the codes are not finite numbers [N, L].
    """
    real(threshold, "threshold", at_least=0.0)
    codes, num_categories = check_codes(codes, columns=columns)
    variances = codes.var(axis=0, ddof=1, dtype=np.float64)
    for d in np.flatnonzero(num_categories):
        counts = np.bincount(codes[:, d].astype(np.int64))
        # ddof 1, as of the others.
        shares = counts / len(codes)
        variances[d] = (1 - np.sum(shares**2)) * len(codes) / (len(codes) - 1)
    variances[np.ptp(codes, axis=0) == 0] = 0.0  # Not the rounding of the mean.
    active = variances > threshold
    return ActiveUnits(
        score=float(active.sum()),
        active=active,
        variances=variances,
        protocol="burda" if threshold == 0.01 else f"burda, threshold={threshold}",
    )
