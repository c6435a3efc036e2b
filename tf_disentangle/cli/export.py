r"""Exports a trained run for servers and other runtimes, with its model card.

    bin/export runs/chyvae
    bin/export runs/chyvae --destination=/models --name=ellipses --version=3
    bin/export runs/chyvae --variant=onnx --precision=float16

DESTINATION/NAME/VERSION/ is a SavedModel for TensorFlow Serving, with the signatures
encode (the default), encode_bytes, decode, reconstruct, edit and sample. The file
model_card.md in it describes them. Other variants go to
DESTINATION/NAME-VARIANT/VERSION/. To serve all models of the folder, run
`bin/serve DESTINATION`, or start TensorFlow Serving with the command that is printed.
docs/serving.md says more.
"""

from __future__ import annotations

import pathlib
import shlex
import sys

from absl import flags

from tf_disentangle.cli import pages, run_flags
from tf_disentangle.serving import destinations

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_string(
    "destination",
    None,
    "Folder of the models; by default RUN/export. Required for a published model.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "name",
    None,
    "The model's name on the server; by default that of the run folder.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "version",
    None,
    "The version's number; by default one more than the highest one there.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "variant",
    "savedmodel",
    list(destinations.PRECISIONS),
    "The runtime: TensorFlow, ONNX Runtime, OpenVINO or LiteRT.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "precision",
    "float32",
    list(dict.fromkeys(p for those in destinations.PRECISIONS.values() for p in those)),
    "Precision of the weights: float32; with onnx and openvino also float16, with "
    "litert also float16 and int8. A smaller one is less exact; the card says by how "
    "much.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    _check(values)
    run = run_flags.load(values)
    print(f"Exporting step {run.step}, {values.variant}", file=sys.stderr)
    path = run.export(
        values.destination,
        name=values.name,
        version=values.version,
        variant=values.variant,
        precision=values.precision,
    )
    print(path)
    if values.variant == "savedmodel":
        from tf_disentangle.serving.config_files import docker_command

        models = path.parent.parent
        serve = pages.as_typed(f"bin/serve {shlex.quote(str(models))}")
        print(f"Serve:  {serve}", file=sys.stderr)
        print(f"or      {docker_command(models)}", file=sys.stderr)
    print(f"Card:   {path / 'model_card.md'}", file=sys.stderr)
    return 0


def _check(values: flags.FlagValues) -> None:
    """Refuses what cannot be written, before the run takes its time to load."""
    run_flags.require_place(values, "destination", "exports")
    if values.run and pathlib.Path(values.run).is_dir():
        folder = pathlib.Path(values.run)
        destinations.check(
            values.destination or folder / "export",
            folder.resolve().name if values.name is None else values.name,
            values.version,
            variant=values.variant,
            precision=values.precision,
            prefix="--",
        )
