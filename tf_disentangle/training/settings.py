"""The settings of a run as people read and compare them: flat, each with its path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Digits of a float32.
_DIGITS = 6


def flat_settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a run by their path: "model.latents.num_latents" -> 10.

    The value of a part is the name of its class or function. A network is one line of
    its layers, with its name below it.

    Args:
        record: What run.json holds.

    Returns:
        Numbers, texts, truth values, None, or lists of these; a number that is not
        finite is the text "inf" or "nan".
    """
    parts = {name: record[name] for name in ("model", "data", "training")}
    return dict(_flat(parts, ""))


def short_name(value: Any) -> str:
    """Returns the name of the class or function that a record is of."""
    if not isinstance(value, Mapping):
        return str(value)
    path = value.get("class_name", value.get("function", "?"))
    return str(path).rsplit(".", 1)[-1]


def _flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yields (flat name, value) of each setting of a record in `configs`' form."""
    if not isinstance(value, Mapping):
        items = value if isinstance(value, list) else [value]
        if not any(isinstance(item, Mapping) for item in items):
            yield name, _rounded(value)
        else:
            for number, item in enumerate(items):
                yield from _flat(item, f"{name}.{number}")
        return
    is_keras = "keras" in value
    value = value.get("keras", value)
    config = value.get("config", {})
    if isinstance(config, Mapping) and "layers" in config:
        yield name, _network(config)
        # Keras numbers names per process.
        yield f"{name}.name", re.sub(r"_\d+$", "", config["name"])
        return
    inner = value
    for key, rest in (("class_name", "config"), ("function", "kwargs")):
        if key in value:
            yield name, short_name(value)
            inner = value.get(rest, {})
    for key, item in inner.items():
        if is_keras and key == "name":
            continue  # A second optimizer of a process is called "adam_1".
        yield from _flat(item, f"{name}.{key}" if name else key)


def _rounded(value: Any) -> Any:
    """Returns numbers without the digits that a float32 does not have."""
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if not isinstance(value, float):
        return value
    text = f"{value:.{_DIGITS}g}"
    return float(text) if math.isfinite(value) else text


def _network(config: Mapping[str, Any]) -> str:
    """Returns the layers of a Keras network in one line."""
    layers = []
    for layer in config["layers"]:
        own = layer.get("config", {})
        if "layers" in own:
            layers.append(f"({_network(own)})")
            continue
        shown = [str(own[key]) for key in ("filters", "units") if key in own]
        for key in ("kernel_size", "strides", "batch_shape", "target_shape"):
            size = own.get(key)
            if isinstance(size, list) and (key != "strides" or {*size} != {1}):
                text = "x".join(str(side) for side in size if side is not None)
                shown.append(f"stride {text}" if key == "strides" else text)
        if own.get("activation", "linear") != "linear":
            shown.append(short_name(own["activation"]))
        name = layer.get("class_name", "?")
        layers.append(f"{name}({', '.join(shown)})" if shown else name)
    return ", ".join(layers)
