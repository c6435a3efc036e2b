"""Two small runs, of which pages are made."""

import functools

import pytest

from tests.datasets.tiny import Tiny
from tests.training import small

FACTOR = {"factor_of_latent": ["x", "", "y", "x"], "protocol": "study", "score": 0.6}
VOTES = [[9, 1, 0], [0, 0, 0], [1, 5, 0], [3, 0, 0]]
BOUNDS = {"noise": 0.2, "untrained": 0.3, "ceiling": 1.0}
INTERVAL = {
    "mean": 0.6,
    "low": 0.5,
    "high": 0.7,
    "confidence": 0.95,
    "num": 3,
    "method": "t",
}
ROWS = [
    {"step": 4, "scores": {"factor_vae": {**FACTOR, "votes": VOTES}}},
    {"step": 4, "bounds": {"factor_vae": BOUNDS}},
    {
        "step": 4,
        "codes": "mean",
        "intervals": {"factor_vae": INTERVAL},
    },
]

MODEL = functools.partial(small.narrow, latents=4)


@pytest.fixture(scope="session")
def scored_run(tmp_path_factory):
    """A run of four latents with a score, its bounds and its interval."""
    run = small.run(Tiny(), tmp_path_factory.mktemp("runs") / "first", model=MODEL)
    for row in ROWS:
        run.folder.append(row)
    run.draw(kinds=["reconstructions", "matrices"])
    return run


@pytest.fixture(scope="session")
def other_run(tmp_path_factory):
    return small.run(
        Tiny(), tmp_path_factory.mktemp("runs") / "second", model=MODEL, seed=1
    )
