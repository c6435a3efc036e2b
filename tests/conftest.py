"""What all tests share: quiet TensorFlow, and a data cache that is not the user's."""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Data sets of the tests are cached in a folder of this run."""
    os.environ["TF_DISENTANGLE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
