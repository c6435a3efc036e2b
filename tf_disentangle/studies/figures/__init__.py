"""Figures of studies: each a function of the table of results.

A figure is as wide as one column of a paper. `studies.analysis` computes what is drawn.
"""

from tf_disentangle.studies.figures.agreement import (
    downstream_correlations,
    metric_correlations,
    published_correlations,
    transfer_across_data,
    transfer_across_metrics,
    unsupervised_correlations,
)
from tf_disentangle.studies.figures.codes import (
    efficiency,
    sweep,
    total_correlation,
)
from tf_disentangle.studies.figures.comparing import (
    best_settings,
    interquartile_means,
    paired_comparisons,
    selection,
)
from tf_disentangle.studies.figures.scores import (
    score_against_reconstruction,
    score_against_strength,
    score_violins,
)
from tf_disentangle.studies.figures.shares import variance_shares
from tf_disentangle.studies.figures.training import curves_over_training

__all__ = [
    "best_settings",
    "curves_over_training",
    "downstream_correlations",
    "efficiency",
    "interquartile_means",
    "metric_correlations",
    "paired_comparisons",
    "published_correlations",
    "score_against_reconstruction",
    "score_against_strength",
    "score_violins",
    "selection",
    "sweep",
    "total_correlation",
    "transfer_across_data",
    "transfer_across_metrics",
    "unsupervised_correlations",
    "variance_shares",
]
