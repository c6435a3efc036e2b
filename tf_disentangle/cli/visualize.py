"""Draws a trained run: reconstructions, traversals (PNG and GIF), prior samples.

Of a model with categorical latents also samples by category.

    bin/visualize runs/chyvae
    bin/visualize runs/chyvae --checkpoint=best --output=/tmp/pictures
    bin/visualize runs/joint_vae --traversal=quantiles
    bin/visualize runs/cfactor_vae --traversal=-3,3

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
flags.DEFINE_string(
    "traversal",
    "-2,2",
    "Steps of the traversals: nine between two limits such as -3,3, or quantiles, nine "
    "of equal probability under N(0, 1), from 0.05 to 0.95.",
    flag_values=FLAGS,
)


def traversal_steps(text: str) -> np.ndarray:
    """Returns the nine steps that --traversal names."""
    from tf_disentangle.visualization import normal_quantiles

    if text == "quantiles":
        return normal_quantiles(9)
    try:
        low, high = (float(limit) for limit in text.split(","))
    except ValueError:
        low = high = 0.0
    rule = "be two numbers such as -3,3, the lower first, or quantiles"
    checks.require(-np.inf < low < high < np.inf, "--traversal", rule, text)
    return np.linspace(low, high, 9)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    steps = traversal_steps(values.traversal)
    run = run_flags.load(values)
    folder = values.output or run.folder.pictures
    for path in run.experiment.draw(folder, run.step, steps):
        print(path)
    return 0
