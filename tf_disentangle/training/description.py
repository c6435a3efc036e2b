"""What describes a run, written once into run.json.

    model, data     the parts with their settings, as `configs.serialize` gives them
    training        batch size, optimizers, seed, split, intervals, device, metrics ...

It serves three purposes: `load` builds model and data from it, a run that is resumed is
compared with it, and people read it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import pathlib
import shutil
import site
import sys
import sysconfig
import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_disentangle import checks, configs, known_parts
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics import METRICS
from tf_disentangle.metrics.calls import Call, calls_of
from tf_disentangle.metrics.results import display_name
from tf_disentangle.models import LatentModel
from tf_disentangle.training.input_pipeline import Batches, split_indices
from tf_disentangle.training.run_folder import RunFolder

#: The entries of "training" that may change when a run is resumed.
MAY_CHANGE = ("steps", "intervals", "device", "metrics", "callbacks", "warm_start")


def describe(
    model: LatentModel,
    data: Dataset,
    batches: Batches,
    metrics: Sequence[Any],
    **others: Any,
) -> dict[str, Any]:
    """Returns what describes a run, as JSON holds it.

    Args:
        model: The model, compiled but not yet restored from a checkpoint: a schedule or
            a callback changes the optimiser's learning rate.
        data: The data set that it trains on.
        batches: Which images it sees, and when.
        metrics: The metrics that score it.
        **others: Further entries of "training".
    """
    return {
        "model": configs.serialize(model),
        "data": configs.serialize(data),
        "training": {
            "num_images": len(data),
            "image_shape": list(data.image_shape),
            "validation_size": len(batches.held_out),
            "batch_size": batches.batch_size,
            "seed": batches.seed,
            "with_replacement": batches.with_replacement,
            "optimizers": configs.serialize(model.optimizers),
            "jit_compile": bool(model.jit_compile),
            "metrics": [_metric(call) for call in calls_of(list(metrics))],
            **configs.serialize(others),
        },
    }


def _metric(call: Call) -> Any:
    """Returns a metric's record, with its options, also those that gin binds."""
    if call.metric is None:
        return configs.serialize(call.function)
    if not call.options:
        return call.metric.name
    return configs.serialize(functools.partial(call.metric.function, **call.options))


def machine(model: LatentModel) -> dict[str, Any]:
    """Returns what run.json says of the devices."""
    get_threads = tf.config.threading.get_intra_op_parallelism_threads
    return {
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "replicas": model.distribute_strategy.num_replicas_in_sync,
        "threads": get_threads() or os.cpu_count(),
    }


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Returns the differences that make two descriptions those of different runs.

    Args:
        old: The run's description, as its run.json holds it.
        new: The description of the run that is to resume it.
    """
    return configs.differences(_identity(old), _identity(new))


def _identity(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what may not change, without the names that Keras numbers."""
    training = dict(description.get("training", {}))
    for name in MAY_CHANGE:
        training.pop(name, None)
    parts = {name: description.get(name) for name in ("model", "data")}
    return _with_plain_names({**parts, "training": training}, {})


def _with_plain_names(value: Any, names: dict[str, str]) -> Any:
    """Returns `value` with the names of Keras's objects numbered from 0.

    Keras numbers layers per process: the same layer is "conv2d" in one process and
    "conv2d_4" in another.
    """
    if isinstance(value, Mapping):
        if "keras" in value:
            names = {}
            _number_names(value, names)
        return {
            key: _with_plain_names(item, names)
            for key, item in value.items()
            if key != "build_config"  # what follows from the rest
        }
    if isinstance(value, list):
        return [_with_plain_names(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _number_names(value: Any, names: dict[str, str]) -> None:
    """Adds the value of each "name" to `names`, numbered as they come."""
    if isinstance(value, Mapping):
        name = value.get("name")
        if isinstance(name, str):
            names.setdefault(name, f"#{len(names)}")
        for item in value.values():
            _number_names(item, names)
    elif isinstance(value, list):
        for item in value:
            _number_names(item, names)


def rebuild(folder: RunFolder, part: str) -> Any:
    """Returns the "model" or the "data" of a run, rebuilt.

    Raises:
        ArgumentError: If it holds an object that only its user can make.
    """
    record = folder.describe().get(part)
    with importing_copies(folder):
        try:
            return configs.deserialize(record)
        except Exception as error:
            if not folder.trusted:  # Whatever nonsense its author wrote.
                raise _refused(folder, part, error) from error
            # Keras's own errors: a class of the user's that is not registered.
            known = (configs.CannotRebuildError, TypeError, ValueError)
            if not isinstance(error, known):
                raise
            path = record.get("class_name", part) if isinstance(record, dict) else part
            rule = f"be given: the {path} of the run, made as it was for training"
            reason = str(error).strip().splitlines()[0]
            remedy = f"load({str(folder)!r}, {part}={part}). {reason}"
            message = checks.message(part, rule, None, remedy)
            raise checks.ArgumentError(message) from error


def _refused(folder: RunFolder, part: str, error: Exception) -> checks.ArgumentError:
    """Returns the error for a record that names more than `known_parts`."""
    argument = f"the {part} in {folder.description}"
    rule = "be of known parts of this library and of Keras alone"
    remedy = "Do not use it, unless you know its author."
    if folder.describe().get("modules"):
        remedy = (
            "It has code in modules/: read it; load(..., trust=True) runs it, as does "
            "--trust on the command line."
        )
    reason = str(error).strip().splitlines()[0]
    return checks.ArgumentError(checks.message(argument, rule, reason, remedy))


def model_of(
    folder: RunFolder, model: LatentModel | Callable[..., LatentModel] | None
) -> LatentModel:
    """Returns the model of a run: the one that is given, made, or built from run.json.

    Args:
        folder: The run's.
        model: A model, or a function (image_shape, seed) -> model; None builds it.
    """
    built: Any = model
    if model is None:
        built = rebuild(folder, "model")
    elif not isinstance(model, LatentModel):
        training = folder.describe()["training"]
        built = model(tuple(training["image_shape"]), training["seed"])
    checks.require_type(built, LatentModel, "model")
    return built


def batches_of(folder: RunFolder) -> Batches:
    """Returns which images a run was trained on, and which were held out."""
    training = folder.describe()["training"]
    names = ("num_images", "validation_size", "seed")
    split = split_indices(*(training[name] for name in names))
    names = ("batch_size", "seed", "with_replacement")
    return Batches(*split, *(training[name] for name in names))


def options_of(metrics: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the options that are bound to metrics of the library, by their names.

    Of several calls of one metric the first counts.
    """
    ours = [call for call in calls_of(list(metrics)) if call.metric]
    return {c.name: c.options for c in ours if c.name == c.metric.name and c.options}


def librarys_metrics(folder: RunFolder) -> list[Any]:
    """Returns those of a run's metrics that are of this library and can be rebuilt.

    A user's own metric may need a module that is not there, and is not looked at.
    """
    known = [configs.serialize(each.function)["function"] for each in METRICS.values()]
    records = folder.describe().get("training", {}).get("metrics")
    metrics = []
    with importing_copies(folder):  # Of an untrusted record only known parts are made.
        for record in records if isinstance(records, list) else []:
            path = record.get("function") if isinstance(record, Mapping) else None
            if path in known or (isinstance(record, str) and record in METRICS):
                unknown = (configs.CannotRebuildError, TypeError, ValueError)
                with contextlib.suppress(*unknown):
                    metrics.append(configs.deserialize(record))
    return metrics


def with_options(metric: Any, options: Mapping[str, Mapping[str, Any]]) -> Any:
    """Returns a metric that is given by its name with the options of that name.

    Args:
        metric: A metric; only a name is looked up.
        options: As `options_of` returns them.
    """
    if not isinstance(metric, str) or (name := display_name(metric)) not in options:
        return metric
    return functools.partial(METRICS[name].function, **options[name])


def rebuild_metrics(folder: RunFolder) -> list[Any]:
    """Returns the metrics of a run, as its run.json names them.

    Raises:
        CannotRebuildError: If one is a function that only its user can make, or the
            folder is not trusted and it is none of `METRICS`.
    """
    with importing_copies(folder):
        metrics = configs.deserialize(folder.describe()["training"]["metrics"])
    for metric in [] if folder.trusted else metrics:
        function = metric
        while isinstance(function, functools.partial):
            function = function.func
        known = any(function is each.function for each in METRICS.values())
        if not known and not isinstance(metric, str):
            reason = "it is no metric of this library"
            raise configs.CannotRebuildError(repr(metric), reason)
    return metrics


#: Modules that were imported from the copies of a run, by its folder of copies.
_copies: dict[str, dict[str, types.ModuleType]] = {}


@contextlib.contextmanager
def importing_copies(folder: RunFolder) -> Iterator[None]:
    """Makes the run's copies of the user's modules importable, after all others.

    Two runs may hold modules of the same name: those of the other run are set aside,
    and each run's own are imported once. Nothing is imported from a folder that is not
    trusted, and its record may name nothing but `known_parts`.
    """
    if not folder.trusted:
        with known_parts.only(folder.most_weights):
            yield
        return
    path, modules = str(folder.modules.resolve()), sys.modules
    own = _copies.setdefault(path, {})
    for copies in _copies.values():
        for name, module in copies.items():
            if copies is not own and modules.get(name) is module:
                del modules[name]
    for name, module in own.items():
        modules.setdefault(name, module)
    if not folder.modules.is_dir():
        yield
        return
    sys.path.append(path)
    importlib.invalidate_caches()
    try:
        with contextlib.ExitStack() as stack:
            if gin := modules.get("gin"):  # A second module registers equal names.
                stack.enter_context(gin.config.interactive_mode())
            yield
    finally:
        sys.path.remove(path)
        for name, module in list(modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(path + os.sep):
                own[name] = module


def copy_modules(
    folder: RunFolder, description: Any, modules: Collection[str] = ()
) -> None:
    """Copies the user's modules that a description names, and what they import.

    Args:
        folder: The run folder; the copies go to its modules/.
        description: The run's description, as `describe` returned it.
        modules: Further modules to copy.
    """
    names = {*_module_names(description), *(name.split(".")[0] for name in modules)}
    for name in sorted(_user_modules(names)):
        source = pathlib.Path(sys.modules[name].__file__)
        if not source.exists():  # It has been imported, and removed since.
            continue
        if source.name == "__init__.py":
            ignored = shutil.ignore_patterns("__pycache__", ".*", "*.npy", "*.npz")
            target = folder.modules / name
            shutil.copytree(source.parent, target, dirs_exist_ok=True, ignore=ignored)
        else:
            folder.modules.mkdir(exist_ok=True)
            shutil.copy(source, folder.modules / source.name)


def _user_modules(names: Collection[str]) -> set[str]:
    """Returns those top-level modules that were not installed, and what they use."""
    queue = [name for name in names if _is_users(name)]
    modules: set[str] = set()
    while queue:
        name = queue.pop()
        if name in modules:
            continue
        modules.add(name)
        parts = [m for n, m in list(sys.modules.items()) if n.split(".")[0] == name]
        for module in parts:
            queue += {n for n in _names_in(module) if _is_users(n)} - modules
    return modules


def _module_names(value: Any) -> Iterator[str]:
    """Yields the top-level modules of the classes and functions in a description."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("class_name", "function", "module", "registered_name"):
                if isinstance(item, str):
                    yield item.split(".")[0].split(">")[0]
            else:
                yield from _module_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _module_names(item)


def _names_in(module: types.ModuleType) -> set[str]:
    """Returns the top-level modules from which the names in a module come."""
    names = set()
    for value in list(vars(module).values()):
        if isinstance(value, types.ModuleType):
            names.add(value.__name__.split(".")[0])
        elif inspect.isclass(value) or inspect.isfunction(value):
            names.add((value.__module__ or "").split(".")[0])
    return names


def _is_users(name: str) -> bool:
    """Whether a module is the user's own: neither installed nor Python's nor ours."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if name == "__main__" or file is None or name == __name__.split(".")[0]:
        return False
    path = pathlib.Path(file).resolve()
    installed: list[str | os.PathLike] = [
        sysconfig.get_paths()["stdlib"],
        *site.getsitepackages(),
        site.getusersitepackages(),
        pathlib.Path(keras.__file__).parents[1],
    ]
    return not any(path.is_relative_to(pathlib.Path(f).resolve()) for f in installed)
