"""Gives failed runs of a study new attempts; nothing is ever deleted.

    bin/study retry runs/sweep
    bin/study retry runs/sweep 3f9a0c1b2d4e 17
    bin/study retry runs/sweep 17 --fresh

Name runs by id or index; without a name all failed runs are meant. They resume from
their last checkpoint when the study is started again. With --fresh their folders are
moved to STUDY/aside and they start from nothing, which helps if a folder is damaged.
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
    "study",
    None,
    "Folder of the study; may be given without --study=.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "runs",
    None,
    "Ids or indices of runs; without --runs= separate them by spaces. By default all "
    "that failed.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "fresh",
    False,
    "Move the runs' folders aside and start the runs from nothing.",
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
                f"{run.id}: resumes from step {found.step}; it failed: {found.reason}"
            )
            if alike:
                print(
                    f"{run.id}: its setting made it fail, and will do so again unless "
                    "the library or the data changed."
                )
    if not failed:
        print("No run has failed.")
        return 0
    print("To run them, start the study again with the same bin/study command.")
    if not values.fresh:
        print(
            "If a run fails again because its folder is damaged, --fresh starts it "
            "from nothing.",
            file=sys.stderr,
        )
    return 0
