"""Draws a trained run: reconstructions, traversals (PNG and GIF), prior samples.

    bin/visualize runs/chyvae
    bin/visualize runs/chyvae --checkpoint=best --output=/tmp/pictures

Rows of the traversals are annotated with the latent's KL and the factor that the
last score in metrics.jsonl assigned to it.
"""

from __future__ import annotations

from absl import flags

from tf_disentangle.cli import run_flags

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_string(
    "output", None, "Folder; by default RUN/pictures.", flag_values=FLAGS
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    run = run_flags.load(values)
    for path in run.experiment.draw(values.output or run.folder.pictures, run.step):
        print(path)
    return 0
