"""What all tests share: quiet TensorFlow, and a data cache that is not the user's."""

import gc
import os
import pathlib
import signal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from tests.warm import Warm

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


def pytest_configure(config):
    """No search for garbage among what test files import, and Ctrl-C as usual."""
    gc.disable()
    # Children of `nohup make test &` would ignore it, and some tests send it to theirs.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def playwright():
    """Playwright's driver. One for all tests: a process cannot have two at a time."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if not pathlib.Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with sync_api.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright):
    """Debian's Chromium, at /usr/bin/chromium or where $CHROMIUM says."""
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
    flags.append("--enable-precise-memory-info")
    chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    yield chromium
    chromium.close()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Data sets of the tests are cached in a folder of this run."""
    os.environ["TF_DISENTANGLE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
