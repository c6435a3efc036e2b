"""Gives failed runs of a study new attempts; nothing is ever deleted.

    bin/study retry runs/sweep
    bin/study retry runs/sweep 3f9a0c1b2d4e 17
    bin/study retry runs/sweep 17 --fresh

Runs are named by id or index; without a name all that failed are meant. They go on from
their last checkpoint when the study is started again. With --fresh their folders are
moved to STUDY/aside, and they start from nothing: the remedy for a damaged folder.
"""

from __future__ import annotations

import sys

from absl import flags

from tf_disentangle import checks, files
from tf_disentangle.cli.study_status import read_plan
from tf_disentangle.studies import attempts, plan_table, state

POSITIONAL = ("study",)
FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "study", None, "Folder of the study; may stand alone.", flag_values=FLAGS
)
flags.DEFINE_list(
    "runs",
    None,
    "Ids or indices of runs; may stand alone, with spaces. By default all that failed.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "fresh",
    False,
    "Move their folders aside and start from nothing.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    plan = read_plan(values.study, "retry")
    failed = 0
    runs = plan.runs
    if values.runs is not None:
        runs = plan_table.find_all(runs, values.runs)
    for run in runs:
        folder = plan.folder_of(run)
        found = state.state_of(folder, plan.attempts)
        if values.runs is None and found.state != state.FAILED:
            continue
        failed += 1
        rule = "have failed or stopped, to be tried again"
        may = found.state in (state.FAILED, state.PARTIAL)
        checks.require(may, f"run {run.id}", rule, found.state)
        if values.fresh:
            aside = state.move_aside(folder, plan.folder)
            print(f"{run.id}: starts from nothing; its folder is now {aside}")
        else:
            alike = state.would_fail_again(folder)
            with files.explaining(folder, "study"):
                attempts.reset(folder)
            print(
                f"{run.id}: goes on from step {found.step}; it failed: {found.reason}"
            )
            if alike:
                print(
                    f"{run.id}: its setting made it fail, and will again unless the "
                    "library or the data changed."
                )
    if not failed:
        print("No run has failed.")
        return 0
    print("Start the study again to run them, by the same bin/study command.")
    if not values.fresh:
        print(
            "If one fails as before because its folder is damaged, --fresh starts it "
            "from nothing.",
            file=sys.stderr,
        )
    return 0
