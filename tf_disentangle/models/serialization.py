"""The parts of a model as JSON, and made again from it.

Networks and optimisers go through Keras's serialisation; latents, objectives and
settings through `configs`. So a model's `get_config` is JSON that serves Keras's `save`
and the record of a run alike.
"""

from __future__ import annotations

import copy
from typing import Any

import keras

from tf_disentangle import configs


def serialize_network(network: keras.Model) -> dict[str, Any]:
    """Returns a network as JSON; one that Keras cannot serialise by its class alone."""
    try:
        return {"keras": keras.saving.serialize_keras_object(network)}
    except NotImplementedError:
        kind = type(network)
        return {"class_name": f"{kind.__module__}.{kind.__qualname__}"}


def require_rebuildable(config: dict[str, Any]) -> None:
    """Raises `CannotRebuildError` if a part of a model's config is a name alone.

    Called when Keras saves a model, so that no file is written that cannot be read.
    """
    for name, part in config.items():
        if isinstance(part, dict) and set(part) == {"class_name"}:
            reason = (
                f"the {name} of this model has no get_config; write one, or save the "
                "weights alone with save_weights"
            )
            raise configs.CannotRebuildError(part["class_name"], reason)


def serialize(part: Any) -> Any:
    """Returns a part that is no network as JSON."""
    return configs.serialize(part)


def deserialize(value: Any) -> Any:
    """Returns what a value of a config stands for.

    Networks are found by Keras, which knows `custom_objects` and registered classes.
    """
    value = copy.deepcopy(value)  # Keras empties what it reads.
    if isinstance(value, dict) and set(value) == {"keras"}:
        return keras.saving.deserialize_keras_object(value["keras"])
    return configs.deserialize(value)
