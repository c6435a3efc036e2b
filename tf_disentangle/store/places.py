"""Where published models are, and how a path shows that it is one."""

from __future__ import annotations

import os
import pathlib
import re

from tf_disentangle import checks
from tf_disentangle.files import CHECKSUMS

#: Before the name of a model that comes with the library.
PREFIX = "store:"
#: What shows a published model, beside its checksums.
RECORD, ARCHIVES = "config.json", (".zip", ".tar")
#: In which the weights may be kept.
PRECISIONS = ("float32", "float16")
#: What a model may be called: a part of an address and of a path.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
# What people try too, and what they can do.
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_MODELS = pathlib.Path(__file__).parent / "models"


def shipped() -> dict[str, str]:
    """Returns the models that come with the library: what each is, by its name."""
    found = {}
    for folder in sorted(_MODELS.glob("*")):
        if (folder / CHECKSUMS).exists():
            text = (folder / "README.md").read_text(encoding="utf-8")
            # After the front matter and the title.
            paragraphs = text.split("\n---\n", 1)[-1].strip().split("\n\n")
            found[folder.name] = " ".join(paragraphs[1].split())
    return found


def is_published(path: str | os.PathLike) -> bool:
    """Whether a path is that of a published model, not of a run; without reading it."""
    if not isinstance(path, (str, os.PathLike)):
        return False
    text = os.fspath(path)
    if isinstance(text, str) and text.startswith(PREFIX):
        return True
    folder = pathlib.Path(path)
    if folder.name.endswith((*ARCHIVES, *_COMPRESSED)) and not folder.is_dir():
        return True
    marks = [(folder / name).is_file() for name in (RECORD, CHECKSUMS)]
    return any(marks) and not (folder / "run.json").exists()


def locate(path: str | os.PathLike) -> pathlib.Path:
    """Returns where a published model is.

    Raises:
        ArgumentError: If it is not there, or an archive of another kind.
    """
    text = os.fspath(path)
    if text.startswith(PREFIX):
        name = text.removeprefix(PREFIX)
        known = shipped()
        rule, remedy = "be one of the models of the store", checks.nearest(name, known)
        checks.require(name in known, "NAME of store:NAME", rule, name, remedy)
        return _MODELS / name
    found = pathlib.Path(path)
    checks.require(found.exists(), "model", "exist", text)
    rule = "be a folder, a .zip or a .tar that is not compressed"
    remedy = "Unpack it, and give the folder."
    plain = not found.name.endswith(_COMPRESSED) or found.is_dir()
    checks.require(plain, "model", rule, text, remedy)
    return found
