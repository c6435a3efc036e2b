"""Finds ONNX Runtime Web, which runs the models in the page.

It is a dependency and not in the repository: a wheel has it as package data, an
installed npm package (node_modules) has it, or the npm client fetches it once into the
cache.
"""

from __future__ import annotations

import gzip
import logging
import pathlib
import zlib

from tf_disentangle import checks, files
from tf_disentangle.datasets.cache import cache_dir
from tf_disentangle.explorer import npm

_logger = logging.getLogger(__name__)


class RuntimeMissingError(checks.ArgumentError):
    """ONNX Runtime Web is nowhere here and cannot be fetched."""


def find() -> dict[str, bytes]:
    """Returns the runtime's files, gzipped, by their names; checked.

    Raises:
        RuntimeMissingError: If it is nowhere and cannot be fetched.
    """
    cached = cache_dir() / f"{npm.PACKAGE}-{npm.VERSION}"
    for folder in (pathlib.Path(__file__).parent / "runtime", cached):
        found = _read(folder, ".gz")
        if found is not None:
            return found
    here = pathlib.Path.cwd()
    for place in (here, *here.parents):
        found = _read(place / "node_modules" / npm.PACKAGE / "dist", "")
        if found is not None:
            return found
    _logger.warning("Fetching %s %s by npm, once.", npm.PACKAGE, npm.VERSION)
    try:
        with files.replacing(cached) as temporary:
            npm.fetch(temporary)
    except npm.RuntimeUnavailable as error:
        name = f"{npm.PACKAGE} {npm.VERSION}"
        rule = f"be available, to run the models in the page ({name})"
        remedy = "Install npm, which fetches it once, or explore through a server."
        message = checks.message("ONNX Runtime Web", rule, str(error), remedy)
        raise RuntimeMissingError(message) from error
    return _read(cached, ".gz")


def _read(folder: pathlib.Path, suffix: str) -> dict[str, bytes] | None:
    """Returns the files of a folder, gzipped; None if missing or not the right ones."""
    found = {}
    for name in npm.CHECKSUMS:
        try:
            content = (folder / f"{name}{suffix}").read_bytes()
            npm.check(name, gzip.decompress(content) if suffix else content)
        except (OSError, EOFError, zlib.error, npm.RuntimeUnavailable) as error:
            if not isinstance(error, FileNotFoundError):
                _logger.warning("%s: %s", folder, error)
            return None
        found[name] = content if suffix else gzip.compress(content, mtime=0)
    return found
