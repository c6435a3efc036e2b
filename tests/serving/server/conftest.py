"""One server for the tests of this folder that only ask."""

import importlib.util
import pathlib

import pytest

from tf_disentangle.serving import server


def _sibling(name):
    path = pathlib.Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden_models():
    return _sibling("golden_models")


@pytest.fixture(scope="session")
def golden_config(golden_models, tmp_path_factory):
    return golden_models.write(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="session")
def served(golden_config):
    limits = server.Limits(
        body_bytes=2**20, rows=100, image_pixels=2**20, request_pixels=2**21
    )
    options = {"limits": limits, "labels_in_advance": True, "timeout_seconds": 20}
    with server.start(golden_config, **options) as running:
        yield running
