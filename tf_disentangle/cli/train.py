"""Trains a model as gin files say, then scores and draws it.

    bin/train --gin_file=gin/chyvae.gin
    bin/train --gin_file=gin/chyvae.gin --gin_param='train.steps=5000' --output=runs/a
    bin/train --gin_file=runs/a/config.gin --output=runs/again

The run folder gets config.gin, run.json, metrics.jsonl, checkpoints, pictures and
TensorBoard's files (tensorboard --logdir=runs). A run that was stopped goes on with
the same command, and to more steps with a larger train.steps.
"""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import startup
from tf_disentangle.datasets import CACHE_HELP

if TYPE_CHECKING:
    from tf_disentangle.training import Result

__doc__ = f"{__doc__}\n{CACHE_HELP}\n"

FLAGS = flags.FlagValues()
flags.DEFINE_multi_string(
    "gin_file",
    [],
    "A gin file: a path, or the name of one of the library's (tf_disentangle list). "
    "May be given several times; later ones win.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "A binding such as 'train.steps=5000', after all files. May be repeated.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "output",
    None,
    "The run folder; by default runs/ and the name of the first gin file, or "
    "runs/NAME-again for NAME/config.gin.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "check", False, "Build and check everything, then stop.", flag_values=FLAGS
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    files = values.gin_file
    checks.require(
        files,
        "--gin_file",
        "be given",
        files,
        "For example: bin/train --gin_file=gin/chyvae.gin",
    )
    output = values.output or _default_output(pathlib.Path(files[0]))
    print(f"Run folder: {output}", file=sys.stderr)

    startup.import_tensorflow()
    from tf_disentangle import configuration
    from tf_disentangle.training import NonFiniteError, RunFolder

    folder = RunFolder(output)
    folder.check()
    configuration.parse(files, values.gin_param)
    experiment = configuration.build("train", output=output)
    with configuration.explained("train"):
        experiment.dry_run()
    if unused := configuration.drop_unused():
        print(f"Not used by this run: {'; '.join(unused)}", file=sys.stderr)
    if values.check:
        experiment.check()
        print("The configuration is complete; nothing was run.")
        return 0
    try:
        result = experiment.run(configuration.with_defaults())
    except NonFiniteError as error:
        print(f"tf_disentangle train: {error}", file=sys.stderr)
        return 3
    _print_summary(result, experiment.steps)
    return 0 if result.signal is None else 128 + result.signal


def _default_output(gin_file: pathlib.Path) -> str:
    """Returns runs/NAME; a run's own config.gin is run again beside the others."""
    name = gin_file.stem
    if gin_file.name == "config.gin":
        name = f"{gin_file.absolute().parent.name}-again"
    return str(pathlib.Path("runs") / name)


def _print_summary(result: Result, steps: int) -> None:
    """Prints what came out, where it is, and how to go on."""
    from tf_disentangle.training.scores import described

    terms, folder = result.terms, result.folder
    again = f"bin/train --gin_file={folder}/config.gin --output={folder}"
    # A run that was stopped at once may have no row yet.
    unit = ", in nats per image" if "elbo" in terms else ""
    print(f"\n{result.step} steps" + (f"{unit}:" if terms else "."))
    for name in result.model.statistics.names if terms else ():
        held_out = terms.get(f"validation/{name}")
        extra = "" if held_out is None else f"   held out {held_out:10.2f}"
        print(f"  {name:16} {terms[name]:10.2f}{extra}")
    for name, score in result.scores.items():
        print(f"  {name} = {score.score:.4f}{described(score)}")
    if result.signal is not None:
        print(f"Stopped at step {result.step} of {steps}. Go on: {again}")
        return
    print(f"Pictures:     {folder.pictures}")
    print(f"TensorBoard:  tensorboard --logdir={folder.tensorboard}")
    more = max(150_000, 2 * result.step)
    print(f"More steps:   {again} --gin_param='train.steps={more}'")
    print(f"Export:       bin/export {folder}")
