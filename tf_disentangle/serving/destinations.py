"""Where an export goes and what it may be, checked before a model is loaded.

DESTINATION/NAME/VERSION/            a SavedModel
DESTINATION/NAME-VARIANT/VERSION/    files for another runtime
"""

from __future__ import annotations

import errno
import os
import pathlib
import re

from tf_disentangle import checks, files
from tf_disentangle.serving.folders import versions

SAVED_MODEL = "savedmodel"
#: The precisions that the weights of each variant can have.
PRECISIONS = {
    SAVED_MODEL: ("float32",),
    "onnx": ("float32", "float16"),
    "openvino": ("float32", "float16"),
    "litert": ("float32", "float16", "int8"),
}


def check(
    destination: str | os.PathLike,
    name: str,
    version: int | None = None,
    *,
    variant: str = SAVED_MODEL,
    precision: str = "float32",
    prefix: str = "",
) -> pathlib.Path:
    """Returns the folder of a model's versions, after checking what is asked for.

    Args:
        destination: Folder of the models.
        name: The model's name, without its variant.
        version: The version, None for the next.
        variant: A key of `PRECISIONS`.
        precision: One of the variant's.
        prefix: What errors put before the names of arguments: "--" for a command's.

    Raises:
        ArgumentError: If no export can be written with these.
    """
    checks.one_of(variant, tuple(PRECISIONS), f"{prefix}variant")
    check_precision(variant, precision, prefix)
    checks.require_type(name, str, f"{prefix}name")
    fits = re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
    rule = "be letters, digits, '_', '-' and '.', as it is a part of a server's address"
    remedy = f"Give another {prefix}name."
    checks.require(fits, f"{prefix}name", rule, name, remedy)
    own_name = name if variant == SAVED_MODEL else f"{name}-{variant}"
    folder = pathlib.Path(destination, own_name)
    with files.explaining(folder, f"{prefix}destination"):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    free_version(folder, version, prefix)
    return folder


def check_precision(variant: str, precision: str, prefix: str = "") -> None:
    """Raises `ArgumentError` unless a variant has a precision; says which one does."""
    choices = PRECISIONS[variant]
    having = [name for name, those in PRECISIONS.items() if precision in those]
    named = " or ".join(repr(choice) for choice in choices)
    rule = f"be {named} for the variant {variant!r}"
    remedy = f"It is there for {' and '.join(having)}." if having else ""
    fits = precision in choices
    checks.require(fits, f"{prefix}precision", rule, precision, remedy)


def free_version(folder: pathlib.Path, version: int | None, prefix: str = "") -> int:
    """Returns the number of a version that is not there yet: the next if it is None."""
    there = versions(folder)
    following = max(there, default=0) + 1
    if version is None:
        return following
    argument = f"{prefix}version"
    checks.integer(version, argument, at_least=1)
    remedy = f"Leave {argument if prefix else 'it'} out to take the next, {following}."
    rule = f"be new in {folder}"
    checks.require(version not in there, argument, rule, version, remedy)
    return version
