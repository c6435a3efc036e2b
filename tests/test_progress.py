"""Bars and lines, as a notebook's kernel shows them and as a log does."""

import sys
import types

import pytest

from tf_disentangle import progress


class Output:
    """A line of a cell's output, and all that it has shown."""

    def __init__(self, content):
        self.shown = [content["text/plain"]]

    def update(self, content, raw):
        assert raw
        self.shown.append(content["text/plain"])


@pytest.fixture
def cell(monkeypatch):
    """The outputs of a cell of a notebook in which the test seems to run."""
    outputs = []

    def display(content, raw, display_id):
        assert raw and display_id
        outputs.append(Output(content))
        return outputs[-1]

    shell = types.SimpleNamespace(kernel=object())
    ipython = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    shown = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    return outputs


def test_a_line_of_a_notebook_is_replaced_in_place(cell, capsys):
    line, other = progress.Line(), progress.Line()
    line.show("mig ...")
    other.show("sap ...")
    line.show("mig: 0.5")
    assert [output.shown for output in cell] == [["mig ...", "mig: 0.5"], ["sap ..."]]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shown", [None, True])
def test_a_bar_of_a_notebook_is_one_line_that_ends_as_it_was(cell, capsys, shown):
    assert progress.shows_bars()
    with progress.progress_bar(total=4, desc="encode", shown=shown, delay=0) as bar:
        for _ in range(4):
            bar.update()
    (output,) = cell
    assert output.shown[0].startswith("encode:   0%")
    assert output.shown[-1].startswith("encode: 100%") and "4/4" in output.shown[-1]
    assert capsys.readouterr() == ("", "")


def test_a_short_bar_and_one_that_is_not_wanted_show_nothing(cell):
    assert list(progress.progress_bar([1, 2])) == [1, 2]
    assert list(progress.progress_bar([1, 2], shown=False, delay=0)) == [1, 2]
    assert cell == []


def test_a_log_has_lines_and_no_bar(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace())
    assert not progress.is_notebook() and not progress.shows_bars()
    progress.Line().show("mig: 0.5")
    assert list(progress.progress_bar([1, 2])) == [1, 2]
    assert capsys.readouterr() == ("", "mig: 0.5\n")
    assert list(progress.progress_bar([1, 2], shown=True)) == [1, 2]
    assert "2/2" in capsys.readouterr().err


def test_ipython_without_a_kernel_is_a_terminal(monkeypatch):
    shell = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert not progress.is_notebook()
