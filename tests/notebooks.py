"""Notebooks as a test reads them, and their code as Python runs it, without a kernel.

python -m tests.notebooks NAME [VALUES]: runs a notebook's cells in this process, with
its settings replaced by VALUES (JSON), and what a cell ends with shown as a notebook
would.
"""

import ast
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples"


def read(name):
    """The cells of a notebook, each with its source as one text."""
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    return cells


def is_parameters(cell):
    return "parameters" in cell["metadata"].get("tags", ())


def assigned(cell):
    """The names that a cell of settings gives values to."""
    return {
        target.id for node in ast.parse(cell["source"]).body for target in node.targets
    }


def run(name, values):
    """Runs the cells in turn; returns their names."""
    space = {"__name__": "__main__"}
    for number, cell in enumerate(read(name)):
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse(cell["source"], f"<{name}, cell {number}>")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"<{name}, cell {number}>", "exec"), space)
        if is_parameters(cell):
            space.update(values)
        if last is not None:
            shown = ast.Expression(last.value)
            show(eval(compile(shown, f"<{name}, cell {number}>", "eval"), space))
    return space


def show(value):
    """Does to what a cell ends with what a notebook does to show it."""
    repr(value)
    for form in ("_repr_html_", "_repr_png_"):
        if hasattr(value, form):
            getattr(value, form)()


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "agg"
    name, values = (*sys.argv[1:], "{}")[:2]
    run(name, json.loads(values))
    print("ran to its end")
