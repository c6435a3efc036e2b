"""The files that tell TF Serving about models, batching and monitoring.

They lie beside the models, and use the paths of a container in which that folder is
mounted as /models. They are text protos; only TF Serving has the descriptions of the
last two.
"""

from __future__ import annotations

import logging
import os
import pathlib
import re
import shlex

from tf_disentangle import files
from tf_disentangle.serving import folders

_MODELS = """\
# Which models to serve: the newest version of each. For two versions at once:
#   model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
#   version_labels {{ key: "stable" value: 1 }}
# Labels at the start need --allow_version_labels_for_unavailable_models.
model_config_list {{
{configs}}}
"""
_MODEL = """\
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
"""
_BATCHING = """\
# Takes effect with --enable_batching --batching_parameters_file=/models/batching.config
# Meant for GPUs: on CPUs these small models became slower. Requests are merged and fail
# together, so leave it off for encode_bytes, where one bad file fails its neighbours.
max_batch_size { value: 64 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 8
allowed_batch_sizes: 64
"""
_MONITORING = """\
# Takes effect with --monitoring_config_file=/models/monitoring.config
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

# The names in a models.config of our own.
_NAME = re.compile(r'^    name: "(.*)"$', re.MULTILINE)
# The last bracket, after which only comments come.
_END = re.compile(r"\}(?:\s|#.*$)*\Z", re.MULTILINE)
_logger = logging.getLogger(__name__)


def write(destination: str | os.PathLike, name: str) -> None:
    """Writes what is missing of the three files, and adds a model to the first.

    A models.config that nobody has edited names the models that are there. To one that
    somebody has edited, the model is added and everything else is kept, unless the name
    of the model already occurs in it, even in a comment.

    Args:
        destination: The folder of the models.
        name: The model that was added.
    """
    destination = pathlib.Path(destination)
    with files.locked(destination / ".lock", "destination", notice=""):
        _write(destination, name)


def _write(destination: pathlib.Path, name: str) -> None:
    for file, text in (("batching", _BATCHING), ("monitoring", _MONITORING)):
        path = destination / f"{file}.config"
        if not path.exists():
            files.write_text(path, text)
    path = destination / "models.config"
    there = path.read_text(encoding="utf-8") if path.exists() else models_config([])
    if there == models_config(_NAME.findall(there)):
        files.write_text(path, models_config(served(destination)))
    elif not re.search(rf"[\"'/]{re.escape(name)}/?[\"']", there):
        end = _END.search(there)
        if end and "model_config_list" in there:
            at = end.start()
            text = there[:at] + _MODEL.format(name=name) + there[at:]
            files.write_text(path, text)
        else:
            text = "%s has no model_config_list at its end: add the model %s to it."
            _logger.warning(text, path, name)


def models_config(names: list[str]) -> str:
    """Returns the text of models.config for these models."""
    return _MODELS.format(configs="".join(_MODEL.format(name=n) for n in names))


def served(destination: str | os.PathLike) -> list[str]:
    """Returns the names of the models below a folder that have a SavedModel."""
    return [path.name for path in folders.models_below(destination)]


def docker_command(destination: str | os.PathLike) -> str:
    """Returns the command that serves all models of a folder with TF Serving."""
    mount = shlex.quote(f"{os.path.abspath(destination)}:/models")
    return (
        f"docker run -p 8500:8500 -p 8501:8501 -v {mount} tensorflow/serving \\\n"
        "    --model_config_file=/models/models.config \\\n"
        "    --monitoring_config_file=/models/monitoring.config"
    )
