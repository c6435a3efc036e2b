"""bin/explore, in this process."""

import http.server
import socket
import threading
import webbrowser

import pytest

from tests.explorer.test_page import described
from tf_disentangle.cli import explore, main
from tf_disentangle.explorer import address


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
    with socket.create_server(("localhost", 0)) as taken:
        server = f"http://localhost:{taken.getsockname()[1]}"
    runs = [str(folder), str(folder)]
    options = [f"--output={path}", f"--server={server}"]
    assert main.main(["explore", *runs, *options]) == 0
    said = capsys.readouterr()
    assert said.out == f"{path}\n"
    assert f"WARNING: No answer from {server}/v1/models/vae (" in said.err
    assert not shown
    told = described(path)
    assert told["server"] == server
    assert [run["folder"] for run in told["runs"]] == runs


@pytest.mark.parametrize("server", ["grpc://localhost:8500", "localhost:8501"])
def test_what_is_no_address_is_refused_before_the_run_is_loaded(server, capsys):
    assert main.main(["explore", "nowhere", f"--server={server}"]) == 2
    error = capsys.readouterr().err
    assert "--server must be an address such as http://localhost:8501" in error
    assert "by gRPC" in error
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
        f"{base} does not let pages ask: start the server with {option}."
    )
    headers["Access-Control-Allow-Origin"] = "*"
    assert address.trouble(base, "a b") == ""
    assert "answers 404 Not Found: does it serve" in address.trouble(base, "other")


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
