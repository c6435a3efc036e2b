"""Published files: fetched once, resumed where they broke off, checked.

What is fetched gets its own name when it is complete and has the published checksum.
Where none is published, the first checksum that was seen of a file which could be read
is recorded in `checksums/`, and another one later is an error.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import pathlib
import sys
import urllib.error
import urllib.request

import tqdm

from tf_disentangle import checks, files
from tf_disentangle.datasets.published.rows import File

_BLOCK = 1 << 20
_SECONDS = 30.0
_RESUMED = 206  # HTTP: partial content
_PAST_THE_END = 416


def fetch(file: File, folder: pathlib.Path) -> pathlib.Path:
    """Fetches a file into `folder`, going on from what an earlier try left there.

    Raises:
        ArgumentError: If there is no network, no such file, or no space, or what came
            is another file.
    """
    path, part = folder / file.name, folder / f".{file.name}.part"
    if path.exists():
        return path
    with files.explaining(path):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        _download(file, part)
    except (OSError, http.client.HTTPException) as error:
        kept = part.exists()
        again = (
            "The same command goes on where it stopped. Or fetch" if kept else "Fetch"
        )
        message = (
            f"{file.url} must be reachable; received {str(error)!r}. "
            f"{again} it by other means and put it at {path}"
        )
        raise checks.ArgumentError(message) from error
    found = sha256(part) if file.sha256 else None
    if found != file.sha256:
        part.unlink()
        rule = f"have the sha256 {file.sha256}"
        remedy = f"It was not kept. Fetch it by other means and put it at {path}"
        raise checks.ArgumentError(checks.message(file.url, rule, found, remedy))
    os.replace(part, path)
    return path


def _download(file: File, part: pathlib.Path) -> None:
    """Appends to `part` what is missing of the file."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    request = urllib.request.Request(file.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == _PAST_THE_END and done:
            if file.size in (None, done):
                return
            part.unlink()  # Not of this file: the next try begins anew.
        raise
    with response:
        # A portal's login, or an excuse: none of the files is a page.
        if response.headers.get_content_type() == "text/html":
            raise http.client.HTTPException("a web page in its place")
        if response.status != _RESUMED:
            done = 0
        missing = response.headers.get("Content-Length")
        total = done + int(missing) if missing else file.size
        with files.explaining(part):
            out = open(part, "ab" if done else "wb")  # noqa: SIM115 closed below
        bar = tqdm.tqdm(
            total=total, initial=done, desc=file.name, unit="B", unit_scale=True
        )
        with out, bar:
            while data := response.read(_BLOCK):
                with files.explaining(part):
                    out.write(data)
                    out.flush()
                bar.update(len(data))
                done += len(data)
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def verify(path: pathlib.Path, file: File, record: pathlib.Path) -> str | None:
    """Compares the checksum of a file with the published or the recorded one.

    A folder has none. A file that is neither called as published nor of the published
    size is another form of it (unpacked, for example), whose checksum is recorded.

    Args:
        path: What was found.
        file: What is published.
        record: Where the checksum of the first time is recorded.

    Returns:
        The checksum that must be recorded once the file has proved whole; None if there
        is nothing to record.

    Raises:
        ArgumentError: If they differ.
    """
    if path.is_dir():
        return None
    size = path.stat().st_size
    as_published = path.name == file.name or size == file.size
    if as_published and file.size not in (None, size):
        rule, remedy = f"have the published {file.size} bytes", "Fetch it again."
        raise checks.ArgumentError(checks.message(str(path), rule, size, remedy))
    found = sha256(path)
    if found == file.sha256:
        return None
    if file.sha256 and as_published:
        rule, remedy = f"have the sha256 {file.sha256}", "Delete it and fetch it again."
        raise checks.ArgumentError(checks.message(str(path), rule, found, remedy))
    if not record.exists():
        return found
    rule = f"have the sha256 of the first time, {record.read_text().strip()}"
    remedy = f"It has changed since. To accept that, delete {record}"
    fits = found == record.read_text().strip()
    checks.require(fits, str(path), rule, found, remedy)
    return None


def sha256(path: pathlib.Path) -> str:
    """SHA-256 of a file in hexadecimal, with a progress bar if it takes long."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with (
        open(path, "rb") as file,
        tqdm.tqdm(
            total=size,
            desc=f"checking {path.name}",
            unit="B",
            unit_scale=True,
            file=sys.stderr,
            delay=1.0,
        ) as bar,
    ):
        while data := file.read(_BLOCK):
            digest.update(data)
            bar.update(len(data))
    return digest.hexdigest()
