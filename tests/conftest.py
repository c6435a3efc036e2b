"""What all tests share: quiet TensorFlow, and a data cache that is not the user's."""

import gc
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from tests.warm import Warm

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


def pytest_configure(config):
    """What the test files import stays: no search for garbage among it."""
    gc.disable()


def pytest_collection_finish(session):
    """Graphs make a hundred times as many objects as the usual threshold expects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def warm():
    """Processes of their own that start at once: warm.run(code, *arguments)."""
    with Warm() as processes:
        yield processes


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Data sets of the tests are cached in a folder of this run."""
    os.environ["TF_DISENTANGLE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
