"""Hoyer sparsity: how few latents carry the code of one example.

    u_nl  = z_nl / std_l(z)
    score = mean_n (sqrt(L) - |u_n|_1 / |u_n|_2) / (sqrt(L) - 1)

1 if every code has a single entry that is not 0, and 0 if all its entries are equally
large. Each latent is divided by its standard deviation, without taking off its mean,
so that latents that collapsed to a small range do not pass for sparsity.

References:
    Hurley and Rickard, Comparing Measures of Sparsity (2009), after Hoyer (2004).
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments: the division by the standard deviation.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_disentangle.checks import ArgumentTypeError, message, require


@dataclasses.dataclass(frozen=True, eq=False)
class HoyerSparsity:
    """Result of `hoyer_sparsity`.

    Attributes:
        score: Mean sparsity of a code, in [0, 1], higher is sparser.
        per_example: float64 [N], the sparsity of each code.
        active: bool [L], False for latents that are constant; they do not count.
        num_active: Number of active latents, the L of the formula.
        normalised: Whether each latent was divided by its standard deviation.
        protocol: "mathieu2019", or with ", normalise=False".
    """

    score: float
    per_example: np.ndarray
    active: np.ndarray
    num_active: int
    normalised: bool
    protocol: str


def hoyer_sparsity(codes: np.ndarray, *, normalise: bool = True) -> HoyerSparsity:
    """Scores how sparse codes are.

    Conventions where the formula says nothing: a constant latent has no deviation to
    be divided by and is left out (the reference gives NaN); a code that is 0 in all
    the other latents uses none of them and counts as 0, not sparse.

    Args:
        codes: Finite numbers [N, L], N at least 2, such as the posterior means.
        normalise: Whether to divide each latent by its standard deviation.

    Returns:
        The mean sparsity and its parts.

    Raises:
        ArgumentTypeError: If the codes are not numbers.
        ArgumentError: If they are not finite [N, L], or fewer than two latents vary.
    """
    codes = np.asarray(codes)
    if not np.issubdtype(codes.dtype, np.number):
        text = message("codes", "be numbers", codes.dtype.name)
        raise ArgumentTypeError(text)
    codes = codes.astype(np.float64)
    shaped = codes.ndim == 2 and len(codes) >= 2
    require(shaped, "codes", "have shape [N, L] with N at least 2", codes.shape)
    finite = np.isfinite(codes).all()
    require(finite, "codes", "be finite", "values that are not" if not finite else None)
    # ptp and not the deviation, whose rounding hides that a latent is constant.
    active = np.ptp(codes, axis=0) > 0
    num_active = int(active.sum())
    rule = "have at least two latents that vary"
    require(num_active >= 2, "codes", rule, f"{num_active} of {len(active)}")
    used = codes[:, active]
    if normalise:
        used = used / used.std(axis=0, ddof=1)
    length = np.sqrt((used**2).sum(axis=1))
    ratio = np.abs(used).sum(axis=1) / np.where(length > 0, length, 1.0)
    root = np.sqrt(num_active)
    per_example = np.where(length > 0, (root - ratio) / (root - 1), 0.0)
    return HoyerSparsity(
        score=float(per_example.mean()),
        per_example=per_example,
        active=active,
        num_active=num_active,
        normalised=bool(normalise),
        protocol="mathieu2019" if normalise else "mathieu2019, normalise=False",
    )
