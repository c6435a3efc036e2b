"""gin's one door into the library: nothing else in it imports gin.

`register` offers the rooms' tables to gin files by name; `parse` reads files and
bindings (`reading.py`); `build` calls a configured function, `built` what is bound to a
parameter, and both tell what is wrong with its values (`explaining.py`); `drop_unused`
refuses bindings without an effect (`consumption.py`); `require_same_run` refuses to go
on with another run (`comparing.py`). The numerics stay free of gin: they are plain
functions and classes, and a call from Python never sees a binding.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import reading
from tf_disentangle.configuration.comparing import require_same_run
from tf_disentangle.configuration.locations import gin_root
from tf_disentangle.configuration.messages import explained
from tf_disentangle.configuration.unused_bindings import drop_unused, unused_bindings

__all__ = [
    "build",
    "built",
    "drop_unused",
    "explained",
    "gin_root",
    "parse",
    "register",
    "require_same_run",
    "unused_bindings",
    "with_defaults",
]


@functools.cache
def register() -> dict[str, Callable[..., Any]]:
    """Makes everything in the rooms' tables known to gin files. Imports TensorFlow.

    Returns:
        What gin files can name, by name.
    """
    import keras

    from tf_disentangle import (
        datasets,
        distributions,
        latents,
        metrics,
        models,
        networks,
        objectives,
        priors,
        training,
    )

    tables = [
        datasets.DATASETS,
        distributions.LIKELIHOODS,
        latents.LATENTS,
        priors.PRIORS,
        {m.function.__name__: m.on_data for m in metrics.METRICS.values()},
        models.MODELS,
        networks.CRITICS,
        networks.DECODERS,
        networks.ENCODERS,
        objectives.ADVERSARIAL_OBJECTIVES,
        objectives.KL_TERMS,
        objectives.OBJECTIVES,
        objectives.PENALTIES,
        objectives.SCHEDULES,
        {"Intervals": training.Intervals, "Device": training.Device},
        {"CriticTraining": models.CriticTraining},
        {"Objective": objectives.Objective},
    ]
    known = {"train": training.prepare, "principal_shares": datasets.principal_shares}
    for table in tables:
        known.update(table)
    for name, function in known.items():
        gin.external_configurable(function, name)
    for module in (keras.optimizers, keras.optimizers.schedules, keras.callbacks):
        for name, item in sorted(vars(module).items()):
            if isinstance(item, type):
                known[name] = item
                gin.external_configurable(item, name, module=module.__name__)
    return known


def parse(files: Sequence[str], bindings: Sequence[str] = ()) -> None:
    """Replaces gin's state by these files and then these bindings.

    Args:
        files: Paths, or names below `gin_root()` such as "chyvae.gin".
        bindings: Such as "train.steps = 5000"; they win over the files.

    Raises:
        ArgumentError: For a file that is not there, or anything gin does not accept.
    """
    register()
    reading.read(files, bindings)


def build(name: str, **arguments: Any) -> Any:
    """Calls the configured function `name`; `arguments` win over the bindings.

    Raises:
        ArgumentError: If a value that must be configured is not.
    """
    with explained(name):
        return gin.get_configurable(name)(**arguments)


def built(parameter: str) -> Any:
    """Builds what a parameter such as "train.data" is bound to, and nothing else.

    Raises:
        ArgumentError: If nothing is bound to it, or a value is missing or refused.
    """
    try:
        value = gin.query_parameter(parameter)
    except ValueError as error:
        message = f"{parameter} must be bound in a gin file or with --gin_param."
        raise checks.ArgumentError(message) from error
    with explained(parameter.split(".")[0]):
        return copy.deepcopy(value)  # gin calls its references when they are copied.


def configured(name: str) -> Callable[..., Any]:
    """Returns what gin knows as `name`, with its bindings as defaults."""
    return gin.get_configurable(name)


def with_defaults() -> str:
    """Returns the configuration as text that `parse` reads again.

    First what was bound, then, as comments, every value in use with its default.
    """
    operative = gin.operative_config_str().splitlines()
    comments = "\n".join(f"# {line}".rstrip() for line in operative)
    return (
        f"{gin.config_str()}\n"
        "# ------------------------------------------------------------------\n"
        f"# All values in use when the run began, defaults included:\n{comments}\n"
    )
