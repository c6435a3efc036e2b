"""Where published models are, and how a path shows that it is one."""

from __future__ import annotations

import os
import pathlib
import re

from tf_disentangle import checks
from tf_disentangle.files import CHECKSUMS

#: Before the name of a model that comes with the library.
PREFIX = "store:"
#: The file that shows a published model, besides its checksums.
RECORD, ARCHIVES = "config.json", (".zip", ".tar")
#: In which the weights may be kept.
PRECISIONS = ("float32", "float16")
#: What a model may be called: a part of an address and of a path.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}")
# What people try too, and what they can do.
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# Of archives; `publish` writes a .zip, or a folder.
_OF_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
#: What the archive that `publish` writes ends in.
ZIP = ".zip"
_MODELS = pathlib.Path(__file__).parent / "models"
# The identifiers of https://hf.co/docs/hub/repositories-licenses, but for those of
# single models.
_LICENSES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-openrail-m
    bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0
    cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
    cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0
    lgpl-lr lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openrail
    openrail++ osl-3.0 other pddl postgresql unknown unlicense wtfpl zlib
"""


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


def name_of_new(path: str | os.PathLike, argument: str = "path") -> str:
    """Returns the name of a model that is going to be published there.

    Raises:
        ArgumentError: If something is there, or the path does not end in such a name.
    """
    found = pathlib.Path(path)
    name = found.resolve().name.removesuffix(ZIP)
    rule = "end in a name of letters, digits, '_', '-' and '.'"
    checks.require(NAME.fullmatch(name), argument, rule, str(path))
    rule = "be a folder or end in .zip, the archive that is written"
    is_another = name.lower().endswith(_OF_ARCHIVES)
    checks.require(not is_another, argument, rule, str(path))
    checks.require(not found.exists(), argument, "be new", str(path))
    return name


def check_license(name: str | None, argument: str = "license") -> None:
    """Raises `ArgumentError` unless a licence is one that Hugging Face knows, or None.

    Hugging Face refuses a model card with any other when it is uploaded.
    """
    if name is None:
        return
    checks.require_type(name, str, argument)
    rule = "be an identifier of Hugging Face, such as apache-2.0 or cc-by-4.0"
    known = _LICENSES.split()
    remedy = checks.suggestion(name.lower(), known)
    remedy = f"{remedy} Write other for one that is not on its list.".strip()
    checks.require(name in known, argument, rule, name, remedy)
