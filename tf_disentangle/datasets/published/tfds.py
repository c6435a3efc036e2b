"""Published sets by way of TensorFlow Datasets (TFDS).

The download manager of TFDS fetches the files of every set, even of those for which
TFDS has no builder. Where TFDS has one, it knows the size and sha256 of the files, and
can prepare the set itself, in a shuffled order; for a grid, the factors restore the
order.
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
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tqdm

from tf_disentangle import checks
from tf_disentangle.datasets.files.source import Block, Source, reading
from tf_disentangle.datasets.published.catalogue import File, PublishedSet

_BLOCK = 1 << 20
_BATCH = 256
_SECONDS = 10.0
_INFO = "dataset_info.json"
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
        message = checks.message(file.url, "be downloaded", _shown(error), remedy)
        raise checks.ArgumentError(message) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return path


def build(name: str, row: PublishedSet, data_dir: pathlib.Path) -> pathlib.Path:
    """Has a builder of TFDS download and prepare a set; returns its folder.

    Raises:
        ArgumentError: If it has no builder, or that fails.
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
        message = checks.message(name, rule, _shown(error), "Is there a network?")
        raise checks.ArgumentError(message) from error
    return pathlib.Path(builder.data_path)


def recorded(row: PublishedSet) -> dict[str, Any]:
    """Returns what TFDS records of a set's files: url to size and checksum."""
    if row.tfds is None:
        return {}
    import tensorflow_datasets as tfds

    return tfds.builder(row.tfds.name).url_infos


def verify(path: pathlib.Path, file: File, row: PublishedSet) -> None:
    """Compares a file with its recorded size and sha256, if there are such.

    There are none for a folder. A file of another size is taken for another form of the
    same file (unpacked or packed again), which is verified by the checksum of its
    content; if that is not known, the reader finds what is damaged.

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
        text = "%s: not the published %d bytes; read all the same, as other packing"
        _logger.warning(f"{text} of the same content.", path, record.size)


def prepared_folder(row: PublishedSet, data_dir: pathlib.Path) -> pathlib.Path | None:
    """Finds the set that TFDS prepared in `data_dir`, $TFDS_DATA_DIR or at home."""
    if row.tfds is None:
        return None
    usual = "~/tensorflow_datasets"
    for root in (data_dir / "tfds", os.environ.get("TFDS_DATA_DIR", usual), usual):
        folder = pathlib.Path(root).expanduser() / row.tfds.name
        if versions(folder):
            return folder
    return None


def versions(folder: pathlib.Path) -> list[pathlib.Path]:
    """The versions that TFDS prepared at or below a folder, the newest last."""
    if (folder / _INFO).exists():
        return [folder]
    return sorted(
        (path.parent for path in folder.glob(f"*/{_INFO}")),
        key=lambda p: [int(n) if n.isdigit() else 0 for n in p.name.split(".")],
    )


def read(row: PublishedSet, split: str, folder: pathlib.Path) -> Source:
    """Reads a folder that TFDS prepared.

    Raises:
        ArgumentError: If it holds another set or is damaged.
    """
    rule = "be published files"
    remedy = "TensorFlow Datasets does not have this set."
    checks.require(row.tfds is not None, "source", rule, str(folder), remedy)
    import tensorflow_datasets as tfds

    name, tfds_split = row.tfds.name, row.tfds.splits[split]
    try:
        builder = tfds.builder_from_directory(versions(folder)[-1])
        info = builder.info.splits[tfds_split]
    except (ValueError, KeyError, AssertionError, OSError) as error:
        reason = str(error).splitlines()[0]
        message = checks.message(str(folder), f"hold the split {tfds_split}", reason)
        raise checks.ArgumentError(message) from error
    is_set = builder.info.name == name
    checks.require(is_set, str(folder), f"hold {name}", builder.info.name)

    def batches(decoders: Any = None) -> Iterator[dict]:
        config = tfds.ReadConfig(try_autocache=False)
        options = {"split": tfds_split, "batch_size": _BATCH, "read_config": config}
        return iter(tfds.as_numpy(builder.as_dataset(decoders=decoders, **options)))

    def blocks() -> Iterator[Block]:
        for batch in batches():
            yield batch["image"]

    images = {"image", "image2"} & {*builder.info.features}
    columns = [
        np.stack([_feature(batch, path) for path in row.tfds.factors], axis=1)
        for batch in batches(dict.fromkeys(images, tfds.decode.SkipDecoding()))
    ]
    return Source(info.num_examples, blocks, np.concatenate(columns).astype(np.int64))


def _feature(batch: Any, path: str) -> np.ndarray:
    """A feature of a batch; "/" goes inside another."""
    for part in path.split("/"):
        batch = batch[part]
    return batch


def _require_network(urls: Iterable[str]) -> None:
    """Raises an `OSError` if nobody answers: TFDS would try for minutes."""
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    for url in urls:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in urllib.request.getproxies():
            port = parts.port or {"https": 443}.get(parts.scheme, 80)
            socket.create_connection((parts.hostname, port), _SECONDS).close()


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


def _digest(path: pathlib.Path, algorithm: str, unpacked: bool = False) -> str:
    """A checksum of the file, or of its gzipped content, with a progress bar."""
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
