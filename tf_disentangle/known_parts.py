"""What a record from elsewhere may name: the library's parts and plain Keras layers.

A published model is data of somebody else's. Its record names classes and functions,
and to import whatever it names would be to run whatever it likes:

    with known_parts.only():
        model = configs.deserialize(record)

Nothing else is imported, called or asked for its name then.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: The rooms whose public classes and functions a record may name.
ROOMS = (
    "datasets",
    "distributions",
    "latents",
    "metrics",
    "models",
    "networks",
    "objectives",
    "priors",
)
# Layers that compute from their inputs and weights alone. Others load files, hold code
# (Lambda) or run other frameworks' pickles (TorchModuleWrapper).
_LAYERS = """
    Activation Add AlphaDropout Average AveragePooling1D AveragePooling2D
    BatchNormalization Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose
    Cropping2D Dense DepthwiseConv2D Dot Dropout ELU Embedding Flatten GaussianDropout
    GaussianNoise GlobalAveragePooling2D GlobalMaxPooling2D GroupNormalization Identity
    InputLayer LayerNormalization LeakyReLU MaxPooling1D MaxPooling2D Maximum Minimum
    MultiHeadAttention Multiply Normalization PReLU Permute RMSNormalization ReLU
    RepeatVector Rescaling Reshape SeparableConv2D Softmax SpatialDropout2D
    SpectralNormalization Subtract UnitNormalization UpSampling2D ZeroPadding2D
"""
_KERAS: dict[str, frozenset[str] | None] = {
    "keras.layers": frozenset(_LAYERS.split()),
    "keras": frozenset({"DTypePolicy", "Sequential"}),
    "keras.models": frozenset({"Sequential", "Functional", "Model"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.models.sequential": frozenset({"Sequential"}),
    # Of these modules every class is numbers alone.
    "keras.constraints": None,
    "keras.initializers": None,
    "keras.optimizers": None,
    "keras.optimizers.schedules": None,
    "keras.regularizers": None,
}
_KERAS_OWN = frozenset({"__keras_tensor__", "__tuple__"})
_NAME = re.compile(r"[A-Z]\w*")

_only = contextvars.ContextVar("known_parts_only", default=False)


@contextlib.contextmanager
def only() -> Iterator[None]:
    """Has `configs.deserialize` refuse meanwhile what is not known."""
    token = _only.set(True)
    try:
        yield
    finally:
        _only.reset(token)


def asked_for() -> bool:
    """Whether this is within `only`."""
    return _only.get()


def trouble_with_path(path: str) -> str:
    """Returns why a dotted path may not be imported; "" for a part of the library.

    Args:
        path: Such as "tf_disentangle.latents.GaussianLatents".
    """
    package, room, name, *deeper = [*str(path).split("."), "", "", ""]
    known = package == "tf_disentangle" and room in ROOMS and not any(deeper)
    if known and name and not name.startswith("_"):
        return ""
    return "it is no public part of this library, and is not imported from a record"


def trouble_with_value(path: str, value: Any) -> str:
    """Returns why what was found under a path may not be used; "" if it may."""
    room = ".".join(path.split(".")[:2])
    module = getattr(value, "__module__", None) or ""
    # A room holds the modules and classes that it imports, too.
    if callable(value) and (module == room or module.startswith(f"{room}.")):
        return ""
    return f"it is nothing that {room} defines"


def trouble_with_keras(config: Any) -> str:
    """Returns why Keras may not read a config of its own; "" if it may."""
    if isinstance(config, Mapping):
        if "class_name" in config and (trouble := _trouble_with_class(config)):
            return trouble
        items = list(config.values())
    else:
        items = config if isinstance(config, list) else []
    return next(filter(None, map(trouble_with_keras, items)), "")


def _trouble_with_class(config: Mapping[str, Any]) -> str:
    module, name = config.get("module"), config["class_name"]
    if name in _KERAS_OWN and module is None:
        return ""
    own = config.get("registered_name")
    if isinstance(module, str) and isinstance(name, str) and module in _KERAS:
        names = _KERAS[module]
        known = _NAME.fullmatch(name) if names is None else name in names
        if known and own in (None, name):
            return ""
    return (
        f"{module}.{name} is none of the Keras layers that hold nothing but numbers, "
        "and is not made from a record"
    )
