"""Hoyer sparsity: how few latents carry the code of one example.

    u_nl  = z_nl / std_l(z)
    score = mean_n (sqrt(L) - |u_n|_1 / |u_n|_2) / (sqrt(L) - 1)

1 if every code has a single entry that is not 0, and 0 if all its entries are equally
large. Each latent is divided by its standard deviation, without subtracting its mean,
so that latents that collapsed to a small range do not pass for sparsity.

References:
    Hurley and Rickard, Comparing Measures of Sparsity (2009), after Hoyer (2004).
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments: the division by the standard deviation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import require_type
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.samples import check_codes


@dataclasses.dataclass(frozen=True, eq=False)
class HoyerSparsity:
    """Result of `hoyer_sparsity`.

    Attributes:
        score: Mean sparsity of a code, in [0, 1], higher is sparser.
        per_example: float64 [N], the sparsity of each code.
        active: bool [L], False for latents that do not count: constant ones, and
            categorical columns.
        num_active: Number of active latents, the L of the formula.
        normalised: Whether each latent was divided by its standard deviation.
        protocol: "mathieu2019", with any value that was overridden.
    """

    score: float
    per_example: np.ndarray
    active: np.ndarray
    num_active: int
    normalised: bool
    protocol: str


def hoyer_sparsity(
    codes: np.ndarray,
    *,
    normalise: bool = True,
    columns: Sequence[CodeColumn] | None = None,
) -> HoyerSparsity:
    """Computes Hoyer's sparsity of codes (Mathieu et al., 2019).

    Conventions where the definition leaves a choice: a constant latent has no deviation
    to be divided by and is left out (the reference gives NaN); a code that is 0 in all
    the other latents uses none of them and counts as 0, not sparse; with fewer than two
    latents left there is nothing to choose from, and every code counts as 0; a
    categorical column is left out, since its numbers are names ("left out").

    Args:
        codes: Numbers [N, L], N at least 2, such as the posterior means; see `samples`
            for what is accepted.
        normalise: Whether to divide each latent by its standard deviation.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the codes are not finite numbers [N, L].
        ArgumentTypeError: If `normalise` is not a bool.
    """
    require_type(normalise, bool, "normalise")
    codes, num_categories = check_codes(codes, columns=columns)
    categorical = np.asarray(num_categories) > 0
    # ptp and not the deviation, whose rounding hides that a latent is constant.
    active = (np.ptp(codes, axis=0) > 0) & ~categorical
    used = codes[:, active].astype(np.float64)
    if normalise:
        used = used / used.std(axis=0, ddof=1)
    per_example = sparsity_of_rows(used)
    protocol = "mathieu2019"
    if not normalise:
        protocol += f", normalise={normalise}"
    if categorical.any():
        protocol += ", categorical=left out"
    return HoyerSparsity(
        score=float(per_example.mean()),
        per_example=per_example,
        active=active,
        num_active=int(active.sum()),
        normalised=normalise,
        protocol=protocol,
    )


def sparsity_of_rows(rows: np.ndarray) -> np.ndarray:
    """Hoyer's sparsity of each row of [N, L], in [0, 1], float64 [N].

    0 for a row of zeros, and for L below 2.
    """
    if rows.shape[1] < 2:
        return np.zeros(len(rows))
    length = np.sqrt((rows**2).sum(axis=1))
    ratio = np.abs(rows).sum(axis=1) / np.where(length > 0, length, 1.0)
    root = np.sqrt(rows.shape[1])
    return np.where(length > 0, np.clip((root - ratio) / (root - 1), 0.0, 1.0), 0.0)
