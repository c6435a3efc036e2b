"""Which figures a report tries to draw, and what it says of those it cannot."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import figures
from tf_disentangle.studies.figures import parts

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

#: Panels of single metrics that a page holds at most, all data sets together, by kind.
MOST_PANELS = 18


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of figures.

    Attributes:
        name: Its identifier.
        heading: What stands above it.
        note: What its figures show, and how they are read.
    """

    name: str
    heading: str
    note: str


_BOUNDS = (
    "Dashed grey lines are the floor and the ceiling of the score: what random codes "
    "and untrained encoders reach, and what the factors themselves do."
)
SECTIONS = (
    Section(
        "spread",
        "Scores by method",
        "Every point is a run, at any strength and seed; the bar is their mean, the "
        f"star the best run. Outlines show where many runs are. {_BOUNDS}",
    ),
    Section(
        "strength",
        "Scores against strength",
        "Small points are runs, the line is their mean over seeds with its 95% "
        "interval, the star the best run.",
    ),
    Section(
        "reconstruction",
        "Scores against reconstruction",
        "Large points are means over seeds with 95% intervals on both axes, one for "
        "each strength, joined in their order; small points are runs. Up and to the "
        "left is better.",
    ),
    Section(
        "best",
        "Methods at their best strength",
        "Of each method the strength with the best mean, chosen by the score itself: "
        "so the figures flatter methods with many strengths.",
    ),
    Section("iqm", "Interquartile means", ""),
    Section("pairs", "Is one method better than another?", ""),
    Section("variance", "What decides a score", ""),
    Section("agreement", "Do the metrics agree?", ""),
    Section("unsupervised", "Choosing without labels", ""),
    Section("transfer", "Do settings transfer?", ""),
    Section("codes", "Mean and sampled codes", ""),
    Section("efficiency", "Efficiency against disentanglement", ""),
    Section("sweeps", "Sweeps", ""),
    Section("training", "Training", ""),
)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure, or why there is none.

    Attributes:
        section: Identifier of its section.
        name: Of its file, without an ending.
        label: What it shows, for those who do not see it.
        figure: The figure; None if it cannot be drawn.
        reason: Why not.
    """

    section: str
    name: str
    label: str
    figure: Figure | None = None
    reason: str = ""
