r"""Writes a trained run for servers and other runtimes, with its model card.

    bin/export runs/chyvae
    bin/export runs/chyvae --destination=/models --name=ellipses --version=3
    bin/export runs/chyvae --variant=onnx --precision=float16

DESTINATION/NAME/VERSION/ is a SavedModel for TensorFlow Serving, with the signatures
encode (the default), encode_bytes, decode, reconstruct, edit and sample; model_card.md
in it describes them. Variants go to DESTINATION/NAME-VARIANT/VERSION/. Serve all models
of the folder with `bin/serve DESTINATION`, or with TensorFlow Serving by the command
that is printed. docs/serving.md says more.
"""

from __future__ import annotations

import sys

from absl import flags

from tf_disentangle.cli import run_flags

FLAGS = flags.FlagValues()
run_flags.define(FLAGS)
flags.DEFINE_string(
    "destination",
    None,
    "Folder of the models; by default RUN/export.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "name",
    None,
    "The model's name at the server; by default that of the run folder.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "version",
    None,
    "The version; by default one more than the highest there.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "variant",
    "savedmodel",
    ["savedmodel", "onnx", "openvino", "litert"],
    "The runtime: TensorFlow, ONNX Runtime, OpenVINO or LiteRT.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "float16", "int8"],
    "Of the weights; smaller ones of a variant are less exact, as its card says.",
    flag_values=FLAGS,
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
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
        print(f"Serve:  bin/serve {models}", file=sys.stderr)
        print(f"or      {docker_command(models)}", file=sys.stderr)
    print(f"Card:   {path / 'model_card.md'}", file=sys.stderr)
    return 0
