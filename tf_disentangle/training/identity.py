"""What makes two runs the same run: the settings of their parts, as JSON holds them.

A run started from Python has no bindings to compare, only its parts. Their settings are
read off: fields of dataclasses, and the public attributes of other objects that are
numbers, names, or parts themselves.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import keras

from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.models.optimizers import settings_of as optimizer_settings

#: What of run.json may not change on the way; gin runs compare all their bindings.
IDENTITY = (
    "seed",
    "batch_size",
    "with_replacement",
    "jit_compile",
    "objective",
    "latents",
    "networks",
    "options",
    "dataset",
    "optimizers",
)

_OF_KERAS = frozenset(vars(keras.layers.Layer())) | {"built"}
_SCALARS = (bool, int, float, str, type(None))


def parts_of(model: LatentModel, dataset: Dataset) -> dict[str, Any]:
    """Returns the settings of a compiled model and its data, by name in run.json."""
    parts = {name: p for name, p in model.parts.items() if name != "latents"}
    options = {k: v for k, v in vars(model).items() if dataclasses.is_dataclass(v)}
    return {
        "objective": settings_of(options.pop("objective")),
        "latents": settings_of(model.latents),
        "networks": {name: part.count_params() for name, part in parts.items()},
        "options": {name: settings_of(value) for name, value in options.items()},
        "dataset": settings_of(dataset) | {"size": len(dataset)},
        "optimizers": {k: optimizer_settings(v) for k, v in model.optimizers.items()},
    }


def settings_of(part: Any) -> Any:
    """Returns the settings of a part: a value, or {"class": ..., name: settings}.

    Args:
        part: An objective, a latent space, a prior, a data set, or what they are given.
    """
    if isinstance(part, _SCALARS):
        return part
    if isinstance(part, list | tuple):
        return [settings_of(item) for item in part]
    if isinstance(part, Mapping):
        return {str(key): settings_of(item) for key, item in part.items()}
    if inspect.isroutine(part) or inspect.isclass(part):
        return part.__qualname__
    if dataclasses.is_dataclass(part):
        names = [field.name for field in dataclasses.fields(part)]
    else:
        found = getattr(part, "__dict__", {})
        names = [n for n in found if not n.startswith("_") and n not in _OF_KERAS]
    values = {name: getattr(part, name) for name in names}
    settings = {n: settings_of(v) for n, v in values.items() if _is_setting(v)}
    return {"class": type(part).__name__, **settings}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Returns what of a run's identity changed, as "old -> new" by name."""
    return {
        name: _change(before.get(name), now[name])
        for name in IDENTITY
        if before.get(name) != now[name]
    }


def _is_setting(value: Any) -> bool:
    """Whether an attribute is a setting: no array, variable or folder."""
    if isinstance(value, list | tuple):
        return all(map(_is_setting, value))
    if isinstance(value, _SCALARS) or dataclasses.is_dataclass(value):
        return True
    of_the_library = type(value).__module__.startswith("tf_disentangle.")
    return of_the_library or isinstance(value, Dataset)


def _change(before: Any, now: Any) -> str:
    """Returns what changed in a setting; of a part, its own settings."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = [k for k in {**before, **now} if before.get(k) != now.get(k)]
        return ", ".join(f"{k}: {_change(before.get(k), now.get(k))}" for k in names)
    return f"{before} -> {now}"
