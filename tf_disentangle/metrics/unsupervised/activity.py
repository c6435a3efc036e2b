"""Which latents a model uses: those whose posterior mean moves with the image.

    A_d = Cov_x( E_q(z_d|x) [z_d] ),    d is active if A_d > 0.01

References:
    Burda, Grosse and Salakhutdinov (2016), Importance Weighted Autoencoders, arXiv
    1509.00519.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_disentangle.checks import real
from tf_disentangle.metrics.inputs import check_codes


@dataclasses.dataclass(frozen=True, eq=False)
class ActiveUnits:
    """Result of `active_units`.

    Attributes:
        score: How many latents are active, 0 to L; neither high nor low is better.
        active: bool [L].
        variances: float64 [L], variance of each posterior mean over the images (ddof
            1), in squared units of the code.
        protocol: "burda", with the threshold if it is another.
    """

    score: float
    active: np.ndarray
    variances: np.ndarray
    protocol: str


def active_units(codes: np.ndarray, *, threshold: float = 0.01) -> ActiveUnits:
    """Counts the latents whose posterior mean varies over the images.

    Args:
        codes: Posterior means [N, L], N at least 2. For samples of the posterior the
            noise would count as activity.
        threshold: Variance that an active latent exceeds, at least 0. It is in units of
            the code, so it means something for a prior of unit variance only.

    Returns:
        The number of active latents, which they are, and their variances.

    Raises:
        ArgumentError: If the codes are not finite numbers [N, L].
    """
    real(threshold, "threshold", at_least=0.0)
    codes, _ = check_codes(codes)
    variances = codes.var(axis=0, ddof=1, dtype=np.float64)
    variances[np.ptp(codes, axis=0) == 0] = 0.0  # Not the rounding of the mean.
    active = variances > threshold
    return ActiveUnits(
        score=float(active.sum()),
        active=active,
        variances=variances,
        protocol="burda" if threshold == 0.01 else f"burda, threshold={threshold}",
    )
