"""Ranks the runs of a study without labels: unsupervised disentanglement ranking.

    bin/study udr runs/sweep
    bin/study udr runs/sweep --all_strengths
    bin/study udr runs/sweep --similarity=spearman

The codes of runs that differ only in their seed are compared, pair by pair: a model
whose latents are found again in the others is likely to be disentangled. The scores go
into the table of results (metric "udr"), and the report shows them beside the scores of
the best run. With --all_strengths all runs of a method are compared too. TensorFlow is
not needed. When there are more runs, the same command brings the scores up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
    import pandas as pd

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "study",
    None,
    "Folder of the study; may be given without --study=.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "similarity",
    "lasso",
    ["lasso", "spearman"],
    "How to compare two latents: |weights| of a Lasso, or |rank correlation|.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "all_strengths",
    False,
    "Also compare all runs of a method, whatever their strength (udr_all_strengths).",
    flag_values=FLAGS,
)
POSITIONAL = ("study",)


def main(values: flags.FlagValues) -> int:
    """Runs the command; it returns 2 if no run could be compared with another."""
    from tf_disentangle import checks
    from tf_disentangle.studies import udr

    example = "For example: bin/study udr runs/sweep"
    checks.given(values.study, "STUDY", example)
    rows = udr.rank_runs(
        values.study,
        similarity=values.similarity,
        all_strengths=values.all_strengths,
    )
    print(shown(rows))
    return 2 if rows["value"].isna().all() else 0


def shown(rows: pd.DataFrame) -> str:
    """Returns the best run of each group as lines, then what has no score, and why."""
    from tf_disentangle.studies.analysis import setting_of

    lines = []
    rows = rows.assign(setting=setting_of(rows))
    for metric, own in rows.groupby("metric", sort=False):
        scored = own.dropna(subset="value")
        lines.append(f"{metric}: {len(scored)} of {len(own)} runs")
        by = ["data", "method", *(["setting"] if metric == "udr" else [])]
        for key, group in scored.groupby(by, sort=False):
            best = group.loc[group["value"].idxmax()]
            name = " ".join(filter(None, key))
            lines.append(
                f"  {name}: mean {group['value'].mean():.4f}, best "
                f"{best['value']:.4f}, seed {best['seed']} ({best['run']})"
            )
        missing = own[own["value"].isna()]["reason"].value_counts()
        lines += [
            f"  {count} without a score: {reason}" for reason, count in missing.items()
        ]
    return "\n".join(lines)
