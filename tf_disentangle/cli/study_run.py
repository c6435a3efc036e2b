"""Does one run of a study: trains it, scores it, and records that it is done.

    bin/study run runs/sweep 3f9a0c1b2d4e
    bin/study run runs/sweep 17

RUN is an id or an index of the plan. A run that is done is left alone; one that was
stopped is resumed. Exit codes: 0 done; 75 another process has this run; 1 a fault, such
as a full disk; 2 a mistake in what was asked; 3 a loss term was not finite; 130 or 143
stopped by a signal. Engines start this command; it does the same by hand.
"""

from __future__ import annotations

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import startup

POSITIONAL = ("study", "run")
FLAGS = flags.FlagValues()
flags.DEFINE_string("study", None, "The study's folder.", flag_values=FLAGS)
flags.DEFINE_string("run", None, "Id or index of the run.", flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    for name in POSITIONAL:
        remedy = "For example: bin/study run runs/sweep 17"
        checks.given(values[name].value, name.upper(), remedy)
    from tf_disentangle.studies import job

    return job.do(values.study, values.run, startup.import_tensorflow)
