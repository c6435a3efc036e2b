"""bin/explore, in this process."""

import http.server
import pathlib
import shutil
import socket
import threading
import webbrowser

import numpy as np
import pytest

from tests.explorer.conftest import made_lively, opened
from tests.explorer.test_page import described
from tests.explorer.view import assert_shows
from tf_disentangle import explorer, load
from tf_disentangle.cli import explore, main
from tf_disentangle.explorer import address, runtime


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


@pytest.fixture
def namesake(folder, tmp_path):
    """A copy of the run in another folder of the same name."""
    copy = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, copy)
    return copy


def test_output_writes_it_only(folder, shown, tmp_path, capsys, namesake):
    path = tmp_path / "x.html"
    other = namesake.rename(namesake.with_name("other"))
    with socket.create_server(("localhost", 0)) as taken:
        server = f"http://localhost:{taken.getsockname()[1]}"
    runs = [str(folder), str(other)]
    options = [f"--output={path}", f"--server={server}"]
    assert main.main(["explore", *runs, *options]) == 0
    said = capsys.readouterr()
    assert said.out == f"{path}\n"
    assert f"WARNING: No answer from {server}/v1/models/vae (" in said.err
    assert not shown
    told = described(path)
    assert told["server"] == server
    assert [run["folder"] for run in told["runs"]] == ["vae", "other"]


@pytest.mark.parametrize("server", ["grpc://localhost:8500", "localhost:8501"])
def test_what_is_no_address_is_refused_before_the_run_is_loaded(server, capsys):
    assert main.main(["explore", "nowhere", f"--server={server}"]) == 2
    error = capsys.readouterr().err
    assert "--server must be an address such as http://localhost:8501" in error
    assert "use gRPC" in error
    assert "Loading" not in error


@pytest.fixture
def answering():
    """A server of one model, by the headers that it answers with."""

    headers = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.headers["Origin"] == "null"
            self.send_response(200 if self.path == "/v1/models/a%20b" else 404)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}", headers
    server.shutdown()
    server.server_close()


def test_a_server_that_a_page_cannot_ask_is_noticed(answering):
    base, headers = answering
    option = "--rest_api_enable_cors_support"
    assert address.trouble(base, "a b") == (
        f"{base} refuses requests from web pages: restart the server with {option}."
    )
    headers["Access-Control-Allow-Origin"] = "*"
    assert address.trouble(base, "a b") == ""
    assert "answers 404 Not Found: does it serve" in address.trouble(base, "other")


def test_two_runs_of_one_name_need_two_on_a_server(folder, namesake, capsys):
    runs = [str(folder), str(namesake)]
    assert main.main(["explore", *runs, "--server=http://localhost:8501"]) == 2
    error = capsys.readouterr().err
    assert "runs must have different names on the server; received" in error
    assert "rename a run's folder" in error


@pytest.fixture
def no_runtime(monkeypatch):
    """ONNX Runtime Web is nowhere; returns how often it was looked for."""
    calls = []

    def find():
        calls.append(1)
        raise explorer.RuntimeMissingError("ONNX Runtime Web must be at hand")

    monkeypatch.setattr(runtime, "find", find)
    return calls


def test_without_the_runtime_a_file_cannot_be_written(folder, no_runtime, capsys):
    assert main.main(["explore", str(folder), "--output=x.html"]) == 2
    assert "ONNX Runtime Web must be at hand" in capsys.readouterr().err


@pytest.mark.slow
def test_without_the_runtime_a_local_server_runs_the_model(
    folder, namesake, monkeypatch, shown, browser, capsys, no_runtime
):
    """The page that is opened is looked at while the command waits for Ctrl-C.

    Two runs have folders of one name, and each panel shows its own.
    """
    runs = [load(folder), load(namesake)]
    made_lively(runs[1], np.random.default_rng(9))
    loaded = [*runs]
    monkeypatch.setattr(explore.run_flags, "load", lambda values: loaded.pop(0))

    def look():
        path = pathlib.Path(shown[0].removeprefix("file://"))
        view = opened(browser, path, offline=False)
        view.settle()
        for place, run in enumerate(runs):
            panel = f".panel:nth-child({place + 1}) .large canvas"
            assert_shows(view, run, panel, place)
        assert not view.errors
        view.page.context.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(explore, "_wait", look)
    assert main.main(["explore", str(folder), str(namesake)]) == 130
    assert "a local server runs the model" in capsys.readouterr().err
    assert len(no_runtime) == 1
