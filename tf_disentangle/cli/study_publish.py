"""Publishes runs of a study as a store of models, which others can check and load.

    bin/study publish runs/sweep --output=models
    bin/study publish runs/sweep 3f2a9c0b11de 7 --output=models --precision=float16
    bin/study publish runs/sweep --output=models --best=mig --noexplorer --archive

Each finished run becomes a folder in --output (with --archive a .zip), named by its
method, seed and id; --output/README.md lists them with their scores. RUNS are ids or
indices of the plan; by default all runs that are done are published. --best=METRIC
publishes, for each method and data set, only the run with the best recorded score. A
model that is already there is left as it is, so the same command resumes where it was
stopped. docs/store.md says more.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle import checks, files
from tf_disentangle.cli import publish_flags, startup

if TYPE_CHECKING:
    from tf_disentangle.studies.plan import Plan, PlannedRun

POSITIONAL = ("study",)
FLAGS = flags.FlagValues()
publish_flags.define(FLAGS)
flags.DEFINE_string(
    "study",
    None,
    "Folder of the study; may be given without --study=.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "runs",
    [],
    "Ids or indices of runs; without --runs= separate them by spaces. By default all "
    "that are done.",
    flag_values=FLAGS,
)
flags.DEFINE_string("output", None, "The folder of the models.", flag_values=FLAGS)
flags.DEFINE_string(
    "best",
    None,
    "A metric by which only the best run of each method and data set is published.",
    flag_values=FLAGS,
)
flags.DEFINE_bool("archive", False, "Write .zip files, not folders.", flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    for option, given in (("STUDY", values.study), ("--output", values.output)):
        remedy = "For example: bin/study publish runs/sweep --output=models"
        checks.given(given, option, remedy)
    publish_flags.check(values)
    from tf_disentangle.studies.plan import Plan

    plan = Plan.read(values.study)
    chosen = _chosen(plan, values.runs)
    if values.best:
        chosen = best(plan, chosen, values.best)
    store = files.require_writable(values.output, "--output")
    startup.import_tensorflow()
    import tf_disentangle
    from tf_disentangle.store import index

    for number, planned in enumerate(chosen, start=1):
        path = store / f"{model_name(planned)}{'.zip' if values.archive else ''}"
        print(f"{number} of {len(chosen)}: {path.name}", file=sys.stderr)
        if path.exists():
            print("  already there, and left as it is", file=sys.stderr)
            continue
        loaded = tf_disentangle.load(plan.folder_of(planned))
        loaded.publish(path, best_by=values.best, **publish_flags.options(values))
        print(path)
    print(index.write(store))
    return 0


def model_name(run: PlannedRun) -> str:
    """Returns what a run of a study is called as a model."""
    method = re.sub(r"[^A-Za-z0-9_.]+", "_", run.method).strip("._") or "model"
    return f"{method[:64]}-seed{run.seed}-{run.id}"


def _chosen(plan: Plan, names: Sequence[str]) -> list[PlannedRun]:
    """Returns the runs that are named, or all that are done.

    Raises:
        ArgumentError: If one is not in the plan, or not done, or none is.
    """
    from tf_disentangle.studies import plan_table, state

    remedy = f"bin/study status {plan.folder} shows which are."
    named = plan_table.find_all(plan.runs, names)
    for run in named:
        is_done = state.is_done(plan.folder_of(run))
        checks.require(is_done, "RUNS", "be done", run.id, remedy)
    done = named or [r for r in plan.runs if state.is_done(plan.folder_of(r))]
    checks.require(done, "STUDY", "have runs that are done", str(plan.folder), remedy)
    return done


def best(plan: Plan, runs: Sequence[PlannedRun], metric: str) -> list[PlannedRun]:
    """Returns of each method and data set the run with the best score.

    It is the highest, or the lowest of a metric of which less is better, of mean codes
    and in the mean of several seeds of the metric. Of several protocols the one counts
    that most of the runs have.

    Raises:
        ArgumentError: If no run has such a score.
    """
    from tf_disentangle.metrics import METRICS
    from tf_disentangle.studies import table

    scores = table.collect(plan.folder)
    is_score = scores["kind"].isin(["score", "unsupervised"]) & scores["value"].notna()
    is_score &= scores["representation"] == "mean"
    scores = scores[is_score & scores["run"].isin([run.id for run in runs])]
    known = scores["metric"].unique()
    rule, remedy = "be a metric that scored the runs", checks.nearest(metric, known)
    checks.require(metric in known, "--best", rule, metric, remedy)
    scores = scores[scores["metric"] == metric]
    protocols = scores.groupby("protocol", sort=False)["run"].nunique()
    if len(protocols) > 1:
        print(
            f"Chosen by the protocol {protocols.idxmax()!r} of {metric}.",
            file=sys.stderr,
        )
    scores = scores[scores["protocol"] == protocols.idxmax()]
    means = scores.groupby(["method", "data", "run"], sort=False)["value"].mean()
    if metric in METRICS and METRICS[metric].greater_is_better is False:
        means = -means
    chosen = {key[-1] for key in means.groupby(["method", "data"]).idxmax()}
    return [run for run in runs if run.id in chosen]
