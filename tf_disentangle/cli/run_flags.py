"""What the commands on a trained run share: which run, which checkpoint."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle import checks, store
from tf_disentangle.cli import startup

if TYPE_CHECKING:
    from tf_disentangle import Run


def define(values: flags.FlagValues) -> None:
    """Defines --run (also the one positional argument), --checkpoint and --trust."""
    flags.DEFINE_string(
        "run",
        None,
        "The run folder, or a published model: its folder, .zip or .tar, or "
        "store:NAME; may be given without --run=.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "checkpoint",
        "last",
        ["last", "best"],
        "Which weights to load; best has the best validation ELBO.",
        flag_values=values,
    )
    define_trust(values)


def define_trust(values: flags.FlagValues) -> None:
    """Defines --trust, of every command that loads a model."""
    flags.DEFINE_bool(
        "trust",
        False,
        "Run the Python code that a published model may hold, written by its author.",
        flag_values=values,
    )


def require_place(values: flags.FlagValues, option: str, example: str) -> None:
    """Refuses a published model without a place for what is made from it.

    Args:
        values: The options.
        option: The name of the one that says where to.
        example: What it may be.
    """
    is_missing = store.is_published(values.run or "") and not values[option].value
    rule = "be given for a published model, to which nothing is added"
    remedy = f"For example: --{option}={example}"
    received = values[option].value
    checks.require(not is_missing, f"--{option}", rule, received, remedy)


def load(values: flags.FlagValues) -> Run:
    """Loads the run that the options name, whoever started it."""
    checks.given(values.run, "RUN", "For example: runs/chyvae")
    print(f"Loading {values.run}", file=sys.stderr)
    startup.import_tensorflow()
    import tf_disentangle

    return tf_disentangle.load(values.run, values.checkpoint, trust=values.trust)
