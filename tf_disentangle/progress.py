"""How far a long call is: a bar in a terminal, a line in a notebook, lines in a log.

A notebook shows what goes to stderr on red, and keeps every line of it. There a bar is
one line of the cell's output that is replaced in place, and what is saved with the
notebook is its last state.
"""

from __future__ import annotations

import io
import sys
import textwrap
from typing import Any

from tqdm import tqdm


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook (Jupyter, VS Code, Colab)."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def shows_bars() -> bool:
    """Whether bars can be shown: in a terminal or a notebook, not in a log."""
    return is_notebook() or sys.stderr.isatty()


class Line:
    """A line that is replaced in place in a notebook; elsewhere lines on stderr."""

    def __init__(self) -> None:
        self._shown: Any = None

    def show(self, text: str) -> None:
        """Shows the text."""
        if not is_notebook():
            tqdm.write(text, file=sys.stderr)
            return
        from IPython.display import display

        content = {"text/plain": text}
        if self._shown is None:
            self._shown = display(content, raw=True, display_id=True)
        else:
            self._shown.update(content, raw=True)


def progress_bar(*args: Any, shown: bool | None = None, **options: Any) -> tqdm:
    """Returns tqdm's bar, in a notebook one that needs no widgets.

    Args:
        *args: Of `tqdm.tqdm`.
        shown: Whether to show it; None shows it in a terminal or a notebook only.
        **options: Of `tqdm.tqdm`.
    """
    disable = None if shown is None else not shown
    if is_notebook() and not disable:
        return _NotebookBar(*args, **options)
    return tqdm(*args, disable=disable, file=sys.stderr, **options)


class _NotebookBar(tqdm):
    """A bar as a `Line`; what else tqdm writes, such as ends of lines, is dropped."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._line = Line()
        options.pop("dynamic_ncols", None)
        options["mininterval"] = max(options.get("mininterval", 0.0), 0.5)
        options.setdefault("delay", 3.0)  # A short one is not worth a line.
        super().__init__(*args, file=io.StringIO(), ascii=False, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Shows the bar as it is now."""
        # A cell does not break long lines.
        self._line.show(textwrap.fill(str(self) if msg is None else msg, 90))
