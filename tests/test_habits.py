"""What a reader with PyTorch's habits tries first is answered with what to do."""

import functools
import re

import numpy as np
import pytest

import tf_disentangle as td

IMAGES = np.zeros((6, 8, 8, 1), np.uint8)
DATA = td.datasets.ImageTable(IMAGES)


@pytest.fixture(scope="module")
def run():
    narrow = {
        name: functools.partial(network, width=4)
        for name, network in {
            "encoder": td.networks.mlp_encoder,
            "decoder": td.networks.mlp_decoder,
        }.items()
    }
    model = td.models.build_vae(DATA, latents=2, **narrow)
    return td.train(model, DATA, steps=1, batch_size=2, validation_size=2, dry_run=True)


@pytest.mark.parametrize(
    ("try_it", "remedy"),
    [
        (
            lambda run: run.encode(np.moveaxis(IMAGES, -1, 1)),
            "Move the channels last: np.moveaxis(images, 1, -1).",
        ),
        (lambda run: run.decode(np.zeros(2)), "Add an axis: codes[np.newaxis]."),
        (lambda run: run.score("MIG"), "Did you mean mig?"),
        (
            lambda run: td.train(run.model, IMAGES, steps=1),
            "Make one of the array: datasets.ImageTable(images).",
        ),
        (
            lambda run: td.train(DATA, run.model, steps=1),
            "The model comes first: train(model, data, steps=...).",
        ),
        (
            lambda run: td.models.build_vae((3, 64, 64)),
            "Write (64, 64, 3): images have their channels last.",
        ),
    ],
    ids=["channels", "one code", "case", "array", "order", "shape"],
)
def test_the_answer_says_what_to_do(try_it, remedy, run):
    with pytest.raises((ValueError, TypeError), match=re.escape(remedy)):
        try_it(run)


def test_the_remedies_work(run):
    moved = np.moveaxis(IMAGES, -1, 1)
    assert run.encode(np.moveaxis(moved, 1, -1)).shape == (6, 2)
    assert run.decode(np.zeros(2)[np.newaxis]).shape == (1, 8, 8, 1)
    assert len(td.datasets.ImageTable(IMAGES)) == 6
