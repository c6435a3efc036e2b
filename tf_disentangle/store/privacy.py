"""Keeps the author's machine out of what is given away.

Records are written without paths, and nothing in them names a user or a host. Whatever
somebody put there, such as a comment in a configuration, is found at the end.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import platform
import re
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from tf_disentangle import checks

# A quoted absolute path, of this system or of Windows.
_QUOTED = re.compile(r"""(['"])((?:/|[A-Za-z]:[\\/])[^'"\n]*)\1""")
# The characters with which a name continues.
_MORE = re.compile(r"[\w-]")
# Shorter words occur by chance among the bytes of weights and pictures.
_SHORTEST = 10
# What explorer.html carries as text, though it is bytes: models, images, scripts.
_CARRIED = re.compile(
    rb'<script type="application/octet-stream"[^>]*>[^<]*'
    rb"|;base64,[A-Za-z0-9+/=]+"
)


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
    """Refuses a folder with a path, user or host of this machine in any of its files.

    The name of a user or a host may be any word, so it is only looked for in this form:
    "/home/user", "user@", "@host", "//host". Paths as short as "/tmp" are looked for in
    texts, but neither in files of numbers nor in what explorer.html contains of them,
    where they occur by chance.

    Args:
        folder: What is to be given away.
        others: Paths to look for besides the home, the working and temporary folder.

    Raises:
        ArgumentError: If there is one.
    """
    words = _words(others)
    long = {word for word in words if len(word) >= _SHORTEST}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        found = [word for word in long if _holds(content, word, "utf-16-le")]
        found += [word for word in long if _holds(content, word)]
        if _is_text(content):
            said = _CARRIED.sub(b"", content)
            found += [word for word in words - long if _holds(said, word)]
        rule = "hold no path, user or host of this machine"
        remedy = "Take it out of the run's configuration, and publish again."
        name = file.relative_to(folder).as_posix()
        checks.require(not found, name, rule, ", ".join(sorted(found)), remedy)


def _words(others: Iterable[str | os.PathLike]) -> set[str]:
    """Returns what must not occur in a file."""
    homes = [pathlib.Path.home(), pathlib.Path.cwd(), tempfile.gettempdir(), *others]
    paths = {str(pathlib.Path(path).absolute()).rstrip("/\\") for path in homes}
    user, host = "", platform.node()
    with contextlib.suppress(KeyError, OSError):  # A container's user may have no name.
        user = getpass.getuser()
    words = paths - {pathlib.Path(path).anchor.rstrip("/\\") for path in paths}
    if user:
        words |= {f"/home/{user}", f"/Users/{user}", f"\\Users\\{user}", f"{user}@"}
    return words | ({f"@{host}", f"//{host}"} if host else set())


def _holds(content: bytes, word: str, encoding: str = "utf-8") -> bool:
    """Whether a word occurs in a file, and not as a part of a longer name."""
    sought, width = word.encode(encoding), len("x".encode(encoding))
    start = content.find(sought)
    while start >= 0:
        end = start + len(sought)
        before, after = content[max(start - width, 0) : start], content[end:][:width]
        whole = word.endswith("@") or not _goes_on(after, encoding)
        whole = whole and (word[0] in "@\\" or not _goes_on(before, encoding))
        if whole:
            return True
        start = content.find(sought, start + 1)
    return False


def _goes_on(neighbour: bytes, encoding: str) -> bool:
    return bool(_MORE.match(neighbour.decode(encoding, "replace")))


def _is_text(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _last(text: str) -> str:
    kinds = (pathlib.PurePosixPath, pathlib.PureWindowsPath)
    for kind in kinds:
        if kind(text).is_absolute() and len(kind(text).parts) > 1:
            return kind(text).name
    return text
