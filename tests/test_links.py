"""Links of the documents, without a network: files and headings are there.

External links are asked for by hand: `make links`.
"""

import functools
import json
import pathlib
import re
import urllib.parse

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/*.ipynb")),
]
#: Parts of docs/reproduction.md, whose links are seen from there.
PAGES = [path for path in PAGES if path.parent != ROOT / "docs" / "reproduction"]

_LINK = re.compile(
    r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)"  # [text](target "title")
    r"|^\[[^\]]+\]:\s*(\S+)"  # [name]: target
    r"|\b(?:src|href)=\"([^\"]+)\"",
    re.MULTILINE,
)


@functools.cache
def text_of(path):
    """Returns a page's Markdown without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join(
            "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"
        )
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def targets(path):
    """Yields the targets of the links and pictures of a page, but those of the web."""
    text = re.sub(r"`[^`\n]*`", "", text_of(path))
    for found in _LINK.finditer(text):
        target = next(filter(None, found.groups()))
        if not re.match(r"[a-z]+:", target):
            yield urllib.parse.unquote(target)


@functools.cache
def anchors(path):
    """Returns the anchors that GitHub gives to the headings of a page."""
    known = []
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", text_of(path), re.MULTILINE):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        same = rf"{re.escape(slug)}(-\d+)?"
        again = sum(1 for one in known if re.fullmatch(same, one))
        known.append(f"{slug}-{again}" if again else slug)
    return {*known}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in targets(page):
        where, _, anchor = target.partition("#")
        path = (page.parent / where).resolve() if where else page
        assert path.exists(), target
        assert path.is_relative_to(ROOT), target
        if anchor and path.suffix in (".md", ".ipynb"):
            assert anchor in anchors(path), target


def test_headings_have_the_anchors_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b`: c, d!\n\n## Same\n\n## Same\n\n```\n# no heading\n```\n")
    assert anchors(page) == {"a-b-c-d", "same", "same-1"}
