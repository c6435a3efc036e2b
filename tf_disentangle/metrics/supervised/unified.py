"""Unified scores: every matrix of latents and factors through every aggregator.

DCI, MIG, SAP and modularity each read one number from one matrix [L, K]. Crossing the
matrices with the aggregators shows which of the two makes scores disagree:

    matrices:     importance (boosted trees), mutual information (20 bins, nats),
                  predictability (support vector machine of one latent)
    aggregators:  disentanglement and completeness of DCI, the gap of MIG (divided by
                  H(v_k), whatever the matrix), the gap of SAP, modularity, and the
                  independent groups of latents and factors over all thresholds

References:
    Locatello et al. (2019), A Sober Look at the Unsupervised Learning of Disentangled
    Representations, arXiv 2010.14766; `unified_scores` of the study's code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.information import entropy
from tf_disentangle.metrics.samples import check_split, varied_factors
from tf_disentangle.metrics.supervised.dci import (
    completeness_per_factor,
    dci_score,
    disentanglement_per_latent,
    weighted_mean,
)
from tf_disentangle.metrics.supervised.mig import mig_score, top_two_gap
from tf_disentangle.metrics.supervised.modularity import modularity_of_latents
from tf_disentangle.metrics.supervised.sap import sap_score


@dataclasses.dataclass(frozen=True, eq=False)
class UnifiedScores:
    """Result of `unified_scores`.

    Attributes:
        score: DCI disentanglement of the importance matrix.
        importance: Each aggregator applied to the importance matrix, by name.
        mutual_information: The same for the mutual information, nats.
        predictability: The same for the accuracies of single latents.
        matrices: float64 [L, K] by name.
        protocol: Name of the protocol.
    """

    score: float
    importance: dict[str, float]
    mutual_information: dict[str, float]
    predictability: dict[str, float]
    matrices: dict[str, np.ndarray]
    protocol: str

    def table(self) -> str:
        """Returns aggregators (rows) by matrices (columns) as text."""
        head = f"{'':24}" + "".join(f"{name:>20}" for name in self.matrices)
        lines = [head]
        for aggregator in self.importance:
            values = [getattr(self, name)[aggregator] for name in self.matrices]
            lines.append(f"{aggregator:24}" + "".join(f"{v:20.4f}" for v in values))
        return "\n".join(lines)


def unified_scores(
    codes: np.ndarray,
    factors: np.ndarray,
    test_codes: np.ndarray | None = None,
    test_factors: np.ndarray | None = None,
    *,
    seed: int = 0,
    protocol: str = "dlib",
    columns: Sequence[CodeColumn] | None = None,
) -> UnifiedScores:
    """Computes every aggregator of every matrix of scores (Locatello et al., 2020).

    A factor with one value in the train part is left out. With one latent, the second
    latent in the gaps knows nothing, as in MIG and SAP, and completeness is 1.
    Conventions, defaults and errors are those of `dci_score`, `mig_score` and
    `sap_score`, whose own values are in the table.

    Args:
        codes: Numbers [N, L]; see `samples` for what is accepted.
        factors: Labels [N, K].
        test_codes: Numbers [M, L]; None holds out a third of the rows.
        test_factors: Labels [M, K].
        seed: Seed of the boosted trees and of the split, in [0, 2^32).
        protocol: Key of `ARRAY_PROTOCOLS`.
        columns: What the L columns hold; None treats all as continuous.

    Raises:
        ArgumentError: If the arrays break a rule of `samples`, or the protocol is
            unknown.
    """
    train, test, note = check_split(
        codes, factors, test_codes, test_factors, seed=seed, columns=columns
    )
    parts = (train.codes, train.factors, test.codes, test.factors)
    varied = varied_factors(train)
    options: dict[str, Any] = {"protocol": protocol, "columns": columns}
    dci = dci_score(*parts, seed=seed, **options)
    mig = mig_score(train.codes, train.factors, **options)
    sap = sap_score(*parts, **options)
    matrices = {
        "importance": dci.importance[:, varied],
        "mutual_information": mig.mutual_information[:, varied],
        "predictability": sap.predictability[:, varied],
    }
    entropies = entropy(train.factors)[varied]
    scores = {name: aggregate(m, entropies) for name, m in matrices.items()}
    return UnifiedScores(
        score=scores["importance"]["disentanglement"],
        **scores,
        matrices=matrices,
        protocol=dci.protocol + note,
    )


def aggregate(matrix: np.ndarray, entropies: np.ndarray) -> dict[str, float]:
    """Reads every aggregator's number from a matrix.

    Args:
        matrix: float [L, K], at least 0: how much latent d has to do with factor k.
        entropies: float [K], entropy of each factor, nats, above 0.

    Returns:
        By name, each higher is better: "disentanglement" and "completeness" (DCI),
        "mig", "sap", "modularity" (mean over latents with a row that is not 0),
        "precision_area" and "max_precision" of `precision_curve`.
    """
    matrix = np.asarray(matrix, np.float64)
    gaps = matrix[0]
    if len(matrix) > 1:
        gaps = top_two_gap(matrix)
    # With one factor, every latent that has an entry is modular.
    modularity = np.nan_to_num(modularity_of_latents(matrix), nan=1.0)
    known = matrix.any(axis=1)
    thresholds, groups = precision_curve(matrix)
    return {
        "disentanglement": weighted_mean(
            disentanglement_per_latent(matrix), matrix.sum(axis=1)
        ),
        "completeness": weighted_mean(
            completeness_per_factor(matrix), matrix.sum(axis=0)
        ),
        "mig": float(np.mean(gaps / entropies)),
        "sap": float(np.mean(gaps)),
        "modularity": float(modularity[known].mean()) if known.any() else 0.0,
        "precision_area": float(-np.trapezoid(groups, thresholds)),
        "max_precision": float(groups.max()),
    }


def precision_curve(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts the independent groups of latents and factors at every threshold.

    At a threshold t, latent d and factor k are joined if the matrix has at least t, and
    not 0, at [d, k]. A group is what is joined directly or through others.

    Args:
        matrix: float [L, K], at least 0.

    Returns:
        The thresholds, the entries of the matrix in descending order [L K], and at
        each the number of groups with at least one latent and one factor.
    """
    num_latents, num_factors = matrix.shape
    thresholds = np.sort(matrix, axis=None)[::-1]
    groups = np.zeros(len(thresholds))
    for i, threshold in enumerate(thresholds):
        joined = (matrix >= threshold) & (matrix != 0)
        edges = np.zeros((num_latents + num_factors,) * 2, bool)
        edges[:num_latents, num_latents:] = joined
        _, label = csgraph.connected_components(sparse.csr_array(edges), directed=False)
        groups[i] = len(np.unique(label[:num_latents][joined.any(axis=1)]))
    return thresholds, groups
