"""Builds one run of each kind in a study's plan, but trains none.

    bin/study check runs/sweep

It reports mistakes in gin files and bindings. bin/study makes the same check before it
begins.
"""

from __future__ import annotations

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import startup

POSITIONAL = ("study",)
FLAGS = flags.FlagValues()
flags.DEFINE_string("study", None, "The study's folder.", flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    remedy = "For example: bin/study check runs/sweep"
    checks.given(values.study, "STUDY", remedy)
    from tf_disentangle.studies.plan import Plan

    plan = Plan.read(values.study)
    startup.import_tensorflow()
    from tf_disentangle.studies.checking import build_each

    print(f"{build_each(plan)} kinds of runs can be built.")
    return 0
