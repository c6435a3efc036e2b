"""Shows how far a study is. It reads only the folder, and works while the study runs.

    bin/study status runs/sweep
    bin/study status runs/sweep --json

It shows how many runs are done, running, partial (stopped, and resumed when the study
is), waiting and failed; where the running ones are; and why runs failed, with their
logs. It needs no TensorFlow. `bin/study retry` gives failed runs new attempts.
"""

from __future__ import annotations

import pathlib
import types
from typing import Any

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli.study import remedies

POSITIONAL = ("study",)
FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "study",
    None,
    "Folder of the study; may be given without --study=.",
    flag_values=FLAGS,
)
flags.DEFINE_bool("json", False, "Print JSON that has all runs.", flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    plan = read_plan(values.study, "status")
    from tf_disentangle.studies import live

    found = live.of_folder(plan, plan.attempts)
    if values.json:
        print(found.as_json())
        return 0
    from rich.console import Console

    Console(highlight=False).print(live.drawn(found))
    for line in remedies(plan, [run for run, _ in found.failures]):
        print(line)
    return 0


def read_plan(study: str | None, command: str) -> LightPlan:
    """Returns the plan of a study's folder.

    Args:
        study: The folder; None if the user gave none.
        command: The command, for the error.

    Raises:
        ArgumentError: If there is no such study.
    """
    example = f"For example: bin/study {command} runs/sweep"
    checks.given(study, "STUDY", example)
    return LightPlan(pathlib.Path(study))


class LightPlan:
    """The runs of a plan without their configurations, whose room takes a second.

    Args:
        folder: The study's folder.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        from tf_disentangle.studies import plan_table

        self.folder = folder
        #: How often a run may fail.
        self.attempts = plan_table.read_about(folder)["attempts"]
        rows = plan_table.read(folder / plan_table.NAME)
        self.runs = [types.SimpleNamespace(**row) for row in rows]
        self._folder_of = plan_table.folder_of

    def folder_of(self, run: Any) -> pathlib.Path:
        """Returns a run's folder."""
        return self._folder_of(self.folder, run)
