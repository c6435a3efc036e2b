"""Words of the documents: British spelling, and none that only insiders know.

`make lint` has codespell look for slips, but in notebooks; its dictionaries know no
British spelling of an American word, so its British one is read backwards here.
"""

import json
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/*.ipynb")),
]
NOTEBOOKS = [path for path in PAGES if path.suffix == ".ipynb"]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]

#: Usual in British English too, or parts of names.
BRITISH = {"biased", "program", "programs", "visualization", "visualize"}

#: What once stood for a subpackage, an interface and docs/reproduction.md.
PRIVATE = re.compile(
    r"\brooms\b|\b(?:a|the|its|each|which|this) room\b|\bdoors?\b|\bledger\b"
    r"|\bhouse rules?\b",
    re.IGNORECASE,
)


def prose(path):
    """Returns a page without code, links' targets and what stands in backticks."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join(
            "".join(c["source"]) for c in cells if c["cell_type"] == "markdown"
        )
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^(?: {4}|\t).*$", "", text, flags=re.MULTILINE)
    return re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", " ", text)


def pairs(dictionary):
    """Yields what a dictionary of codespell has: (word, what to write in its place)."""
    codespell = pytest.importorskip("codespell_lib")
    path = pathlib.Path(codespell.__file__).parent / "data" / dictionary
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, better = line.partition("->")
        yield word, better.rstrip(",")


def words_of(path):
    return {word.lower() for word in re.findall(r"[A-Za-z]+", prose(path))}


@pytest.fixture(scope="module")
def american():
    """American words to British ones."""
    found = pairs("dictionary_en-GB_to_en-US.txt")
    return {american: british for british, american in found}


@pytest.fixture(scope="module")
def slips():
    return dict(pairs("dictionary.txt"))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_spelling_is_british(page, american):
    found = words_of(page) & american.keys() - BRITISH
    assert {word: american[word] for word in found} == {}


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_have_no_slips(page, slips):
    assert {word: slips[word] for word in words_of(page) & slips.keys()} == {}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_word_is_private(page):
    if page.name == "CHANGELOG.md":
        return  # It tells what was, in the words of then.
    assert PRIVATE.findall(prose(page)) == []
