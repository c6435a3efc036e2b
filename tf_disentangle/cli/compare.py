"""Compares runs on one page: settings, scores, traversals and curves side by side.

    bin/compare runs/beta_vae runs/chyvae
    bin/compare runs/seed_0 runs/seed_1 runs/seed_2 --output=seeds.html

The page is one file that needs no other. It shows the settings that differ, each score
with its floor, ceiling and interval as far as metrics.jsonl has them (bin/evaluate
--bounds --seeds=3), latents that stand for one factor in one row, and a chart of each
term with a curve for each run. Runs that differ in their seed alone get mean scores
with intervals. Two runs to six.
"""

from __future__ import annotations

import sys

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import run_flags, startup
from tf_disentangle.visualization.charts import COLOURS

FLAGS = flags.FlagValues()
flags.DEFINE_list(
    "runs", None, "The run folders; may stand alone, with spaces.", flag_values=FLAGS
)
flags.DEFINE_string("output", "compare.html", "The page.", flag_values=FLAGS)
flags.DEFINE_enum(
    "checkpoint",
    "last",
    ["last", "best"],
    "Which weights; best is by validation ELBO.",
    flag_values=FLAGS,
)
run_flags.define_trust(FLAGS)
POSITIONAL = ()


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    folders = values.runs or []
    example = "For example: runs/beta_vae runs/chyvae"
    rule = f"be 2 to {len(COLOURS)} runs"
    checks.require(2 <= len(folders) <= len(COLOURS), "RUNS", rule, folders, example)
    startup.import_tensorflow()
    import tf_disentangle
    from tf_disentangle import pages

    runs = []
    for folder in folders:
        print(f"Loading {folder}", file=sys.stderr)
        runs.append(tf_disentangle.load(folder, values.checkpoint, trust=values.trust))
    print("Writing the page", file=sys.stderr)
    print(pages.write_comparison(runs, values.output))
    return 0
