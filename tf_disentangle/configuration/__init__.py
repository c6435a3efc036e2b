"""gin's one door into the library: nothing else in it imports gin.

`register` offers the rooms' tables to gin files by name; `parse` reads files and
bindings (`reading.py`); `build` calls a configured function and tells what is wrong
with its values (`explaining.py`); `drop_unused` refuses bindings without an effect
(`consumption.py`). The numerics stay free of gin: they are plain functions and
classes, and a call from Python never sees a binding.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import gin

from tf_disentangle import checks
from tf_disentangle.configuration import reading
from tf_disentangle.configuration.consumption import drop_unused, unused_bindings
from tf_disentangle.configuration.explaining import explained
from tf_disentangle.configuration.origins import gin_root

__all__ = [
    "build",
    "drop_unused",
    "explained",
    "gin_root",
    "parse",
    "register",
    "require_same_run",
    "unused_bindings",
    "with_defaults",
]

# Names whose change leaves a run the same run; jit changes the random draws.
_MAY_CHANGE = ("train.steps", "Cadence.", "Device.strategy", "Device.steps_per")


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
        training,
    )

    tables = [
        datasets.DATASETS,
        distributions.LIKELIHOODS,
        latents.LATENTS,
        latents.PRIORS,
        metrics.METRICS,
        models.MODELS,
        networks.DECODERS,
        networks.ENCODERS,
        objectives.KL_COSTS,
        objectives.OBJECTIVES,
        objectives.PENALTIES,
        objectives.SCHEDULES,
        {"Cadence": training.Cadence, "Device": training.Device},
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


def require_same_run(config: str | os.PathLike) -> None:
    """Checks that the present configuration goes on with the run of `config`.

    Steps, cadences and devices may change on the way; anything else would make the
    run another one under the same name.

    Args:
        config: Path of the run's config.gin; nothing is checked if it is not there.

    Raises:
        ArgumentError: If other values differ, naming them.
    """
    path = pathlib.Path(config)
    if not path.exists():
        return
    before, now = _bound(path.read_text(encoding="utf-8")), _bound(gin.config_str())
    changed = [
        f"{name}: {before.get(name, 'not set')} -> {now.get(name, 'not set')}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name) and not name.startswith(_MAY_CHANGE)
    ]
    if changed:
        lines = "".join(f"\n  {change}" for change in changed)
        raise checks.ArgumentError(
            f"configuration must be that of the run in {path.parent}; received:{lines}"
            "\n  Choose another --output for another run."
        )


def _bound(text: str) -> dict[str, str]:
    """Returns the bindings of a file that `with_defaults` or gin wrote, by name."""
    # A long value goes on in indented lines.
    lines = re.sub(r"\\?\n +", " ", text).splitlines()
    pairs = (line.split("=", 1) for line in lines if re.match(r"[\w./]+ *=", line))
    return {name.strip(): " ".join(value.split()) for name, value in pairs}
