"""Nothing of the author's machine in what is given away."""

from __future__ import annotations

import os
import pathlib
import re
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from tf_disentangle import checks

# A quoted absolute path, of this system or of Windows.
_QUOTED = re.compile(r"""(['"])((?:/|[A-Za-z]:[\\/])[^'"\n]*)\1""")
_SHORTEST = 5


def without_paths(value: Any) -> Any:
    """Returns JSON in which each absolute path is its last part."""
    if isinstance(value, Mapping):
        return {key: without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    return _last(value) if isinstance(value, str) else value


def text_without_paths(text: str) -> str:
    """Returns the text of a gin file in which each quoted path is its last part."""
    return _QUOTED.sub(lambda m: f"{m[1]}{_last(m[2])}{m[1]}", text)


def require_none(folder: pathlib.Path, others: Iterable[str | os.PathLike]) -> None:
    """Refuses a folder in a file of which a path of this machine stands.

    Args:
        folder: What is to be given away.
        others: Paths to look for beside the home, the working and temporary folder.

    Raises:
        ArgumentError: If there is one.
    """
    homes = [pathlib.Path.home(), pathlib.Path.cwd(), tempfile.gettempdir(), *others]
    paths = {str(pathlib.Path(path).absolute()) for path in homes}
    paths = {path.rstrip("/\\") + os.sep for path in paths if len(path) >= _SHORTEST}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        for path in paths:
            for encoded in (path.encode(), path.encode("utf-16-le")):
                rule = "hold no path of this machine"
                name = file.relative_to(folder).as_posix()
                checks.require(encoded not in content, name, rule, path)


def _last(text: str) -> str:
    kinds = (pathlib.PurePosixPath, pathlib.PureWindowsPath)
    for kind in kinds:
        if kind(text).is_absolute() and len(kind(text).parts) > 1:
            return kind(text).name
    return text
