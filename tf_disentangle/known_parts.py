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
import copy
import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

#: The packages whose public classes and functions a record may name.
PACKAGES = (
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

# Of one layer for one image; 64 MB.
_MOST_OUTPUTS = 2**24
_MOST_LATENTS = 2**12


@dataclasses.dataclass
class _Restriction:
    """What is asked for: how many weights may be made yet."""

    left: float


_only = contextvars.ContextVar[_Restriction | None]("known_parts_only", default=None)


@contextlib.contextmanager
def only(most_weights: float = math.inf) -> Iterator[None]:
    """Has `configs.deserialize` refuse meanwhile what is not known, or too large.

    Args:
        most_weights: How many weights the networks may have in all.
    """
    token = _only.set(_Restriction(most_weights))
    try:
        yield
    finally:
        _only.reset(token)


def asked_for() -> bool:
    """Whether this is within `only`."""
    return _only.get() is not None


def trouble_with_path(path: str) -> str:
    """Returns why a dotted path may not be imported; "" for a part of the library.

    Args:
        path: Such as "tf_disentangle.latents.GaussianLatents".
    """
    library, package, name, *deeper = [*str(path).split("."), "", "", ""]
    known = library == "tf_disentangle" and package in PACKAGES and not any(deeper)
    if known and name and not name.startswith("_"):
        return ""
    return "it is no public part of this library, and is not imported from a record"


def trouble_with_value(path: str, value: Any) -> str:
    """Returns why what was found under a path may not be used; "" if it may."""
    package = ".".join(path.split(".")[:2])
    module = getattr(value, "__module__", None) or ""
    # A package holds the modules and classes that it imports, too.
    if callable(value) and (module == package or module.startswith(f"{package}.")):
        return ""
    return f"it is nothing that {package} defines"


def trouble_with_keras(config: Any) -> str:
    """Returns why Keras may not read a config of its own; "" if it may."""
    if isinstance(config, Mapping):
        if "class_name" in config and (trouble := _trouble_with_class(config)):
            return trouble
        items = list(config.values())
    else:
        items = config if isinstance(config, list) else []
    return next(filter(None, map(trouble_with_keras, items)), "")


def trouble_with_size(config: Mapping[str, Any]) -> str:
    """Returns why Keras may not make an object of its own; "" if it may.

    It is made in a graph first, in which weights and what layers return have shapes,
    and take no memory. A layer that is not built then would make its weights later, of
    any number.
    """
    import keras
    import tensorflow as tf

    restriction = _only.get()
    with tf.Graph().as_default():
        made = keras.saving.deserialize_keras_object(copy.deepcopy(config))
    layers = [*made._flatten_layers()] if isinstance(made, keras.Layer) else []
    if unbuilt := next((layer for layer in layers if not layer.built), None):
        return f"the input of {unbuilt.name} is not known, nor are its weights"
    shapes = [variable.shape for variable in getattr(made, "variables", ())]
    number = sum(math.prod(shape) for shape in shapes)
    if number > restriction.left:
        return f"it has {number:,} weights, more than the file of the weights holds"
    restriction.left -= number
    for layer in layers:
        for node in layer._inbound_nodes:
            for output in node.output_tensors:
                number = math.prod(side or 1 for side in output.shape)
                if number > _MOST_OUTPUTS:
                    return f"{layer.name} returns {number:,} numbers for an image"
    return ""


def trouble_with_arguments(arguments: Mapping[str, Any]) -> str:
    """Returns why a part of the library may not be made of these; "" if it may."""
    sizes = arguments.get("sizes")  # The numbers of values of categorical latents.
    sizes = sizes if isinstance(sizes, list) else []
    total = sum(abs(size) for size in sizes if isinstance(size, int | float))
    for number in (arguments.get("num_latents"), total):
        if isinstance(number, int | float) and not number <= _MOST_LATENTS:
            return f"{number:,} latents are more than {_MOST_LATENTS:,}"
    return ""


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
