r"""Writes a trained run as a versioned SavedModel for TensorFlow Serving.

    bin/export runs/chyvae
    bin/export runs/chyvae --output=/models/chyvae --version=3

Endpoints: encode (the default), decode, reconstruct. Serve the folder with
    docker run -p 8501:8501 -v $PWD/runs/chyvae/export:/models/chyvae \
        -e MODEL_NAME=chyvae tensorflow/serving
(not run in this project's tests, which have no Docker).
"""

from __future__ import annotations

from absl import flags

from tf_disentangle.cli import run_flags

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_string(
    "output",
    None,
    "Base folder of the versions; by default RUN/export.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "version",
    None,
    "The version; by default one more than the highest there.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    print(run_flags.load(values).export(values.output, values.version))
    return 0
