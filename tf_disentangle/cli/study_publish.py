"""Publishes runs of a study: a store of models that others load and check.

    bin/study publish runs/sweep --output=models
    bin/study publish runs/sweep 3f2a9c0b11de 7 --output=models --precision=float16
    bin/study publish runs/sweep --output=models --best=mig --noexplorer --archive

Each finished run becomes a folder of --output (with --archive a .zip), named by its
method, seed and id; --output/README.md lists them with their scores. IDS are ids or
numbers of the plan; by default all that are done. --best=METRIC takes of each method
and data set the run with the highest recorded score. What is published already is left
as it is, so that the same command goes on where it was stopped. docs/store.md says
more.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from tf_disentangle import checks, files
from tf_disentangle.cli import publish_flags, startup

if TYPE_CHECKING:
    from tf_disentangle.studies.plan import Plan, PlannedRun

POSITIONAL = ("folder",)
FLAGS = flags.FlagValues()
publish_flags.define(FLAGS)
flags.DEFINE_string("folder", None, "The study's folder.", flag_values=FLAGS)
flags.DEFINE_list(
    "runs", [], "IDS, which may stand alone after FOLDER.", flag_values=FLAGS
)
flags.DEFINE_string("output", None, "The folder of the models.", flag_values=FLAGS)
flags.DEFINE_string(
    "best",
    None,
    "A metric: publish only the best run of each method and data set by it.",
    flag_values=FLAGS,
)
flags.DEFINE_bool("archive", False, "Write .zip files, not folders.", flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    for option, given in (("FOLDER", values.folder), ("--output", values.output)):
        remedy = "For example: bin/study publish runs/sweep --output=models"
        checks.require(given, option, "be given", given, remedy)
    from tf_disentangle.studies.plan import Plan

    plan = Plan.read(values.folder)
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
            print("  is there already", file=sys.stderr)
            continue
        loaded = tf_disentangle.load(plan.folder_of(planned))
        loaded.publish(path, **publish_flags.options(values))
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
    done = [run for run in plan.runs if _is_done(plan, run)]
    if not names:
        rule, remedy = "have runs that are done", f"bin/study status {plan.folder}"
        checks.require(done, "FOLDER", rule, str(plan.folder), remedy)
        return done
    by_name = {run.id: run for run in plan.runs}
    by_name |= {str(run.index): run for run in plan.runs}
    for name in names:
        rule, remedy = "be ids or numbers of the plan", checks.suggestion(name, by_name)
        checks.require(name in by_name, "IDS", rule, name, remedy)
        rule = "be runs that are done"
        checks.require(_is_done(plan, by_name[name]), "IDS", rule, name)
    return list({by_name[name].id: by_name[name] for name in names}.values())


def _is_done(plan: Plan, run: PlannedRun) -> bool:
    return (plan.folder_of(run) / "done.json").exists()


def best(plan: Plan, runs: Sequence[PlannedRun], metric: str) -> list[PlannedRun]:
    """Returns of each method and data set the run with the highest score.

    Raises:
        ArgumentError: If no run has such a score.
    """
    found: dict[tuple[Any, ...], tuple[float, PlannedRun]] = {}
    known: set[str] = set()
    for run in runs:
        scores = recorded(plan.folder_of(run))
        known |= scores.keys()
        score, kind = scores.get(metric), (run.method, run.data)
        if score is not None and (kind not in found or score > found[kind][0]):
            found[kind] = (score, run)
    rule, remedy = "be a metric that scored the runs", checks.nearest(metric, known)
    checks.require(found, "--best", rule, metric, remedy)
    return [run for _, run in found.values()]


def recorded(folder: pathlib.Path) -> dict[str, float]:
    """Returns the last recorded score of mean codes by each metric."""
    from tf_disentangle.training import RunFolder

    scores: dict[str, float] = {}
    for row in RunFolder.existing(folder).rows():
        if row.get("codes", "mean") == "mean":
            for name, result in row.get("scores", {}).items():
                if isinstance(result.get("score"), int | float):
                    scores[name] = result["score"]
    return scores
