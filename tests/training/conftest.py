"""Runs that several files go on with: each is trained once."""

import functools
import shutil

import pytest

import tf_disentangle
from tests.training.small import run
from tf_disentangle.datasets import CorrelatedEllipses


@pytest.fixture(scope="session")
def data():
    return CorrelatedEllipses(num_images=80)


@pytest.fixture(scope="session")
def whole(data, tmp_path_factory):
    """Uninterrupted runs, each trained once, one drawn too: whole(steps) -> Run."""

    @functools.cache
    def trained(steps):
        folder = tmp_path_factory.mktemp("whole")
        if steps == 6:
            return run(data, folder, steps, do=tf_disentangle.train)
        return run(data, folder, steps, diagnosed=True)

    return trained


@pytest.fixture
def begun(whole, tmp_path):
    """Copies of such runs, to go on with: begun(steps) -> folder."""

    def copied(steps):
        folder = tmp_path / "begun"
        shutil.copytree(whole(steps).folder.path, folder)
        return folder

    return copied
