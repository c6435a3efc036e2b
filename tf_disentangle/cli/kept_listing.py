"""What `tf_disentangle list` knows, kept for the next call, which needs no TensorFlow.

Importing everything that can be named takes seconds, reading what was said of it does
not. The file lies in the data cache's folder listings/, one for each place where the
library is installed. It holds as long as no Python or gin file of the library and no
version of what it lists has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import pathlib
import sys
from typing import TypedDict

from tf_disentangle import checks, configuration, files
from tf_disentangle.datasets.cache import cache_dir

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
#: Of these packages parts are listed, or seen in defaults.
_PACKAGES = ("keras", "tensorflow", "tf_disentangle")


class Listing(TypedDict):
    """What there is to say.

    Attributes:
        kinds: By kind, the table of its parts.
        parts: By name, what a part is and takes.
        metrics: Names of the metrics, which have short ones too.
    """

    kinds: dict[str, str]
    parts: dict[str, str]
    metrics: list[str]


def read(state: str) -> Listing | None:
    """Returns what was kept; None if nothing was, or something has changed since.

    Args:
        state: What `state` returns now.
    """
    try:
        kept = json.loads(_file().read_text(encoding="utf-8"))
        return kept["listing"] if kept["of"] == state else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(listing: Listing, state: str) -> None:
    """Keeps it. Where nothing can be written, the next call collects it anew.

    Args:
        listing: What was collected.
        state: What `state` returned before that, so that what was collected while a
            file changed is not kept as current.
    """
    text = json.dumps({"of": state, "listing": listing}, indent=1)
    with contextlib.suppress(OSError, checks.ArgumentError):
        files.write_text(_file(), text)


def _file() -> pathlib.Path:
    """Returns where what this installation lists is kept."""
    place = hashlib.sha256(str(_PACKAGE).encode()).hexdigest()[:16]
    return cache_dir() / "listings" / f"{place}.json"


def state() -> str:
    """Returns a checksum of all that the listing depends on."""
    digest = hashlib.sha256(sys.version.encode())
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    for root, ending in ((_PACKAGE, ".py"), (configuration.gin_root(), ".gin")):
        for folder, folders, names in os.walk(root):
            folders.sort()
            for name in sorted(names):
                if name.endswith(ending):
                    about = os.stat(os.path.join(folder, name))
                    line = f"{folder}/{name} {about.st_size} {about.st_mtime_ns}\n"
                    digest.update(line.encode())
    return digest.hexdigest()
