"""Compares runs on one page: settings, scores, traversals and curves side by side.

    bin/compare runs/beta_vae runs/chyvae
    bin/compare runs/seed_0 runs/seed_1 runs/seed_2 --output=seeds.html

The page is one self-contained file about two to six runs. It shows the settings that
differ, and each score with its floor, ceiling and interval if metrics.jsonl has them
(bin/evaluate --bounds --seeds=3 adds them). Latents that stand for the same factor are
in one row, and each term has a chart with one curve per run. Runs that differ only in
their seed also get mean scores with intervals.
"""

from __future__ import annotations

import sys

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import run_flags, startup
from tf_disentangle.visualization.charts import COLOURS

FLAGS = flags.FlagValues()
flags.DEFINE_list(
    "runs",
    None,
    "The run folders; without --runs= separate them by spaces.",
    flag_values=FLAGS,
)
flags.DEFINE_string("output", "compare.html", "The page to write.", flag_values=FLAGS)
flags.DEFINE_enum(
    "checkpoint",
    "last",
    ["last", "best"],
    "Which weights to load; best has the best validation ELBO.",
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
