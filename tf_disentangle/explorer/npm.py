"""ONNX Runtime Web from npm: two files of one pinned version, by the npm client.

It uses only the standard library, so that setup.py can run it without the package.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
SCRIPT, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
#: Seconds for the whole download, an archive of 14 MB.
TIMEOUT = 300
#: Checksums (SHA-256) of the files below dist/ of the npm package.
CHECKSUMS = {
    SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
#: The npm package names its licence but does not contain the text.
LICENSE = """MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


class RuntimeUnavailable(Exception):
    """The files could not be fetched, or are not the pinned ones."""


def fetch(folder: str | os.PathLike) -> None:
    """Writes the two files, gzipped, and the licence into a folder.

    Args:
        folder: It is made if need be; setup.py gives the package's
            explorer/runtime, `runtime.find` the cache.

    Raises:
        RuntimeUnavailable: If there is no npm client, it fails or takes too long, or a
            file is another.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeUnavailable("there is no npm client")
    folder = pathlib.Path(folder)
    with tempfile.TemporaryDirectory() as temporary:
        # Without a network it gives up at once, where npm would try for minutes.
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--fetch-retries=0"]
        try:
            done = subprocess.run(
                command, cwd=temporary, capture_output=True, text=True, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired as error:
            last = f"npm pack did not end within {TIMEOUT} s"
            raise RuntimeUnavailable(last) from error
        archives = list(pathlib.Path(temporary).glob("*.tgz"))
        if done.returncode or not archives:
            last = (done.stderr.strip() or "no archive").splitlines()[-1]
            raise RuntimeUnavailable(f"npm pack failed: {last}")
        with tarfile.open(archives[0]) as archive:
            files = {
                name: archive.extractfile(f"package/dist/{name}").read()
                for name in CHECKSUMS
            }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        check(name, content)
        # No time and no name inside: equal bytes for equal content.
        packed = gzip.compress(content, mtime=0)
        (folder / f"{name}.gz").write_bytes(packed)
    (folder / f"LICENSE.{PACKAGE}").write_text(LICENSE, encoding="utf-8")


def check(name: str, content: bytes) -> None:
    """Raises `RuntimeUnavailable` unless a file has its checksum."""
    if hashlib.sha256(content).hexdigest() != CHECKSUMS[name]:
        raise RuntimeUnavailable(f"{name} has another checksum than {VERSION}'s")
