"""The directive `{api} MODULE`: a table of public names, then each from its docstring.

    ```{api} tf_disentangle.metrics
    evaluate
    mig_score
    STUDY: What `--metrics=study` stands for.
    ```

With the option `:with-definition:` the first name from each file has what the file's
docstring says: the equations, in the terms of the paper, and the references.

What is no class or function has its description in the page. Docstrings are text in
Google style, without reStructuredText: what is indented after an empty line, such as an
equation, is kept as it stands.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from pygments.lexers.python import PythonLexer
from sphinx.application import Sphinx
from sphinx.util import inspect as sphinx_inspect
from sphinx.util.docutils import SphinxDirective

_SECTION = re.compile(
    r"(Args|Arguments|Attributes|Example|Examples|Note|Raises|References|Returns|Yields)"
    r":$"
)


#: What the file of a name says, by the name, for `plain_text`.
_DEFINITIONS: dict[str, list[str]] = {}


class PublicNames(SphinxDirective):
    """Describes names of a module in the order in which they are listed."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"with-definition": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Returns the table and the descriptions."""
        module = importlib.import_module(self.arguments[0])
        given = (line.partition(": ") for line in self.content if line.strip())
        entries = {name.strip(): text.strip() for name, _, text in given}
        if "with-definition" in self.options:
            _define(module, entries)
        lines = [f".. currentmodule:: {module.__name__}", ""]
        if len(entries) > 1:
            lines += _table(module, entries)
        for name, text in entries.items():
            lines += _description(module, name, text)
        return self._parsed(lines)

    def _parsed(self, lines: list[str]) -> list[nodes.Node]:
        """Returns the nodes of reStructuredText, as MyST's `eval-rst` makes them."""
        text = "\n".join(["```{eval-rst}", *lines, "```"])
        source = self.get_source_info()[0]
        content = StringList(text.splitlines(), source=source)
        node = nodes.container()
        self.state.nested_parse(content, self.content_offset, node)
        return node.children


def _define(module: Any, names: Iterable[str]) -> None:
    """Notes for the first name from each file what the file says."""
    files: set[str] = set()
    for name in names:
        file = getattr(getattr(module, name), "__module__", "")
        if file and file not in files:
            said = inspect.getdoc(sys.modules[file]).splitlines()
            _DEFINITIONS[f"{module.__name__}.{name}"] = said[1:]
        files.add(file)


def _defined(lines: list[str], definition: list[str]) -> list[str]:
    """Returns a docstring with the definition before its arguments."""
    heads = [i for i, line in enumerate(lines) if _SECTION.match(line)]
    first = heads[0] if heads else len(lines)
    where = [i for i, line in enumerate(definition) if line == "References:"]
    last = where[0] if where else len(definition)
    body, references = definition[:last], definition[last:]
    return [*lines[:first], "", *body, "", *lines[first:], "", *references]


def _table(module: Any, entries: Mapping[str, str]) -> Iterator[str]:
    """Yields a table of the names with what they are, in one sentence."""
    yield from (".. list-table::", "   :class: names", "   :widths: auto", "")
    for name, text in entries.items():
        item = getattr(module, name)
        role = "class" if inspect.isclass(item) else "func"
        role = "data" if text else role
        yield f"   * - :py:{role}:`~{module.__name__}.{name}`"
        yield f"     - {text or _first_sentence(item)}"
    yield ""


def _first_sentence(item: Any) -> str:
    """Returns the first sentence of a docstring."""
    paragraph = inspect.getdoc(item).split("\n\n")[0].replace("\n", " ")
    return _escaped(re.split(r"(?<=[\w)\]`])[.] ", paragraph)[0].rstrip(".:")) + "."


def _description(module: Any, name: str, text: str) -> Iterator[str]:
    """Yields autodoc's directive for a class or function; a table is described here."""
    item = getattr(module, name)
    whole = f"{module.__name__}.{name}"
    if inspect.isclass(item):
        yield from (f".. autoclass:: {whole}", "   :members:")
        if inspect.isfunction(vars(item).get("__call__")):
            yield "   :special-members: __call__"
    elif callable(item) and not text:
        yield f".. autofunction:: {whole}"
    else:
        yield from (f".. py:data:: {name}", "", f"   {text}")
        if isinstance(item, Mapping | list | tuple | set | frozenset) and item:
            entries = ", ".join(f"``{entry}``" for entry in item)
            yield from ("", f"   {entries}")
    yield ""


def of_others(
    app: Sphinx, what: str, name: str, item: Any, skip: bool, options: Any
) -> bool | None:
    """Leaves out what is not ours to describe, and names of private classes."""
    module = getattr(item, "__module__", None) or ""
    is_private = inspect.isclass(item) and item.__name__.startswith("_")
    is_others = module.startswith(("keras", "tensorflow_probability"))
    return True if is_others or is_private else None


def own_signature(
    app: Sphinx, what: str, name: str, item: Any, options: Any, given: str, returns: Any
) -> tuple[str, Any] | None:
    """Returns the constructor's arguments where a base's `__new__` hides them."""
    if what != "class" or given != "(*args, **kwargs)":
        return None
    if not inspect.isfunction(item.__init__):
        return "()", returns
    signature = sphinx_inspect.signature(item.__init__, bound_method=True)
    shown = sphinx_inspect.stringify_signature(signature, show_annotation=False)
    return shown, returns


def plain_text(
    app: Sphinx, what: str, name: str, item: Any, options: Any, lines: list[str]
) -> None:
    """Has a docstring read as text: blocks are kept, and no sign is markup."""
    if name in _DEFINITIONS:
        lines[:] = _defined(lines, _DEFINITIONS[name])
    read: list[str] = []
    section, in_block = "", False
    for line in lines:
        if line and not line.startswith(" "):
            found = _SECTION.match(line)
            section, in_block = found[1] if found else "", False
        after_gap = not read or not read[-1].strip()
        if line.startswith("    ") and after_gap and not section and not in_block:
            in_block = True
            read += ["::", ""]
        is_code = in_block or section.startswith("Example")
        read.append(line if is_code else _escaped(line))
    lines[:] = read


def _escaped(line: str) -> str:
    """Returns a line of text whose signs mean nothing outside of backticks."""
    start, text = re.match(r"(\s*(?:\*+\w+:|[*-] )?)(.*)", line).groups()
    pieces = re.split(r"(`+[^`]+`+)", text)
    pieces[::2] = [re.sub(r"([\\*|]|_(?!\w))", r"\\\1", piece) for piece in pieces[::2]]
    return start + "".join(pieces)


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the directive."""
    app.add_directive("api", PublicNames)
    app.connect("autodoc-process-docstring", plain_text, priority=100)
    app.connect("autodoc-skip-member", of_others)
    app.connect("autodoc-process-signature", own_signature)
    app.add_lexer("gin", PythonLexer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
