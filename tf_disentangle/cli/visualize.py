"""Draws a trained run: reconstructions, traversals (PNG and GIF), prior samples.

    bin/visualize runs/chyvae
    bin/visualize runs/chyvae --checkpoint=best --output=/tmp/pictures
    bin/visualize runs/chyvae --span=3

Rows of the traversals are annotated with the latent's KL and the factor that the
last score in metrics.jsonl assigned to it.
"""

from __future__ import annotations

import numpy as np
from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import run_flags

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_string(
    "output", None, "Folder; by default RUN/pictures.", flag_values=FLAGS
)
flags.DEFINE_float(
    "span", 2.0, "Traversals take nine steps from -SPAN to SPAN.", flag_values=FLAGS
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    run = run_flags.load(values)
    span = checks.real(values.span, "span", above=0.0)
    steps = np.linspace(-span, span, 9)
    folder = values.output or run.folder.pictures
    for path in run.experiment.draw(folder, run.step, steps):
        print(path)
    return 0
