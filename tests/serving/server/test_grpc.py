"""The gRPC services, asked by TensorFlow Serving's own messages; monitoring."""

import re

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tf_disentangle import checks
from tf_disentangle.serving import server
from tf_disentangle.serving.server import monitoring


@pytest.fixture(scope="module")
def channel(served):
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def ask(stub, spec, wanted=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=wanted)
    text_format.Parse(spec, request.model_spec)
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return stub.Predict(request)


def code(function, *arguments, **options):
    with pytest.raises(grpc.RpcError) as caught:
        function(*arguments, **options)
    return caught.value.code(), caught.value.details()


@pytest.mark.parametrize(
    "which", ["", "version { value: 123 }", "version_label: 'stable'"]
)
def test_predict(stub, which):
    response = ask(stub, f"name: 'half_plus_two' {which}", x=np.float32([[1], [2]]))
    assert tf.make_ndarray(response.outputs["y"]).tolist() == [[2.5], [3.0]]
    spec = response.model_spec
    assert (spec.name, spec.version.value) == ("half_plus_two", 123)
    assert spec.signature_name == "serving_default"


def test_both_encodings_of_a_tensor(stub):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half_plus_two"
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.CopyFrom(tf.TensorShape([3]).as_proto())
    tensor.float_val.extend([2.0, 4.0])  # the last value stands for the rest
    outputs = stub.Predict(request).outputs
    assert tf.make_ndarray(outputs["y"]).tolist() == [3.0, 4.0, 4.0]


def test_no_rows(stub):
    x = np.zeros((0, 2), np.uint8)
    response = ask(stub, "name: 'golden' signature_name: 'pixels'", x=x)
    assert tf.make_ndarray(response.outputs["y"]).shape == (0, 2)


def test_some_outputs(stub):
    spec, numbers = "name: 'golden' signature_name: 'two'", np.int32([1])
    response = ask(stub, spec, ["sum"], a=numbers, b=numbers)
    assert list(response.outputs) == ["sum"]
    status, details = code(ask, stub, spec, ["none"], a=numbers, b=numbers)
    assert status == grpc.StatusCode.INVALID_ARGUMENT
    assert "expected to be in the set {difference,sum}." in details


def test_strings(stub):
    spec = "name: 'golden' signature_name: 'strings'"
    texts = np.array([b"a", b"", b"\0\xff\0"], object)
    response = ask(stub, spec, x=texts)
    assert list(response.outputs["y"].string_val) == texts.tolist()


def test_metadata_is_the_same_by_both(stub, served):
    """And what the SavedModel's file says."""
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "golden"
    status, details = code(stub.GetModelMetadata, request)
    assert status == grpc.StatusCode.INVALID_ARGUMENT
    assert "at least one metadata_field" in details
    request.metadata_field.append("signature_def")
    response = stub.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    two = signatures.signature_def["two"]
    assert sorted(two.inputs) == ["a", "b"]
    assert two.outputs["sum"].dtype == tf.int32.as_datatype_enum

    url = f"http://127.0.0.1:{served.rest_port}/v1/models/golden/metadata"
    found = requests.get(url, timeout=120).json()
    assert found["model_spec"] == {
        "name": "golden",
        "signature_name": "",
        "version": "1",
    }
    pixels = found["metadata"]["signature_def"]["signature_def"]["pixels"]
    assert pixels["method_name"] == "tensorflow/serving/predict"
    assert pixels["defaults"] == {}
    assert pixels["inputs"]["x"] == {
        "dtype": "DT_UINT8",
        "name": signatures.signature_def["pixels"].inputs["x"].name,
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
            "unknown_rank": False,
        },
    }
    request.metadata_field.append("other")
    assert code(stub.GetModelMetadata, request)[0] == grpc.StatusCode.INVALID_ARGUMENT


def test_status(models):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus_two"
    (entry,) = models.GetModelStatus(request).model_version_status
    assert (entry.version, entry.state) == (123, entry.AVAILABLE)
    request.model_spec.version.value = 7
    status, details = code(models.GetModelStatus, request)
    assert status == grpc.StatusCode.NOT_FOUND
    assert details == "Could not find version 7 of model half_plus_two"


def test_what_is_not_offered(stub):
    status, _ = code(stub.Classify, classification_pb2.ClassificationRequest())
    assert status == grpc.StatusCode.UNIMPLEMENTED


def test_reload_and_health_and_two_servers(golden_config):
    options = {"labels_in_advance": True, "rest_port": None}
    with server.start(golden_config, **options) as served:
        with pytest.raises(checks.ArgumentError, match="free port"):
            server.start(golden_config, **{**options, "grpc_port": served.grpc_port})
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for service in ("", "PredictionService", "ModelService"):
                request = health_pb2.HealthCheckRequest(service=service)
                assert health.Check(request).status == 1
            models = model_service_pb2_grpc.ModelServiceStub(channel)
            request = model_management_pb2.ReloadConfigRequest()
            text = golden_config.read_text().replace('"golden"', '"renamed"')
            text_format.Parse(text, request.config)
            response = models.HandleReloadConfigRequest(request)
            assert response.status.error_code == 0
            assert served.store.names() == ["half_plus_two", "renamed"]
            request.config.model_config_list.config[0].base_path = "/nowhere"
            status, details = code(models.HandleReloadConfigRequest, request)
            assert status == grpc.StatusCode.FAILED_PRECONDITION
            assert "half_plus_two did not become available" in details
            assert served.store.names() == ["half_plus_two", "renamed"]


def test_what_prometheus_reads(served, stub):
    """Counted by model and status; a name that a client made up is not kept."""
    base = f"http://127.0.0.1:{served.rest_port}"

    def count(**labels):
        page = requests.get(base + monitoring.DEFAULT_PATH, timeout=120).text
        assert "made_up" not in page
        for name, found, value in re.findall(r"(\w+_total)\{(.*?)\} (.*)", page):
            if dict(re.findall(r'(\w+)="(.*?)"', found)) == labels:
                assert name == "tf_disentangle_requests_total"
                return float(value)
        return 0.0

    good = {"model": "half_plus_two", "method": "predict", "status": "OK"}
    unknown = {"model": "", "method": "predict", "status": "NOT_FOUND"}
    watched = [
        {**labels, "entrypoint": entrypoint}
        for labels in (good, unknown)
        for entrypoint in ("REST", "GRPC")
    ]
    before = [count(**labels) for labels in watched]
    for name in ("half_plus_two", "made_up"):
        url = f"{base}/v1/models/{name}:predict"
        requests.post(url, json={"instances": [1.0]}, timeout=120)
    ask(stub, "name: 'half_plus_two'", x=np.float32([1]))
    code(ask, stub, "name: 'made_up'", x=np.float32([1]))
    assert [count(**labels) for labels in watched] == [n + 1 for n in before]


def test_the_path_of_a_monitoring_configuration(tmp_path):
    file = tmp_path / "monitoring.config"
    for text, path in [
        ('prometheus_config { enable: true path: "/m" }', "/m"),
        ("prometheus_config { enable: true }", monitoring.DEFAULT_PATH),
        ('prometheus_config { path: "/m" }', None),
        ("", None),
    ]:
        file.write_text(text)
        assert server.metrics_path(file) == path
    file.write_text("prometheus_config { no: true }")
    with pytest.raises(checks.ArgumentError, match="MonitoringConfig"):
        server.metrics_path(file)


def test_pages_of_any_origin_may_ask(golden_config):
    options = {"labels_in_advance": True, "grpc_port": None, "cors": True}
    with server.start(golden_config, **options) as served:
        url = f"http://127.0.0.1:{served.rest_port}/v1/models/half_plus_two:predict"
        headers = {
            "Origin": "http://localhost:1234",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "Content-Type",
        }
        asked = requests.options(url, headers=headers, timeout=120)
        assert asked.status_code == 200
        assert "POST" in asked.headers["access-control-allow-methods"]
        body = {"instances": [1.0]}
        answer = requests.post(url, json=body, headers=headers, timeout=120)
        assert answer.headers["access-control-allow-origin"] == "*"
        headers["Origin"] = "null"  # of a page that was opened as a file
        assert requests.options(url, headers=headers, timeout=120).status_code == 200
