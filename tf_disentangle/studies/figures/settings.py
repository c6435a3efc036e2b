"""How the settings of a study's methods are written on axes and in tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pandas as pd

from tf_disentangle.studies import analysis
from tf_disentangle.studies.analysis.relations import short_names
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.table import bindings_of


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the settings of a study's methods are written.

    Attributes:
        axes: By method: what varies, such as "beta"; "setting" if several things do,
            "" if nothing does.
        texts: By (method, setting): "4" where one number varies, "beta=4, width=64"
            where several do, "" where nothing does.
    """

    axes: Mapping[str, str]
    texts: Mapping[tuple[str, str], str]

    def name(self, method: str, setting: str) -> str:
        """Returns a method with its setting, if it has several."""
        return f"{method} {self.texts.get((method, setting), '')}".strip()


def settings_of(table: pd.DataFrame) -> Settings:
    """Returns how the settings of a table are written.

    Args:
        table: Results of a study.
    """
    runs = table.drop_duplicates("run")
    runs = runs.assign(setting=analysis.setting_of(runs)).drop_duplicates(
        ["method", "setting"]
    )
    axes: dict[str, str] = {}
    texts: dict[tuple[str, str], str] = {}
    for method, own in runs.groupby("method", sort=False):
        varied = [n for n in bindings_of(table) if own[n].nunique(dropna=False) > 1]
        short = short_names(varied)
        strength = own["strength"]
        same = [n for n in varied if own[n].eq(strength).fillna(False).all()]
        axes[method] = "setting" if varied else ""
        if strength.notna().all() and strength.is_unique:
            axes[method] = short[same[0]].replace("_", " ") if same else "strength"
            written = [parts.number(value) for value in strength]
        else:
            written = [
                ", ".join(
                    f"{short[name]}={parts.number(row[name])}"
                    for name in varied
                    if not pd.isna(row[name])
                )
                for _, row in own.iterrows()
            ]
        texts |= zip(
            zip(own["method"], own["setting"], strict=True), written, strict=True
        )
    return Settings(axes, texts)
