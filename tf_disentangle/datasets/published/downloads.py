"""Published files: downloaded by TensorFlow Datasets, and checked by what it records.

Its download manager fetches the files of every set, also of those that it has no
builder for. Where it has one, it knows the size and sha256 of the files.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import pathlib
import shutil
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterable
from typing import Any

import tqdm

from tf_disentangle import checks
from tf_disentangle.datasets.files.source import reading
from tf_disentangle.datasets.published.rows import File, PublishedSet

_BLOCK = 1 << 20
_SECONDS = 10.0
_logger = logging.getLogger(__name__)


def fetch(file: File, folder: pathlib.Path) -> pathlib.Path:
    """Downloads a file into `folder`, under its published name.

    Raises:
        ArgumentError: If the address cannot be reached or gives another file.
    """
    import tensorflow_datasets as tfds

    path, place = folder / file.name, folder / "tfds"
    try:
        _require_network([file.url])
        manager = tfds.download.DownloadManager(download_dir=place)
        os.replace(manager.download(file.url), path)
    except Exception as error:  # TFDS raises whatever its parts do.
        remedy = f"Fetch it by other means and put it at {path}"
        message = checks.message(file.url, "be downloaded", _told(error), remedy)
        raise checks.ArgumentError(message) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return path


def build(name: str, row: PublishedSet, data_dir: pathlib.Path) -> pathlib.Path:
    """Has a builder of TensorFlow Datasets download and prepare a set; its folder.

    Raises:
        ArgumentError: If it has no builder, or that cannot.
    """
    rule, remedy = "be a file or folder", f"TensorFlow Datasets has no {name}."
    checks.require(row.tfds is not None, "source", rule, "tfds", remedy)
    import tensorflow_datasets as tfds

    builder = tfds.builder(row.tfds.name, data_dir=data_dir / "tfds")
    try:
        _require_network(builder.url_infos)
        builder.download_and_prepare()
    except Exception as error:  # As above.
        rule = "be downloaded by TensorFlow Datasets"
        message = checks.message(name, rule, _told(error), "Is there a network?")
        raise checks.ArgumentError(message) from error
    return pathlib.Path(builder.data_path)


def recorded(row: PublishedSet) -> dict[str, Any]:
    """What TensorFlow Datasets records of a set's files: url to size and checksum."""
    if row.tfds is None:
        return {}
    import tensorflow_datasets as tfds

    return tfds.builder(row.tfds.name).url_infos


def verify(path: pathlib.Path, file: File, row: PublishedSet) -> None:
    """Compares a file with its recorded size and sha256, if there are such.

    A folder has none. A file of another size is another form of it (unpacked, packed
    anew), which is told by the checksum of its content; where none is known, its reader
    finds what is damaged.

    Raises:
        ArgumentError: If they differ.
    """
    record = recorded(row).get(file.url)
    if path.is_dir() or record is None:
        return
    remedy = "Delete it and fetch it again."
    is_of_size = path.stat().st_size == record.size
    if is_of_size and _digest(path, "sha256") == record.checksum:
        return
    if file.content_md5 is not None:
        rule = f"have content with the published md5 {file.content_md5}"
        md5 = _digest(path, "md5", unpacked=True)
        checks.require(md5 == file.content_md5, str(path), rule, md5, remedy)
    elif is_of_size:
        rule, sha256 = f"have the sha256 {record.checksum}", _digest(path, "sha256")
        checks.require(False, str(path), rule, sha256, remedy)
    elif path.name == file.name:
        _logger.warning(
            "%s: not the published %d bytes; read all the same, as other "
            "packing of the same content.",
            path,
            record.size,
        )


def _require_network(urls: Iterable[str]) -> None:
    """Raises an `OSError` where nobody answers: TFDS would try for minutes."""
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in urllib.request.getproxies():
            port = parts.port or {"https": 443}.get(parts.scheme, 80)
            socket.create_connection((parts.hostname, port), _SECONDS).close()


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def _digest(path: pathlib.Path, algorithm: str, unpacked: bool = False) -> str:
    """A checksum in hexadecimal, with a progress bar if it takes long.

    Args:
        path: The file.
        algorithm: As hashlib names it.
        unpacked: Whether to take the content of a gzipped file.
    """
    digest, label = hashlib.new(algorithm), f"checking {path.name}"
    with reading(path), open(path, "rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file = gzip.GzipFile(fileobj=raw) if unpacked and is_packed else raw
        with tqdm.tqdm(
            desc=label, unit="B", unit_scale=True, file=sys.stderr, delay=1.0
        ) as bar:
            while data := file.read(_BLOCK):
                digest.update(data)
                bar.update(len(data))
    return digest.hexdigest()
