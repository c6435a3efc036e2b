"""Versions: which are served, how they are replaced, and that nothing is lost by it."""

import concurrent.futures
import functools
import gc
import pathlib
import shutil
import threading
import time
import weakref
from itertools import count, takewhile

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from google.protobuf import text_format
from grpc import StatusCode
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2 as config_pb2

from tf_disentangle import checks
from tf_disentangle.serving import folders, server
from tf_disentangle.serving.server.errors import ServingError
from tf_disentangle.serving.server.loaded import LoadedVersion
from tf_disentangle.serving.server.rest import ModelSpec
from tf_disentangle.serving.server.store import ModelStore


class Loaded:
    """Stands for a loaded version."""

    def __init__(self, number, folder):
        if (folder / "broken").exists():
            raise OSError("it is broken")
        self.number = number


@pytest.fixture
def base(tmp_path):
    base = tmp_path / "m"
    for name in ("1", "2", "00000010", ".3.tmp", "4.tmp", "five"):
        (base / name).mkdir(parents=True)
    (base / "6").write_text("a file")
    return base


def configured(base, text="", **options):
    store = ModelStore(Loaded, **options)
    store.configure(config(base, text))
    return store


def config(base, text=""):
    model = f'config {{ name: "m" base_path: "{base}" model_platform: "tensorflow" '
    whole = f"model_config_list {{ {model} {text} }} }}"
    return text_format.Parse(whole, config_pb2.ModelServerConfig())


def states(store):
    status = store.status(ModelSpec("m")).model_version_status
    names = status[0].State.Name
    return {entry.version: names(entry.state) for entry in status}


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", [10]),
        ("model_version_policy { latest { num_versions: 2 } }", [2, 10]),
        ("model_version_policy { all {} }", [1, 2, 10]),
        ("model_version_policy { specific { versions: 2 versions: 1 } }", [1, 2]),
    ],
)
def test_policies(base, policy, served):
    store = configured(base, policy)
    assert states(store) == dict.fromkeys(served, "AVAILABLE")
    assert store.find(ModelSpec("m")).number == served[-1]
    assert store.find(ModelSpec("m", served[0])).number == served[0]
    for other in {1, 2, 10, 11} - set(served):
        with pytest.raises(ServingError, match=rf"Specific\(m, {other}\)"):
            store.find(ModelSpec("m", other))


def test_a_new_version_takes_over(base):
    store = configured(base)
    (base / "11").mkdir()
    store.poll()
    assert states(store) == {10: "END", 11: "AVAILABLE"}
    assert store.find(ModelSpec("m")).number == 11
    shutil.rmtree(base / "11")
    store.poll()
    assert store.find(ModelSpec("m")).number == 10


def test_a_version_is_free_after_its_last_request(base):
    store = configured(base)
    request = store.find(ModelSpec("m"))
    kept = weakref.ref(request)
    (base / "11").mkdir()
    store.poll()
    gc.collect()
    assert kept() is request  # a request that began with it goes on with it
    del request
    gc.collect()
    assert kept() is None


def test_a_broken_version_changes_nothing(base):
    store = configured(base, retry_seconds=0.0, most_retries=2)
    (base / "11").mkdir()
    (base / "11" / "broken").touch()
    store.poll()
    assert store.find(ModelSpec("m")).number == 10
    assert states(store) == {10: "AVAILABLE", 11: "END"}
    (entry,) = store.status(ModelSpec("m", 11)).model_version_status
    assert entry.status.error_code == StatusCode.INTERNAL.value[0]
    assert entry.status.error_message == "it is broken"
    # It is tried again, but not for ever.
    (base / "11" / "broken").unlink()
    store.poll()
    assert store.find(ModelSpec("m")).number == 11
    (base / "12").mkdir()
    (base / "12" / "broken").touch()
    for _ in range(3):
        store.poll()
    (base / "12" / "broken").unlink()
    store.poll()
    assert store.find(ModelSpec("m")).number == 11


def test_a_folder_that_is_away_for_a_moment(base):
    store = configured(base)
    base.rename(base.with_name("away"))
    store.poll()
    assert store.find(ModelSpec("m")).number == 10


def test_labels(base):
    text = "model_version_policy { all {} } version_labels { key: 'stable' value: 2 }"
    store = configured(base, text)
    assert store.find(ModelSpec("m", label="stable")).number == 2
    with pytest.raises(ServingError, match="Unrecognized servable version label: new"):
        store.find(ModelSpec("m", label="new"))
    assert set(states(store)) == {1, 2, 10}
    ahead = "version_labels { key: 'next' value: 11 }"
    with pytest.raises(ServingError, match="not currently available"):
        store.configure(config(base, ahead))
    assert store.find(ModelSpec("m", label="stable")).number == 2
    store = configured(base, ahead, labels_in_advance=True)
    with pytest.raises(ServingError, match=r"Specific\(m, 11\)"):
        store.find(ModelSpec("m", label="next"))


def test_another_configuration(base, tmp_path):
    store = configured(base)
    kept = store.find(ModelSpec("m"))
    store.configure(config(base, "model_version_policy { all {} }"))
    assert store.find(ModelSpec("m")) is kept  # not loaded a second time
    other = tmp_path / "other"
    (other / "7").mkdir(parents=True)
    store.configure(config(other))
    assert store.find(ModelSpec("m")).number == 7
    for wrong in (
        config_pb2.ModelServerConfig(),
        config(tmp_path / "nowhere"),
        config(""),
        text_format.Parse(
            'model_config_list { config { name: "m" base_path: "/x" } }',
            config_pb2.ModelServerConfig(),
        ),
    ):
        with pytest.raises(ServingError):
            store.configure(wrong)
        assert store.find(ModelSpec("m")).number == 7


def test_what_was_loaded_in_vain_is_freed(base, tmp_path):
    """With the error still at hand, and although TensorFlow's objects form cycles."""
    loaded = []

    def load(number, folder):
        version = Loaded(number, folder)
        version.itself = version
        loaded.append(weakref.ref(version))
        return version

    both = config(base)
    (tmp_path / "empty").mkdir()
    both.MergeFrom(config(tmp_path / "empty"))
    both.model_config_list.config[1].name = "n"
    gc.disable()
    try:
        with pytest.raises(ServingError, match="Model n did not become available"):
            ModelStore(load).configure(both)
        assert [version() for version in loaded] == [None]
    finally:
        gc.enable()


def saved(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "saved_model.pb").touch()


def test_folders(tmp_path):
    saved(tmp_path, "exports/a/1", "exports/b/00000002", "exports/c/one")
    exports = tmp_path / "exports"
    both = {"a": str(exports / "a"), "b": str(exports / "b")}
    assert folders.models_in(exports) == both
    assert folders.models_in(exports / "a") == {"a": str(exports / "a")}
    assert folders.models_in(exports / "a", "x") == {"x": str(exports / "a")}
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").touch()
    for folder, name, words in [
        (exports, "x", "2 models"),
        (exports / "a" / "1", None, f"one version: serve {exports / 'a'}"),
        (exports / "c", None, "bin/export RUN"),
        (tmp_path / "nowhere", None, "be a folder"),
        (run, None, f"bin/export {run}"),
    ]:
        with pytest.raises(checks.ArgumentError, match=words):
            folders.models_in(folder, name)
    shutil.copytree(exports / "a", run / "export" / "run")
    assert folders.models_in(run) == {"run": str(run / "export" / "run")}


def test_versions_of_a_model(tmp_path):
    """One rule for the exporter, the server and the commands."""
    much = 2**63
    names = ("00000002", "10", str(much - 1), str(much), "9" * 40)
    saved(tmp_path, *(f"a/{name}" for name in (*names, "one", "\u0663", ".1.ab.tmp")))
    (tmp_path / "a" / "4").mkdir()
    (tmp_path / "a" / "5").touch()
    (tmp_path / "b" / ".1.0a1b2c3d.tmp").mkdir(parents=True)
    (tmp_path / "b" / ".1.0a1b2c3d.tmp" / "saved_model.pb").touch()
    assert folders.versions(tmp_path / "a") == [2, 4, 10, much - 1]
    found = folders.saved_models(tmp_path / "a")
    assert {n: path.name for n, path in found.items()} == {
        2: "00000002",
        10: "10",
        much - 1: str(much - 1),
    }
    assert folders.models_below(tmp_path) == [tmp_path / "a"]
    assert folders.versions(tmp_path / "none") == []
    assert folders.saved_models(tmp_path / "none") == {}


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_versions_replaced_under_load(golden_models, tmp_path, seconds):
    """Clients ask all the time; versions come and go: each answer is of its version.

    Version n answers x / 2 + n.
    """
    base = tmp_path / "m"
    for number in (1, 2):
        golden_models.half_plus(float(number), tmp_path / "made" / str(number))

    def add(number, like):
        shutil.copytree(tmp_path / "made" / str(like), base / f".{number}.tmp")
        (base / f".{number}.tmp").rename(base / str(number))

    add(1, 1)
    done = threading.Event()

    def by_rest(served):
        url = f"http://127.0.0.1:{served.rest_port}/v1/models/m"
        with requests.Session() as session:
            for asked in takewhile(lambda _: not done.is_set(), count()):
                body = {"instances": [2.0 * asked]}
                answer = session.post(f"{url}:predict", json=body, timeout=120)
                assert answer.status_code == 200, answer.text
                assert answer.json()["predictions"][0] - asked in (1.0, 2.0)
                assert "AVAILABLE" in session.get(url, timeout=120).text
        return asked

    def by_grpc(served):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "m"
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            for asked in takewhile(lambda _: not done.is_set(), count()):
                request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0 * asked]))
                outputs = stub.Predict(request).outputs
                assert tf.make_ndarray(outputs["y"])[0] - asked in (1.0, 2.0)
        return asked

    with (
        server.start(tmp_path / "m", poll_seconds=0.05) as served,
        concurrent.futures.ThreadPoolExecutor(4) as clients,
    ):
        asked = [clients.submit(ask, served) for ask in [by_rest, by_grpc] * 2]
        end, newest = time.monotonic() + seconds, 1
        try:
            while newest < 3 or time.monotonic() < end:
                newest += 1
                add(newest, 1 + newest % 2)
                wait_for(lambda: served.store.find(ModelSpec("m")).number, newest)
                shutil.rmtree(base / str(newest - 1))
        finally:
            done.set()
        numbers = [request.result() for request in asked]
    assert min(numbers) >= 3


def test_work_that_does_not_end(golden_config, monkeypatch):
    """It is given up after the grace, by both interfaces, and said."""
    monkeypatch.setattr(server.server, "_CLOSING_SECONDS", 1.5)
    gate, working = threading.Event(), threading.Semaphore(0)

    def run(self, *_):
        working.release()
        gate.wait(60)
        return {}

    monkeypatch.setattr(LoadedVersion, "run", run)
    served = server.start(golden_config, labels_in_advance=True)

    def by_rest():
        url = f"http://127.0.0.1:{served.rest_port}/v1/models/half_plus_two:predict"
        answer = requests.post(url, '{"instances": [1.0]}', timeout=120)
        assert answer.status_code == 503
        assert answer.json() == {"error": "The server ends. Try again later."}

    def by_grpc():
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "half_plus_two"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            with pytest.raises(grpc.RpcError):
                stub.Predict(request)

    with concurrent.futures.ThreadPoolExecutor(2) as clients:
        asked = [clients.submit(by_rest), clients.submit(by_grpc)]
        try:
            assert working.acquire(timeout=50) and working.acquire(timeout=50)
            start = time.monotonic()
            assert served.stop(grace_seconds=0) is False
            assert time.monotonic() - start < 30, "it does not wait for them"
        finally:
            gate.set()
        for request in asked:
            request.result()
    assert served.stop() is True


def test_a_configuration_file_is_read_again(golden_models, golden_config, tmp_path):
    file = tmp_path / "models.config"
    text = golden_config.read_text()
    file.write_text(text)
    options = {"labels_in_advance": True, "rest_port": None}
    with server.start(file, config_poll_seconds=0.05, **options) as served:
        wait = functools.partial(wait_for, lambda: served.store.names())
        file.write_text("no configuration")
        assert served.store.names() == ["golden", "half_plus_two"]
        file.write_text(text.replace('name: "golden"', 'name: "renamed"'))
        wait(["half_plus_two", "renamed"])


def wait_for(function, value):
    end = time.monotonic() + 120
    while function() != value:
        assert time.monotonic() < end, function()
        time.sleep(0.02)


def test_warm_up(golden_models, tmp_path):
    """Recorded requests are run; one that fails stops the version."""
    folder = tmp_path / "1"
    golden_models.half_plus(2.0, folder)
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32([1])))

    def record():
        path = pathlib.Path(folder, "assets.extra", "tf_serving_warmup_requests")
        path.parent.mkdir(exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            writer.write(log.SerializeToString())

    record()
    LoadedVersion(1, folder, server.Limits())
    request.inputs["y"].CopyFrom(request.inputs["x"])
    record()
    with pytest.raises(ServingError, match=r"Sent extra: \{y\}"):
        LoadedVersion(1, folder, server.Limits())
    LoadedVersion(1, folder, server.Limits(), warm_up=False)
