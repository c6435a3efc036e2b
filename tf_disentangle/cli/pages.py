"""The guide's pages, and examples as they are typed: in a checkout, or installed.

The pages lie in the checkout's docs, or in the folder guide of the installed package.
"""

from __future__ import annotations

import pathlib
import re

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
#: The launchers bin/train ...: only a checkout has them.
IS_CHECKOUT = (_PACKAGE.parent / "bin" / "train").exists()
_PLACES = (_PACKAGE.parent / "docs",) if IS_CHECKOUT else (_PACKAGE / "guide",)
#: Those that a newcomer needs first, in this order; then the others by name.
_FIRST = ("get_started", "your_images", "which_model", "which_metric")


def pages() -> dict[str, pathlib.Path]:
    """Returns the files of the pages by their names, those of the guide first.

    Of two with the same name it is the guide's.
    """
    found: dict[str, pathlib.Path] = {}
    for place in _PLACES:
        for folder in (place / "guide", place):
            for file in sorted(folder.glob("*.md")):
                found.setdefault(file.stem, file)
    found.pop("index", None)
    return {name: found.pop(name) for name in _FIRST if name in found} | found


def title(file: pathlib.Path) -> str:
    """Returns the heading of a page."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((line[2:] for line in lines if line.startswith("# ")), file.stem)


def as_typed(text: str) -> str:
    """Returns examples as they are typed where the library is installed.

    Args:
        text: With examples for a checkout: bin/train --gin_file=gin/vae.gin.
    """
    if IS_CHECKOUT:
        return text
    text = re.sub(r" *\(in a checkout: .*?\)", "", text)
    text = re.sub(r"(?<![\w./])bin/([a-z]+)\b", r"tf_disentangle \1", text)
    return text.replace("--gin_file=gin/", "--gin_file=")
