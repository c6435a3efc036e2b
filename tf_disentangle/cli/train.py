"""Trains the model that gin files describe, then scores and draws it.

    bin/train --gin_file=gin/chyvae.gin
    bin/train --gin_file=gin/chyvae.gin --gin_param='train.steps=5000' --output=runs/a
    bin/train --gin_file=runs/a/config.gin --output=runs/again

The run folder holds config.gin, run.json, metrics.jsonl, checkpoints, pictures and
TensorBoard's files (tensorboard --logdir=runs). To resume a run that was stopped, give
the same command again; with a larger train.steps it trains for more steps.
"""

from __future__ import annotations

import datetime
import pathlib
import shlex
import sys
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle import checks
from tf_disentangle.cli import pages, startup
from tf_disentangle.datasets import CACHE_HELP

if TYPE_CHECKING:
    from tf_disentangle import Run

__doc__ = f"{__doc__}\n{CACHE_HELP}\n"

FLAGS = flags.FlagValues()
flags.DEFINE_multi_string(
    "gin_file",
    [],
    "A gin file: a path, or the name of one of the library's (tf_disentangle list). "
    "May be repeated; later files override earlier ones.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "A binding such as 'train.steps=5000', read after all files. May be repeated.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "output",
    None,
    "The run folder. By default it is runs/NAME, with the name of the first gin file; "
    "for NAME/config.gin it is runs/NAME-again.",
    flag_values=FLAGS,
)
flags.DEFINE_bool(
    "check", False, "Build and check everything, then stop.", flag_values=FLAGS
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    files = values.gin_file
    example = "For example: bin/train --gin_file=gin/chyvae.gin"
    checks.given(files, "--gin_file", example)
    output = values.output or _default_output(pathlib.Path(files[0]))
    print(f"Run folder: {output}", file=sys.stderr)

    startup.import_tensorflow()
    from tf_disentangle import configuration
    from tf_disentangle.training import NonFiniteError, RunFolder

    RunFolder(output).check()
    configuration.parse(files, values.gin_param)
    run = configuration.build("train", output=output, dry_run=True)
    if unused := configuration.drop_unused():
        print(f"Not used by this run: {'; '.join(unused)}", file=sys.stderr)
    if values.check:
        print("The configuration is complete; nothing was run.")
        return 0
    try:
        run.start(configuration.with_defaults(), configuration.modules())
    except NonFiniteError as error:
        print(f"tf_disentangle train: {error}", file=sys.stderr)
        return 3
    _print_summary(run)
    return 0 if run.signal is None else 128 + run.signal


def _default_output(gin_file: pathlib.Path) -> str:
    """Returns runs/NAME; a run's own config.gin is run again beside the others."""
    name = gin_file.stem
    if gin_file.name == "config.gin":
        name = f"{gin_file.absolute().parent.name}-again"
    return str(pathlib.Path("runs") / name)


def _print_summary(run: Run) -> None:
    """Prints what came out, where it is, and how to go on."""
    from tf_disentangle.metrics import Refusal

    terms, folder = run.terms, run.folder
    typed = shlex.quote(str(folder))
    config = shlex.quote(f"{folder}/config.gin")
    again = pages.as_typed(f"bin/train --gin_file={config} --output={typed}")
    # A run that was stopped at once may have no row yet.
    unit = ", in nats per image" if "elbo" in terms else ""
    print(f"\n{run.step} steps" + (f"{unit}:" if terms else "."))
    validated = [row["step"] for row in run.history if "val_loss" in row]
    # A run that was stopped may have trained on since its last validation.
    late = f" at step {validated[-1]}" if validated and validated[-1] < run.step else ""
    names = run.model.row_names if terms else ()
    width = max((len(name) for name in names), default=0)
    for name in names:
        held_out = terms.get(f"val_{name}")
        extra = "" if held_out is None else f"   held out{late} {_number(held_out):>10}"
        print(f"  {name:{width}} {_number(terms[name]):>10}{extra}")
    for name, score in run.scores.items():
        if isinstance(score, Refusal):
            print(f"  {name}: no score. {score.reason}")
            continue
        protocol = getattr(score, "protocol", "")
        note = f"  (protocol {protocol})" if protocol else ""
        print(f"  {name} = {score.score:.4f}{note}")
    seconds = folder.describe()["wall_seconds"]
    print(f"Wall time:    {datetime.timedelta(seconds=round(seconds))}")
    if run.signal is not None:
        print(f"Stopped at step {run.step} of {run.steps}. Resume: {again}")
        return
    if run.scores:
        bounds = pages.as_typed(f"bin/evaluate {typed} --bounds")
        print(f"Bounds:       {bounds}  (floors and ceilings)")
    print(f"Pictures:     {folder.pictures}")
    print(f"TensorBoard:  tensorboard --logdir={shlex.quote(str(folder.path.parent))}")
    print(f"More steps:   {again} --gin_param='train.steps={2 * run.steps}'")
    print(f"Export:       {pages.as_typed(f'bin/export {typed}')}")


def _number(value: float) -> str:
    """Returns a number with two digits, and zero without a sign."""
    text = f"{value:.2f}"
    return text.removeprefix("-") if float(text) == 0 else text
