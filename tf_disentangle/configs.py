"""Records what an object was made of as JSON, and makes the object again from it.

    serialize(GaussianLatents(10))
        -> {"class_name": "tf_disentangle.latents.GaussianLatents",
            "config": {"num_latents": 10, "covariance": "diagonal", "prior": ...}}
    deserialize(of_that) -> an equal object

This one form is a run's record for people, its identity when it is resumed, and the
form from which `load` and Keras's `save` rebuild it. It covers every dataclass and
every object with Keras's `get_config` (and `from_config`, unless its constructor takes
what `get_config` returns). Keras's own objects go through Keras's serialisation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import os
import sys
import types
import zlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from tf_disentangle import checks, known_parts

# Arrays of more numbers are recorded by their checksum, and cannot be rebuilt.
_MOST_NUMBERS = 4096
# Arguments that say where files are; a fingerprint says what they hold.
LOCATIONS = ("path", "factors", "source", "data_dir", "background")
_FILES = (*LOCATIONS, "cache", "cache_dir")


class CannotRebuildError(checks.ArgumentError):
    """An object was recorded that only its user can make again.

    Attributes:
        what: The object's name.
    """

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} cannot be rebuilt from its record: {reason}.")
        self.what = what


class Configured:
    """A base whose `get_config` returns the arguments of the constructor."""

    _config: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Remembers the arguments, with defaults for those that were left out."""
        instance = super().__new__(cls)
        instance._config = {}
        if cls.__init__ is object.__init__:
            return instance
        try:
            bound = inspect.signature(cls.__init__).bind(instance, *args, **kwargs)
        except TypeError:
            return instance  # `__init__` says what is wrong; a copy needs nothing.
        bound.apply_defaults()
        instance._config = dict(list(bound.arguments.items())[1:])
        for name, parameter in bound.signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                instance._config |= instance._config.pop(name)
        return instance

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments by name."""
        return dict(self._config)

    def __repr__(self) -> str:
        """Shows the arguments that are not the defaults."""
        parameters = inspect.signature(type(self).__init__).parameters
        arguments = [
            f"{name}={_shown(value)}"
            for name, value in self._config.items()
            if name not in parameters or not _equal(value, parameters[name].default)
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"


def serialize(value: Any) -> Any:
    """Returns `value` as JSON can hold it.

    Args:
        value: A number, text, None, array, list or mapping of such; a function; or an
            object that has `get_config`, is a dataclass, or is Keras's own.

    Returns:
        JSON. What cannot be rebuilt is recorded too: a large array by its checksum, an
        object without `get_config` by its class.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [serialize(item) for item in items]
    if isinstance(value, Mapping):
        return {str(name): serialize(item) for name, item in value.items()}
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        return _serialize_array(value)
    if isinstance(value, functools.partial):
        return {
            **serialize(value.func),
            "args": serialize(value.args),
            "kwargs": serialize(value.keywords),
        }
    if inspect.isroutine(value) or isinstance(value, type):
        return _serialize_function(value)
    return _serialize_object(value)


def deserialize(config: Any) -> Any:
    """Returns the object that `serialize` was given, made again.

    Raises:
        CannotRebuildError: If it holds an object that only its user can make.
    """
    if isinstance(config, list):
        return [deserialize(item) for item in config]
    if not isinstance(config, Mapping):
        return config
    if "array" in config and "dtype" in config:
        dtype = np.dtype(config["dtype"])
        if dtype.kind not in "biuf":
            raise CannotRebuildError(f"an array of {dtype}", "it holds no numbers")
        return np.asarray(config["array"], dtype)
    if "checksum" in config and "dtype" in config:
        what = f"an array of shape {tuple(config['shape'])}"
        raise CannotRebuildError(what, "only its checksum was kept")
    if "keras" in config:
        return _deserialize_keras(config["keras"])
    if "function" in config:
        return _deserialize_function(config)
    if "class_name" in config and set(config) <= {"class_name", "config"}:
        return _deserialize_object(config)
    return {name: deserialize(item) for name, item in config.items()}


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Returns what differs between two serialised objects, a line for each value.

    If two data sets of a user's files have equal fingerprints, the files may lie in
    different places.

    Args:
        old: The one object, called "was".
        new: The other object, called "is".
        prefix: The path of names that leads to them.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        lines, names = [], {*old, *new}
        if old.get("fingerprint") and old["fingerprint"] == new.get("fingerprint"):
            names -= {*LOCATIONS}
        for name in sorted(names, key=str):
            path = prefix if name == "config" else f"{prefix}.{name}".lstrip(".")
            lines += differences(old.get(name), new.get(name), path)
        return lines
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [
            line for i, (a, b) in pairs for line in differences(a, b, f"{prefix}[{i}]")
        ]
    both_nan = old != old and new != new
    return [] if old == new or both_nan else [f"{prefix}: was {old!r}, is {new!r}"]


def _serialize_array(value: Any) -> dict[str, Any]:
    array = np.asarray(value)
    if array.size <= _MOST_NUMBERS and array.dtype.kind in "biuf":
        return {"array": array.tolist(), "dtype": array.dtype.name}
    is_plain = array.dtype.kind in "biufUS"
    data = array.tobytes() if is_plain else repr(array).encode()
    return {
        "checksum": f"{zlib.crc32(data):08x}",
        "shape": list(array.shape),
        "dtype": array.dtype.name,
    }


def _serialize_function(value: Any) -> dict[str, Any]:
    """Returns a path; also a method's object, or the code of a nameless function."""
    record: dict[str, Any] = {"function": _path(value)}
    if inspect.ismethod(value) and not isinstance(value.__self__, type):
        record["self"] = serialize(value.__self__)
    elif inspect.isfunction(value) and "<" in record["function"]:
        # Two lambdas of one module have one path.
        record["code"] = f"{zlib.crc32(_code(value.__code__).encode()):08x}"
        inner = [value.__defaults__, value.__kwdefaults__]
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # It is empty as yet.
                inner.append(cell.cell_contents)
        # A function may hold itself.
        inner = [_path(i) if inspect.isfunction(i) else serialize(i) for i in inner]
        record["holds"] = inner
    return record


def _code(code: types.CodeType) -> str:
    """Returns what a function does, as text, equal in all processes of one Python."""
    constants = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constants.append(_code(constant))
        elif isinstance(constant, frozenset):
            constants.append(repr(sorted(map(repr, constant))))
        else:
            constants.append(repr(constant))
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, constants))


def _serialize_object(value: Any) -> dict[str, Any]:
    # A user's layer, such as a prior, is found by its module: it needs no registration.
    is_of_keras = type(value).__module__.partition(".")[0] == "keras"
    if is_of_keras and _is_keras(value):
        import keras

        return {"keras": keras.saving.serialize_keras_object(value)}
    path = _path(type(value))
    if hasattr(value, "get_config"):
        try:
            return {"class_name": path, "config": serialize(value.get_config())}
        except NotImplementedError:  # a layer of Keras whose arguments are not known
            return {"class_name": path}
    if dataclasses.is_dataclass(value):
        fields = [f.name for f in dataclasses.fields(value) if f.init]
        config = {name: serialize(getattr(value, name)) for name in fields}
        return {"class_name": path, "config": config}
    return {"class_name": path}


def _deserialize_object(config: Mapping[str, Any]) -> Any:
    path = config["class_name"]
    if "config" not in config:
        raise CannotRebuildError(path, "it has no get_config")
    cls, arguments = _find(path), config["config"]
    if known_parts.asked_for():
        if not isinstance(arguments, Mapping):
            raise CannotRebuildError(path, "its config is no object")
        _refuse_files(path, arguments)
        if why := known_parts.trouble_with_arguments(arguments):
            raise CannotRebuildError(path, why)
    if hasattr(cls, "from_config"):
        return cls.from_config(arguments)
    # A file that was tampered with shall not call whatever can be imported.
    if not (hasattr(cls, "get_config") or dataclasses.is_dataclass(cls)):
        raise CannotRebuildError(path, "it has no get_config")
    return cls(**{name: deserialize(item) for name, item in arguments.items()})


def _deserialize_function(config: Mapping[str, Any]) -> Any:
    if "self" in config:
        name = config["function"].rpartition(".")[2]
        if known_parts.asked_for():
            raise CannotRebuildError(name, "it is a method, not a part of this library")
        function = getattr(deserialize(config["self"]), name)
    else:
        function = _find(config["function"])
    if "kwargs" not in config:
        return function
    args, kwargs = deserialize(config["args"]), deserialize(config["kwargs"])
    if known_parts.asked_for():
        # By their names; a metric takes options beside those of its signature.
        names = inspect.signature(function).parameters
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        _refuse_files(config["function"], arguments)
    return functools.partial(function, *args, **kwargs)


def _refuse_files(path: str, arguments: Mapping[str, Any]) -> None:
    """Refuses what a record from elsewhere would have opened or written.

    Raises:
        CannotRebuildError: If an argument of the class or function names a file.
    """
    for name in _FILES:
        if isinstance(arguments.get(name), str):
            reason = f"its {name} is a file or folder of its author's"
            raise CannotRebuildError(path, reason)


def _deserialize_keras(config: Mapping[str, Any]) -> Any:
    import keras

    name = config.get("class_name", "a Keras object")
    if known_parts.asked_for() and (why := known_parts.trouble_with_keras(config)):
        raise CannotRebuildError(str(name), why)
    try:
        if known_parts.asked_for() and (why := known_parts.trouble_with_size(config)):
            raise CannotRebuildError(str(name), why)
        return keras.saving.deserialize_keras_object(config)
    except CannotRebuildError:
        raise
    except (
        TypeError,
        ValueError,
        ImportError,
        AttributeError,
        LookupError,
        RuntimeError,
    ) as error:
        reason = "register it with keras.saving.register_keras_serializable"
        raise CannotRebuildError(str(name), reason) from error


def _is_keras(value: Any) -> bool:
    """Whether Keras serialises it, found without importing Keras (it takes seconds)."""
    keras = sys.modules.get("keras")
    if keras is None:
        return False
    kinds = (
        keras.layers.Layer,
        keras.optimizers.Optimizer,
        keras.optimizers.schedules.LearningRateSchedule,
        keras.initializers.Initializer,
    )
    return isinstance(value, kinds)


def _path(named: Any) -> str:
    """Returns the dotted path of a class or function, as short as users import it."""
    named = inspect.unwrap(named) if inspect.isfunction(named) else named
    module = getattr(named, "__module__", None) or "builtins"
    name = getattr(named, "__qualname__", repr(named))
    package = ".".join(module.split(".")[:2])
    if module.startswith("tf_disentangle.") and _exports(package, name, named):
        return f"{package}.{name}"
    return f"{module}.{name}"


def _exports(module: str, name: str, value: Any) -> bool:
    return getattr(sys.modules.get(module), name, None) is value


def _find(path: str) -> Any:
    """Returns the class or function of a dotted path."""
    if known_parts.asked_for():
        return _find_known(path)
    parts = path.split(".")
    if "<locals>" in parts or "<lambda>" in parts:
        raise CannotRebuildError(path, "it was made inside a function")
    if parts[0] == "__main__":
        reason = "it was defined in a script or notebook; put it into a module"
        raise CannotRebuildError(path, reason)
    for split in range(len(parts) - 1, 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:split]))
        except ImportError as error:
            if split == 1:
                reason = f"the module {parts[0]} cannot be imported"
                raise CannotRebuildError(path, reason) from error
            continue
        for name in parts[split:]:
            value = getattr(value, name, None)
        if value is not None:
            return value
    raise CannotRebuildError(path, "it no longer exists")


def _find_known(path: str) -> Any:
    """Returns the part of the library that a record from elsewhere names."""
    if why := known_parts.trouble_with_path(path):
        raise CannotRebuildError(str(path), why)
    package, _, name = path.rpartition(".")
    value = getattr(importlib.import_module(package), name, None)
    if why := known_parts.trouble_with_value(path, value):
        raise CannotRebuildError(path, why)
    return value


def _equal(value: Any, default: Any) -> bool:
    if value is default:
        return True
    return type(value) is type(default) and repr(value) == repr(default)


def _shown(value: Any) -> str:
    """Returns a value as a reader wants it: arrays by their shape, nothing long."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"<{value.dtype} {tuple(value.shape)}>"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
