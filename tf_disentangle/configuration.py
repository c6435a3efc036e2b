"""gin's one door into the library: nothing else in it imports gin.

`register` offers the rooms' tables to gin files by name; `parse` reads files and
bindings; `build` calls a configured function. The numerics stay free of gin: they
are plain functions and classes, and a call from Python never sees a binding.
"""

from __future__ import annotations

import functools
import importlib.util  # gin's package look-up needs it imported
import inspect
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import gin

from tf_disentangle import checks

# Names whose change leaves a run the same run; jit changes the random draws.
_MAY_CHANGE = ("train.steps", "Cadence.", "Device.strategy", "Device.steps_per")

_PACKAGE = pathlib.Path(importlib.util.find_spec("tf_disentangle").origin).parent


def gin_root() -> pathlib.Path:
    """Returns the folder of the library's gin files, in a wheel or a checkout."""
    installed = _PACKAGE / "gin_files"
    return installed if installed.is_dir() else _PACKAGE.parent / "gin"


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
    paths = [_resolved(file) for file in files]
    gin.clear_config()
    # Where includes are looked for. The root first: there "datasets/x.gin" means the
    # library's file, whatever lies beside the user's. gin has no public way to say so.
    folders = [gin_root(), *(path.parent for path in paths), pathlib.Path.cwd()]
    gin.config._LOCATION_PREFIXES[:] = dict.fromkeys(map(str, folders))
    try:
        gin.parse_config_files_and_bindings(list(map(str, paths)), list(bindings))
    except Exception as error:
        # gin adds the whole configuration to some messages.
        text = str(error).split(" in config string:")[0]
        raise checks.ArgumentError(f"{text}{_suggestion(text)}") from error


def _resolved(file: str) -> pathlib.Path:
    """Returns the absolute path of a user's file, or else of one of the library's."""
    for path in (pathlib.Path(file), gin_root() / file):
        if path.is_file():
            return path.absolute()
    raise checks.ArgumentError(
        checks.message(
            "gin_file",
            f"be a file, or a name in {gin_root()}",
            file,
            checks.nearest(file, [p.name for p in gin_root().glob("*.gin")]),
        )
    )


def build(name: str, **arguments: Any) -> Any:
    """Calls the configured function `name`; `arguments` win over the bindings.

    Raises:
        ArgumentError: If a value that must be configured is not.
    """
    try:
        return gin.get_configurable(name)(**arguments)
    except checks.ArgumentError:
        raise
    except ValueError as error:
        # While parts are built, it is Keras that refuses a configured value.
        raise checks.ArgumentError(str(error)) from error
    except TypeError as error:
        missing = re.search(r"missing \d+ required .*?argument.*?: (.*)", str(error))
        if missing is None or isinstance(error, checks.ArgumentTypeError):
            raise
        # gin says which function it was calling, the innermost first.
        inner = re.search(r"In call to configurable '([^']+)'", str(error))
        name = inner[1] if inner else name
        raise checks.ArgumentError(
            f"{name} needs a value for {missing[1].splitlines()[0]}. Bind it in a gin "
            f"file or with --gin_param='{name}.NAME = VALUE'."
        ) from error


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
    checks.require(
        not changed,
        "configuration",
        f"be that of the run in {path.parent}",
        changed,
        "Choose another --output for another run.",
    )


def _bound(text: str) -> dict[str, str]:
    """Returns the bindings of a file that `with_defaults` or gin wrote, by name."""
    # A long value goes on in indented lines.
    lines = re.sub(r"\\?\n +", " ", text).splitlines()
    pairs = (line.split("=", 1) for line in lines if re.match(r"[\w./]+ *=", line))
    return {name.strip(): " ".join(value.split()) for name, value in pairs}


def _suggestion(message: str) -> str:
    """Returns the nearest known names for a name that gin did not know."""
    function = re.search(
        r"No configurable matching (?:reference )?'@?([^'()]+)", message
    )
    if function:
        name = function[1].rsplit(".", 1)[-1]
        return f"\n  {checks.nearest(name, register())}"
    parameter = re.search(
        r"'([^']+)' doesn't have a parameter named '([^']+)'", message
    )
    owner = register().get(parameter[1].rsplit(".", 1)[-1]) if parameter else None
    if owner is None:
        return ""
    return f"\n  {checks.nearest(parameter[2], inspect.signature(owner).parameters)}"
