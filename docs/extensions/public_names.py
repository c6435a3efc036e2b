"""The directive `{api} MODULE`: a table of public names, then each from its docstring.

    ```{api} tf_disentangle.metrics
    evaluate
    mig_score
    ```

Names are written without reStructuredText, so docstrings are the library's own plain
Google style: what is indented after an empty line, such as an equation, is kept as it
stands.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

_SECTION = re.compile(
    r"(Args|Arguments|Attributes|Example|Examples|Note|Raises|References|Returns|Yields)"
    r":$"
)


class PublicNames(SphinxDirective):
    """Describes names of a module in the order in which they are listed."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"no-table": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Returns the table and the descriptions."""
        module = importlib.import_module(self.arguments[0])
        names = [line.strip() for line in self.content if line.strip()]
        lines = [f".. currentmodule:: {module.__name__}", ""]
        if "no-table" not in self.options and len(names) > 1:
            lines += _table(module, names)
        for name in names:
            lines += _description(module, name)
        return self._parsed(lines)

    def _parsed(self, lines: list[str]) -> list[nodes.Node]:
        """Returns the nodes of reStructuredText, as MyST's `eval-rst` makes them."""
        text = "\n".join(["```{eval-rst}", *lines, "```"])
        source = self.get_source_info()[0]
        content = StringList(text.splitlines(), source=source)
        node = nodes.container()
        self.state.nested_parse(content, self.content_offset, node)
        return node.children


def _table(module: Any, names: list[str]) -> Iterator[str]:
    """Yields a table of the names with the first sentences of their docstrings."""
    yield from (".. list-table::", "   :class: names", "   :widths: auto", "")
    for name in names:
        item = getattr(module, name)
        role = "class" if inspect.isclass(item) else "func"
        role = role if callable(item) and inspect.getdoc(item) else "data"
        summary = _first_sentence(module, name, item)
        yield f"   * - :py:{role}:`~{module.__name__}.{name}`"
        yield f"     - {summary}"
    yield ""


def _first_sentence(module: Any, name: str, item: Any) -> str:
    if not _has_docstring(item):
        return _comment(module, name).split(". ")[0].rstrip(".") + "."
    paragraph = inspect.getdoc(item).split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[a-z)\]`])[.:] ", paragraph)[0].rstrip(".:") + "."


def _has_docstring(item: Any) -> bool:
    return inspect.isclass(item) or inspect.isroutine(item)


def _description(module: Any, name: str) -> Iterator[str]:
    """Yields autodoc's directive for a name; a table or a type is described here."""
    item = getattr(module, name)
    whole = f"{module.__name__}.{name}"
    if inspect.isclass(item):
        yield from (f".. autoclass:: {whole}", "   :members:")
        if _is_callable(item):
            yield "   :special-members: __call__"
    elif inspect.isroutine(item):
        yield f".. autofunction:: {whole}"
    else:
        yield from (f".. py:data:: {name}", "", f"   {_comment(module, name)}")
        if isinstance(item, dict | list | tuple | set | frozenset) and item:
            entries = ", ".join(f"``{entry}``" for entry in sorted(map(str, item)))
            yield from ("", f"   {entries}")
    yield ""


def _is_callable(cls: type) -> bool:
    return "__call__" in vars(cls) and not hasattr(cls, "call")


def _comment(module: Any, name: str) -> str:
    """Returns the `#:` comment above the definition of a table or a type."""
    for owner in _modules_with(module, name):
        source = inspect.getsource(owner)
        found = re.search(rf"((?:^#: .*\n)+)(?:^\w+ = .*\n)*?^{name}\b", source, re.M)
        if found:
            return " ".join(re.findall(r"^#: (.*)$", found[1], re.M))
    return ""


def _modules_with(module: Any, name: str) -> Iterator[Any]:
    """Yields a module, and the ones from which it may have a name."""
    yield module
    places = re.findall(
        rf"^from (tf_disentangle[\w.]*) import [^()\n]*\b{name}\b"
        rf"|^from (tf_disentangle[\w.]*) import \([^)]*\b{name}\b",
        inspect.getsource(module),
        re.M,
    )
    for place in places:
        yield importlib.import_module(next(filter(None, place)))


def keep_indented(
    app: Sphinx, what: str, name: str, item: Any, options: Any, lines: list[str]
) -> None:
    """Makes literal blocks of what is indented outside of Google's sections."""
    kept: list[str] = []
    in_section = in_block = False
    for line in lines:
        if line and not line.startswith(" "):
            in_section, in_block = bool(_SECTION.match(line)), False
        after_gap = not kept or not kept[-1].strip()
        starts = line.startswith("    ") and after_gap and not in_section
        if starts and not in_block:
            in_block = True
            kept += ["::", ""]
        kept.append(line)
    lines[:] = kept


def setup(app: Sphinx) -> dict[str, bool]:
    """Adds the directive."""
    app.add_directive("api", PublicNames)
    app.connect("autodoc-process-docstring", keep_indented, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
