"""Rank correlations as matrices: of metrics, of unsupervised scores, of data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_disentangle.studies import analysis
from tf_disentangle.studies.figures import parts
from tf_disentangle.visualization.charts import style, subplots

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from tf_disentangle.studies.published import PublishedTable


def metric_correlations(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> Figure:
    """Plots Spearman's rank correlations of metrics over runs.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If there are fewer than two metrics, or three runs.
    """
    frame = analysis.metric_correlations(
        table, data=data, representation=representation
    )
    return _square(frame, "rank correlation of metrics over runs")


def unsupervised_correlations(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> Figure:
    """Plots rank correlations of unsupervised scores (rows) with scores (columns).

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure.

    Raises:
        ArgumentError: If there is no score, or nothing unsupervised.
    """
    frame = analysis.unsupervised_correlations(
        table, data=data, representation=representation
    )
    return _square(frame, "rank correlation with scores over runs")


def downstream_correlations(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> Figure:
    """Plots rank correlations of what classifiers learn from codes with scores.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure: rows are accuracies by the number of samples and the
        sample efficiency.

    Raises:
        ArgumentError: If there is no score, or none of classifiers.
    """
    frame = analysis.downstream_correlations(
        table, data=data, representation=representation
    )
    return _square(frame, "rank correlation with scores over runs")


def transfer_across_data(
    table: pd.DataFrame, metric: str, *, representation: str = "mean"
) -> Figure:
    """Plots whether settings that are good for one data set are good for another.

    Args:
        table: Results of a study.
        metric: The score.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure: rank correlations of the settings' mean scores.

    Raises:
        ArgumentError: If there are fewer than two data sets.
    """
    frame = analysis.transfer_across_data(table, metric, representation=representation)
    title = f"rank correlation of settings, {parts.short(metric)}"
    return _square(frame, title)


def transfer_across_metrics(
    table: pd.DataFrame, *, data: str | None = None, representation: str = "mean"
) -> Figure:
    """Plots whether settings that are good by one metric are good by another.

    Args:
        table: Results of a study.
        data: A data set; None is the only one.
        representation: The kind of codes that were scored.

    Returns:
        A matplotlib figure: rank correlations of the settings' mean scores.

    Raises:
        ArgumentError: If there are fewer than two metrics.
    """
    frame = analysis.transfer_across_metrics(
        table, data=data, representation=representation
    )
    return _square(frame, "rank correlation of settings over metrics")


def published_correlations(table: PublishedTable) -> Figure:
    """Plots a printed table like our own, with what it is about above it.

    Args:
        table: One of `published.TABLES`.

    Returns:
        A matplotlib figure.
    """
    import pandas as pd

    values = np.array(table.values) / 100
    frame = pd.DataFrame(values, list(table.rows), list(table.columns))
    about = table.data or parts.short(table.metric)
    return _square(frame, f"published: {about}")


def _square(frame: pd.DataFrame, title: str) -> Figure:
    """Draws a matrix of rank correlations in the width of a column."""
    rows, columns = frame.shape
    height = max(1.5, 0.27 * rows + 1.0)
    width = max(parts.WIDTH, 0.34 * columns + 1.3)
    with style():
        figure, ((axes,),) = subplots(1, 1, (width, height))
        parts.matrix(axes, frame)
        axes.set_xlabel(title)
    return figure
