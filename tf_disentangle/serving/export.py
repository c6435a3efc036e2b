"""Export of a model as a versioned SavedModel for TensorFlow Serving.

    <base>/<version>/saved_model.pb, variables/, ...

`models.endpoints` says what is served.
"""

from __future__ import annotations

import os
import pathlib

import tensorflow as tf

from tf_disentangle import checks, files
from tf_disentangle.models import LatentModel


def export(
    model: LatentModel, base: str | os.PathLike, version: int | None = None
) -> str:
    """Writes a SavedModel that needs neither this library nor Keras to run.

    It is written under a temporary name and renamed, since a server polls the folder.

    Args:
        model: The model.
        base: Folder that holds the versions.
        version: Positive integer; None is one more than the highest that is there.

    Returns:
        The path of the version's folder.

    Raises:
        ArgumentError: If the version exists or the folder cannot be written.
    """
    base = pathlib.Path(base)
    there = versions(base)
    if version is None:
        version = max(there, default=0) + 1
    checks.integer(version, "version", at_least=1)
    checks.require(
        version not in there,
        "version",
        f"be new in {base}",
        version,
        "Leave it out to take the next.",
    )
    target = base / str(version)
    with files.replacing(target) as temporary:
        try:
            model.export(temporary, verbose=False)
        except tf.errors.OpError as error:
            rule, remedy = "be writable", "Free some space or choose another folder."
            reason = error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]
            received = f"{base}: {reason}"
            raise checks.ArgumentError(
                checks.message("output", rule, received, remedy)
            ) from error
    return str(target)


def versions(base: str | os.PathLike) -> list[int]:
    """Returns the versions below `base`, in increasing order."""
    base = pathlib.Path(base)
    if not base.is_dir():
        return []
    return sorted(int(p.name) for p in base.iterdir() if p.name.isdecimal())
