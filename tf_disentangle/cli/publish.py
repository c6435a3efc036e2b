"""Publishes a trained run as a folder, or one file, which others can check and load.

    bin/publish runs/chyvae --output=models/chyvae --license=apache-2.0
    bin/publish runs/chyvae --output=chyvae.zip --precision=float16 --noexplorer
    bin/explore models/chyvae       # whatever takes a RUN takes a published model
    hf upload USER/chyvae models/chyvae

The folder is laid out as on the Hugging Face Hub and is self-contained: weights
(safetensors), record, codes, ONNX files, a page with the model inside, checksums, and a
model card with the scores. It contains no path, user name or host name of yours.
bin/study publish does the same for the runs of a study. docs/store.md says more.
"""

from __future__ import annotations

import shlex
import sys

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import pages, publish_flags, run_flags
from tf_disentangle.store import places

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
publish_flags.define(FLAGS)
flags.DEFINE_string(
    "output",
    None,
    "The new folder, or NAME.zip; it gives the model its name.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    remedy = "For example: --output=models/chyvae"
    checks.given(values.output, "--output", remedy)
    places.name_of_new(values.output, "--output")  # Before TensorFlow is there.
    publish_flags.check(values)
    run = run_flags.load(values)
    print(f"Publishing step {run.step}", file=sys.stderr)
    path = run.publish(values.output, **publish_flags.options(values))
    print(path)
    typed = shlex.quote(str(path))
    print(f"Look:   {pages.as_typed(f'bin/explore {typed}')}", file=sys.stderr)
    if path.is_dir():
        print(f"Card:   {path / 'README.md'}", file=sys.stderr)
        print(f"Upload: hf upload USER/{path.name} {typed}", file=sys.stderr)
    return 0
