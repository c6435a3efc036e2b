"""bin/explore, in this process."""

import webbrowser

import pytest

from tests.explorer.test_page import described
from tf_disentangle.cli import explore, main


@pytest.fixture
def shown(monkeypatch):
    """The addresses that a browser was asked to show."""
    addresses = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    return addresses


@pytest.fixture
def folder(make_run):
    return make_run("vae").folder.path


def test_it_writes_the_page_and_opens_it(folder, runtime, shown, capsys):
    assert main.main(["explore", str(folder)]) == 0
    path = folder / "explorer.html"
    assert capsys.readouterr().out == f"{path}\n"
    assert shown == [path.as_uri()]
    assert described(path)["runs"][0]["name"] == "vae"


def test_output_writes_it_only(folder, shown, tmp_path, capsys):
    path = tmp_path / "x.html"
    server = "http://localhost:8501"
    runs = [str(folder), str(folder)]
    options = [f"--output={path}", f"--server={server}"]
    assert main.main(["explore", *runs, *options]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert not shown
    told = described(path)
    assert told["server"] == server
    assert [run["folder"] for run in told["runs"]] == runs


def test_without_the_runtime_a_file_cannot_be_written(folder, monkeypatch, capsys):
    monkeypatch.setattr("tf_disentangle.explorer.has_runtime", lambda: False)
    assert main.main(["explore", str(folder), "--output=x.html"]) == 2
    error = capsys.readouterr().err
    assert "--output must be left out where ONNX Runtime Web is not at hand" in error
    assert "Install npm, which fetches it, or pass --server." in error


def test_without_the_runtime_a_local_server_runs_the_model(
    folder, monkeypatch, shown, browser, capsys
):
    """The page that is opened is looked at while the command waits for Ctrl-C."""
    monkeypatch.setattr("tf_disentangle.explorer.has_runtime", lambda: False)

    def look():
        page = browser.new_page()
        page.goto(shown[0])
        page.wait_for_selector("html[data-ready]", state="attached")
        page.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(explore, "_wait", look)
    assert main.main(["explore", str(folder)]) == 130
    assert "a local server runs the model" in capsys.readouterr().err
