"""Writes a page about a study, also while it runs: scores, figures, failures.

    bin/study report runs/sweep
    bin/study report runs/sweep --output=sweep.html --metrics=mig,dci
    bin/study report runs/sweep --formats=pdf,png    (each figure as a file too)

The page is one self-contained file. It shows what the study is and how far it has got;
the mean, interval and best run of each score by method and strength; every figure that
the study's table allows, and why the others cannot be drawn; and what failed, with the
end of its log. The figures are as wide as one column of a paper; --formats writes them
to the folder figures beside the page. The table is brought up to date first.
"""

from __future__ import annotations

import sys

from absl import flags

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "study",
    None,
    "Folder of the study; may be given without --study=.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "output",
    None,
    "The page; by default report.html in the study's folder.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "formats",
    [],
    "Formats in which each figure is also written as a file: svg, pdf, png.",
    flag_values=FLAGS,
)
flags.DEFINE_list(
    "metrics",
    None,
    "Metrics to show first where the page has no room for all.",
    flag_values=FLAGS,
)
POSITIONAL = ("study",)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    from tf_disentangle import checks
    from tf_disentangle.studies import report

    example = "For example: bin/study report runs/sweep"
    checks.given(values.study, "STUDY", example)
    path = report.write_report(
        values.study,
        values.output,
        formats=values.formats,
        metrics=values.metrics,
        progress=_say,
    )
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print(path)
    return 0


def _say(text: str) -> None:
    """Shows on a terminal what is being done, each time on the same line."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text[:78]}", end="", file=sys.stderr, flush=True)
