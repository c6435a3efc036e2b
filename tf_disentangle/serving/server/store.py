"""The models that are served: which versions there are, and which are in memory."""

from __future__ import annotations

import gc
import logging
import pathlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from grpc import StatusCode
from tensorflow_serving.apis import get_model_status_pb2 as status_pb2
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from tf_disentangle.serving.folders import version_folders
from tf_disentangle.serving.server.errors import ServingError, from_exception, invalid
from tf_disentangle.serving.server.loaded import LoadedVersion
from tf_disentangle.serving.server.rest import ModelSpec

_STATE = status_pb2.ModelVersionStatus.State
_logger = logging.getLogger(__name__)


@dataclass
class _Version:
    """What is known of one version: its state, and the model while it is loaded."""

    state: int = _STATE.START
    loaded: LoadedVersion | None = None
    error: ServingError | None = None
    failures: int = 0
    next_try: float = 0.0


@dataclass
class _Model:
    config: config_pb2.ModelConfig
    versions: dict[int, _Version] = field(default_factory=dict)
    problem: str = ""  # of its folder, when it was last looked at


class ModelStore:
    """Versions of models, loaded from their folders and replaced as these change.

    A new version is loaded beside the old one and takes over when it is ready; a
    request keeps the version that it began with, which is freed after the last of them.

    Args:
        load: Returns the version of a number from a folder.
        most_retries: How often a version that could not be loaded is tried again.
        retry_seconds: Time from one try to the next.
        labels_in_advance: Whether a label may name a version that is not loaded yet.
    """

    def __init__(
        self,
        load: Callable[[int, pathlib.Path], LoadedVersion],
        *,
        most_retries: int = 5,
        retry_seconds: float = 60.0,
        labels_in_advance: bool = False,
    ) -> None:
        self._load = load
        self._most_retries = most_retries
        self._retry_seconds = retry_seconds
        self._labels_in_advance = labels_in_advance
        self._models: dict[str, _Model] = {}
        self._lock = threading.Lock()  # of the tables, held for moments
        self._changing = threading.Lock()  # one change at a time; loading takes long

    def configure(self, config: config_pb2.ModelServerConfig) -> None:
        """Serves the models of `config` and no others, once each has a version.

        Raises:
            ServingError: If the configuration is wrong or a model has no version that
                can be loaded. What was served before is still served.
        """
        failure = None
        with self._changing:
            try:
                models = self._configured(config)
            except ServingError as error:
                # Its frames would hold what was loaded in vain.
                failure = error.with_traceback(None)
            else:
                with self._lock:
                    self._models = models
        gc.collect()
        if failure is not None:
            raise failure

    def _configured(self, config: config_pb2.ModelServerConfig) -> dict[str, _Model]:
        models = {}
        for name, model_config in _checked(config).items():
            old = self._models.get(name)
            same = old and old.config.base_path == model_config.base_path
            models[name] = _Model(model_config, dict(old.versions) if same else {})
            self._update(models[name])
            self._check_ready(models[name])
        return models

    def _check_ready(self, model: _Model) -> None:
        name, ready = model.config.name, _available(model)
        if not ready:
            errors = [v.error.message for v in model.versions.values() if v.error]
            reason = errors[-1] if errors else f"no version in {model.config.base_path}"
            text = f"Model {name} did not become available: {reason}"
            raise ServingError(StatusCode.FAILED_PRECONDITION, text)
        for label, number in model.config.version_labels.items():
            if number not in ready and not self._labels_in_advance:
                raise ServingError(
                    StatusCode.FAILED_PRECONDITION,
                    f"Request to assign label {label} to version {number} of model "
                    f"{name}, which is not currently available for inference",
                )

    def poll(self) -> None:
        """Looks at the folders once: loads what is new, drops what is gone."""
        with self._changing:
            for model in list(self._models.values()):
                self._update(model)

    def _update(self, model: _Model) -> None:
        """Brings one model in line with its folder and its policy."""
        base = pathlib.Path(model.config.base_path)
        try:
            there = version_folders(base)
        except OSError as error:
            if model.problem != str(error):
                model.problem = str(error)
                _logger.warning("%s: %s", model.config.name, error)
            return
        model.problem = ""
        wanted = _wanted(model.config, list(there))
        for number in wanted:
            with self._lock:
                version = model.versions.setdefault(number, _Version())
            if version.loaded is None and time.monotonic() >= version.next_try:
                self._try(model.config.name, version, number, there[number])
        ready = _available(model)
        dropped = [number for number in ready if number not in wanted]
        # The old version stays until a new one is there to take over.
        if dropped and (not wanted or set(ready) & set(wanted)):
            with self._lock:
                for number in dropped:
                    model.versions[number] = _Version(_STATE.END)
            gc.collect()  # TensorFlow's objects refer to each other in circles
            _logger.info("%s: dropped version %s", model.config.name, dropped)

    def _try(
        self, name: str, version: _Version, number: int, folder: pathlib.Path
    ) -> None:
        version.state, start = _STATE.LOADING, time.monotonic()
        try:
            loaded = self._load(number, folder)
        except Exception as error:
            code = from_exception(error, log=False).code
            version.error = ServingError(code, str(error))
            version.state = _STATE.END
            version.failures += 1
            again = version.failures <= self._most_retries
            wait = self._retry_seconds if again else float("inf")
            version.next_try = time.monotonic() + wait
            _logger.error("%s: version %d cannot be loaded: %s", name, number, error)
            return
        with self._lock:
            version.loaded, version.state = loaded, _STATE.AVAILABLE
            version.error, version.failures = None, 0
        seconds = time.monotonic() - start
        _logger.info("%s: version %d is ready (%.1f s)", name, number, seconds)

    def find(self, spec: ModelSpec) -> LoadedVersion:
        """Returns the version that a request is for.

        Raises:
            ServingError: If there is none.
        """
        with self._lock:
            model = self._models.get(spec.name)
            ready = _available(model) if model else {}
            number = spec.version
            if spec.label is not None:
                labels = model.config.version_labels if model else {}
                if spec.label not in labels:
                    raise invalid(f"Unrecognized servable version label: {spec.label}")
                number = labels[spec.label]
            if number is None and ready:
                number = max(ready)
            if number in ready:
                return ready[number]
        wanted = f"Latest({spec.name})"
        if number is not None:
            wanted = f"Specific({spec.name}, {number})"
        text = f"Servable not found for request: {wanted}"
        raise ServingError(StatusCode.NOT_FOUND, text)

    def status(self, spec: ModelSpec) -> status_pb2.GetModelStatusResponse:
        """Returns the state of one version, or of all that were ever seen.

        Raises:
            ServingError: If there is none.
        """
        with self._lock:
            model = self._models.get(spec.name)
            versions = dict(model.versions) if model else {}
        if spec.version is not None:
            if spec.version not in versions:
                text = f"Could not find version {spec.version} of model {spec.name}"
                raise ServingError(StatusCode.NOT_FOUND, text)
            versions = {spec.version: versions[spec.version]}
        if not versions:
            text = f"Could not find any versions of model {spec.name}"
            raise ServingError(StatusCode.NOT_FOUND, text)
        response = status_pb2.GetModelStatusResponse()
        for number in sorted(versions, reverse=True):
            entry = response.model_version_status.add()
            entry.version, entry.state = number, versions[number].state
            if error := versions[number].error:
                entry.status.error_code = error.code.value[0]
                entry.status.error_message = error.message
            else:
                entry.status.SetInParent()
        return response

    def names(self) -> list[str]:
        """Returns the names of the models."""
        with self._lock:
            return sorted(self._models)


def _available(model: _Model) -> dict[int, LoadedVersion]:
    return {n: v.loaded for n, v in model.versions.items() if v.loaded is not None}


def _checked(config: config_pb2.ModelServerConfig) -> dict[str, config_pb2.ModelConfig]:
    """Returns the models of a configuration by name, refusing what is not served."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("The configuration must have a model_config_list.")
    models = config.model_config_list.config
    for model in models:
        name = model.name
        if not name or not model.base_path:
            raise invalid("Each model of the configuration needs name and base_path.")
        if model.model_platform != "tensorflow":
            raise invalid(
                f'Model {name} must have model_platform: "tensorflow"; it has '
                f"{model.model_platform!r}."
            )
        if sum(other.name == name for other in models) > 1:
            raise invalid(f"Two models of the configuration have the name {name}.")
    return {model.name: model for model in models}


def _wanted(config: config_pb2.ModelConfig, there: list[int]) -> list[int]:
    """Returns the versions to be served: by default the newest one."""
    policy = config.model_version_policy
    chosen = policy.WhichOneof("policy_choice")
    if chosen == "all":
        return there
    if chosen == "specific":
        return [n for n in sorted(policy.specific.versions) if n in there]
    return there[-(policy.latest.num_versions or 1) :]
