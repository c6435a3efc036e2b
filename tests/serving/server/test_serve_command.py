"""bin/serve as its users start it."""

import concurrent.futures
import contextlib
import functools
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests

from tf_disentangle import checks, serving
from tf_disentangle.cli import serve
from tf_disentangle.cli.main import _parsed, main
from tf_disentangle.serving.server import monitoring, start
from tf_disentangle.serving.server.store import ModelStore

ROOT = pathlib.Path(__file__).parents[3]


def free_ports():
    with socket.create_server(("", 0)) as one, socket.create_server(("", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


def options_for(config, rest, grpc):
    return [
        f"--model_config_file={config}",
        "--allow_version_labels_for_unavailable_models",
        f"--rest_api_port={rest}",
        f"--port={grpc}",
        "--enable_batching=true",
    ]


def wait_for_port(port):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.01)
    raise TimeoutError(port)


def spin_and_end(rest, end):
    """Asks for a second of work, ends the server meanwhile, returns the answer."""
    base, answers = f"http://127.0.0.1:{rest}", []

    def ask():
        body = {"signature_name": "spin", "instances": [1000]}
        answers.append(requests.post(f"{base}/v1/models/golden:predict", json=body))

    asking = threading.Thread(target=ask)
    asking.start()
    page = base + monitoring.DEFAULT_PATH
    while 'in_progress{entrypoint="REST"} 1.0' not in requests.get(page).text:
        assert asking.is_alive()
        time.sleep(0.01)
    end()
    asking.join()
    return answers[0].json()


def test_it_serves_and_ends_with_the_last_answer(golden_config, capsys):
    """With TensorFlow Serving's own flags; SIGTERM while a request is worked on."""
    rest, grpc = free_ports()

    def ask():
        wait_for_port(rest)
        return spin_and_end(rest, lambda: os.kill(os.getpid(), signal.SIGTERM))

    with concurrent.futures.ThreadPoolExecutor(1) as client:
        answer = client.submit(ask)
        assert main(["serve", *options_for(golden_config, rest, grpc)]) == 0
        assert answer.result() == {"predictions": [1000]}
    printed = capsys.readouterr()
    base = f"http://127.0.0.1:{rest}/v1/models"
    assert f"{base}/golden\n{base}/half_plus_two\n" in printed.out
    assert f"gRPC at 127.0.0.1:{grpc}" in printed.out
    assert "--enable_batching has no effect" in printed.err
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.slow
def test_the_launcher(golden_config):
    """As a process of its own, which nothing of it survives."""
    rest, grpc = free_ports()
    process = subprocess.Popen(
        [ROOT / "bin" / "serve", *options_for(golden_config, rest, grpc)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            while "Ctrl-C" not in (line := process.stdout.readline()):
                assert line, process.stderr.read()
            end = functools.partial(process.send_signal, signal.SIGTERM)
            assert spin_and_end(rest, end) == {"predictions": [1000]}
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0
            assert "Traceback" not in errors
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "bin/serve runs/chyvae"),
        (["/nowhere"], "DIR must be a folder"),
        (["--model_base_path=/nowhere"], "--model_base_path must be a folder"),
        (["--model_config_file=/nowhere"], "--model_config_file must be a file"),
        (["DIR", "--model_base_path=x"], "received 'dir, model_base_path'"),
        (["--ssl_config_file=x"], "received '--ssl_config_file'"),
        (["DIR", "--port=-1"], "--port must be a whole number from 0 to 65535"),
        (["DIR", "--port=99999"], "--port must be a whole number from 0 to 65535"),
        (["MODELS", "--port=0", "--rest_api_port=0"], "not both be 0"),
        (["--model_base_path=MODELS"], "--model_base_path must hold one model"),
        (["MODELS", "--model_name=x"], "there are 2 models"),
        (["DIR"], "bin/export RUN writes one"),
        (["ONNX"], "It is a model for ONNX Runtime"),
        (["ONNX/m-onnx"], "It is a model for ONNX Runtime"),
        (["MODELS", "--host=192.0.2.1"], "host must be an address of this machine"),
    ],
)
def test_mistakes(options, words, tmp_path, golden_config, capsys):
    onnx = tmp_path / "onnx" / "m-onnx" / "1" / "encode.onnx"
    onnx.parent.mkdir(parents=True)
    onnx.touch()
    places = {"DIR": tmp_path / "empty", "MODELS": golden_config.parent}
    places |= {"ONNX": tmp_path / "onnx"}
    places["DIR"].mkdir()
    for name, place in places.items():
        options = [option.replace(name, str(place)) for option in options]
    assert main(["serve", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("result", "status"), [(True, 0), (False, 1), (None, 130)])
def test_threads_that_do_not_end(result, status, monkeypatch):
    """Python would wait for them; a second Ctrl-C does not wait either."""
    statuses = []

    class Stopping:
        def stop(self):
            if result is None:
                raise KeyboardInterrupt
            return result

    monkeypatch.setattr(os, "_exit", statuses.append)
    with serve._ending(Stopping()):
        pass
    assert statuses == [status] * bool(status)


@pytest.mark.parametrize("option", ["port", "rest_api_port"])
def test_a_port_that_is_taken(option, golden_config, capfd, monkeypatch):
    """One message before models are loaded, and nothing of gRPC's own on stderr."""
    monkeypatch.setattr(ModelStore, "configure", None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = {"port": 0, "rest_api_port": 0} | {option: port}
        options = [f"--{name}={value}" for name, value in others.items()]
        assert main(["serve", str(golden_config.parent), *options]) == 2
    last = capfd.readouterr().err.splitlines()[1:]
    assert last == [
        f"tf_disentangle serve: {option} must be a free port; received {port}. "
        f"Another program listens there: choose another --{option}."
    ]


@pytest.mark.parametrize("option", ["rest_port", "grpc_port"])
def test_no_port_there_is(option, golden_config):
    with pytest.raises(checks.ArgumentError, match=f"{option} must be 0 to 65535"):
        start(golden_config.parent, **{option: 99999})


def test_options_without_effect_come_last_in_help(capsys):
    assert main(["serve", "--help"]) == 0
    options = re.findall(r"^  --(\w+)\n      (.*)", capsys.readouterr().out, re.M)
    idle = [text.startswith("Without effect") for _, text in options]
    assert sum(idle) == 11 and idle == sorted(idle)


def test_tensorflows_notes_are_kept_from_the_terminal(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    serve._import_tensorflow(_parsed(serve.FLAGS, "serve", [], ("dir",)))
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_an_unusable_configuration(tmp_path, capsys):
    file = tmp_path / "models.config"
    for text, words in [
        ("no configuration", "be the text of a ModelServerConfig"),
        ("model_config_list {}", "at least one model"),
        ('model_config_list { config { name: "a" base_path: "/x" } }', "tensorflow"),
    ]:
        file.write_text(text)
        assert main(["serve", f"--model_config_file={file}"]) == 2
        assert words in capsys.readouterr().err


def test_without_what_it_needs(golden_config, capsys, monkeypatch):
    monkeypatch.delattr(serving, "server")
    monkeypatch.setitem(sys.modules, "tf_disentangle.serving.server", None)
    assert main(["serve", str(golden_config.parent)]) == 2
    assert "pip install 'tf_disentangle[serving]'" in capsys.readouterr().err
