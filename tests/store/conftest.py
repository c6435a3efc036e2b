"""One published model for the tests that only read or damage copies of it."""

import pytest

import tf_disentangle as td
from tests import undrawn
from tests.store import published
from tf_disentangle.store import publishing

_draw = publishing._draw


@pytest.fixture(scope="session", autouse=True)
def undrawn_models():
    """Pictures take as long as all else, and are drawn for one model alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "_draw", lambda run, folder: None)
        yield


@pytest.fixture(scope="session")
def data():
    return td.datasets.CorrelatedEllipses(num_images=80)


@pytest.fixture(scope="session")
def original(data):
    """The run that `folder` was published from."""
    return published.untrained("chyvae", data)


@pytest.fixture(scope="session")
def folder(original, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "_draw", _draw)
        return original.publish(path, **published.SMALL)


@pytest.fixture
def copy(folder, tmp_path):
    """A copy to damage."""
    return published.copied(folder, tmp_path / "copy")


@pytest.fixture(scope="session")
def trained(data, tmp_path_factory):
    """A run of one step with a folder and a score."""
    output = tmp_path_factory.mktemp("author") / "run"
    options = {"output": output, "metrics": ["mig"], **published.SETTINGS}
    return undrawn.train(published.build("chyvae"), data, **options)
