"""Which scores a report shows: each metric, protocol, representation and data set."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING

from tf_disentangle.studies import analysis

if TYPE_CHECKING:
    import pandas as pd

#: Scores that no section but one of their own shows.
APART = ("statistical_efficiency",)


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """A metric of one representation on one data set, with one of its protocols alone.

    Attributes:
        metric: Its name.
        label: Its name, with the protocol if there are several, and the representation
            if it is not the mean.
        data: The data set.
        representation: Of the codes: "mean" or "sampled".
        table: The results, without the metric's other protocols.
    """

    metric: str
    label: str
    data: str
    representation: str
    table: pd.DataFrame

    @property
    def selected(self) -> dict[str, str]:
        """Returns the options of an analysis."""
        return {"data": self.data, "representation": self.representation}


def scores_of(table: pd.DataFrame) -> list[Score]:
    """Returns what can be drawn alone: each metric and protocol on each data set."""
    rows = table[table["kind"] == "score"]
    rows = rows[~rows["metric"].str.contains(".", regex=False)]
    rows = rows[~rows["metric"].isin(APART) & rows["value"].notna()]
    found = []
    # Those of mean codes go first.
    for representation, data in itertools.product(
        sorted(rows["representation"].unique()), rows["data"].unique()
    ):
        own = rows[(rows["representation"] == representation) & (rows["data"] == data)]
        for metric, values in own.groupby("metric", sort=False):
            alike = analysis.comparable(values["protocol"])
            protocols = alike.unique()
            for protocol in protocols:
                same = values.loc[alike == protocol, "protocol"]
                other = (table["metric"] == metric) & ~table["protocol"].isin(same)
                label = f"{metric} ({protocol})" if len(protocols) > 1 else metric
                label += suffix(representation)
                view = table[~other] if len(protocols) > 1 else table
                found.append(Score(metric, label, data, representation, view))
    return found


def suffix(representation: str) -> str:
    """Returns how a metric's name shows its representation; nothing for means."""
    return "" if representation == "mean" else f" of {representation} codes"
