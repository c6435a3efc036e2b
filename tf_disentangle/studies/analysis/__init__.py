"""Analyses of the runs of a study: functions of its table that return tables.

    runs of one data set      values, scores, bounds, exclude
    mean, best, intervals     by_setting, by_method, summary, compare,
                              paired_comparisons
    do metrics agree          metric_correlations, unsupervised_correlations,
                              downstream_correlations
    what makes the score      variance_shares
    do settings carry over    transfer_of_settings, transfer_summary,
                              transfer_across_data, transfer_across_metrics
    a score and another       score_against, efficiency, total_correlation, sweep,
    number                    mean_curves, scores_of_methods, sample_efficiency
    choosing without labels   selection_without_labels

Each looks at one data set at a time (`data=None` means the only one), except for the
transfer between several. A run that is missing, or whose metric was refused, is left
out. What a table cannot answer is NaN, with a `reason` where there is a row for it, or
an `ArgumentError` that says what is missing.
"""

from tf_disentangle.studies.analysis.agreement import (
    downstream_correlations,
    metric_correlations,
    sample_efficiency,
    transfer_across_data,
    transfer_across_metrics,
    unsupervised,
    unsupervised_correlations,
)
from tf_disentangle.studies.analysis.methods import MethodScores, scores_of_methods
from tf_disentangle.studies.analysis.relations import (
    Relation,
    efficiency,
    score_against,
    sweep,
    total_correlation,
)
from tf_disentangle.studies.analysis.selection import (
    Exclusion,
    bounds,
    comparable,
    exclude,
    scores,
    setting_of,
    values,
)
from tf_disentangle.studies.analysis.selectors import (
    SELECTORS,
    selection_without_labels,
)
from tf_disentangle.studies.analysis.statistics import (
    FEWEST,
    Comparison,
    by_method,
    by_setting,
    compare,
    interquartile_mean,
    paired_comparisons,
    probability_of_improvement,
    stratified_bootstrap,
    summary,
)
from tf_disentangle.studies.analysis.training import mean_curves
from tf_disentangle.studies.analysis.transfer import (
    transfer_of_settings,
    transfer_summary,
)
from tf_disentangle.studies.analysis.variance import variance_shares

__all__ = [
    "FEWEST",
    "SELECTORS",
    "Comparison",
    "Exclusion",
    "MethodScores",
    "Relation",
    "bounds",
    "by_method",
    "by_setting",
    "comparable",
    "compare",
    "downstream_correlations",
    "efficiency",
    "exclude",
    "interquartile_mean",
    "mean_curves",
    "metric_correlations",
    "paired_comparisons",
    "probability_of_improvement",
    "sample_efficiency",
    "score_against",
    "scores",
    "scores_of_methods",
    "selection_without_labels",
    "setting_of",
    "stratified_bootstrap",
    "summary",
    "sweep",
    "total_correlation",
    "transfer_across_data",
    "transfer_across_metrics",
    "transfer_of_settings",
    "transfer_summary",
    "unsupervised",
    "unsupervised_correlations",
    "values",
    "variance_shares",
]
