"""Resident and streamed images: which, and that the run is the same."""

import functools

import numpy as np
import pytest

from tests import undrawn
from tf_disentangle import checks, configuration
from tf_disentangle.datasets import DSprites
from tf_disentangle.models import build_vae
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.training import Device, Intervals, resident
from tf_disentangle.training.input_pipeline import Batches, InputPipeline
from tf_disentangle.training.resident import ResidentImages

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1)).astype(np.uint8)
BATCHES = Batches(np.arange(300), np.arange(0), 16, 3, False)
narrow = functools.partial(
    build_vae,
    encoder=functools.partial(mlp_encoder, width=8),
    decoder=functools.partial(mlp_decoder, width=8),
)


class OnDisk:
    """An image array that is neither an array in memory nor made of tables."""

    def __init__(self, images):
        self._images = images
        self.shape, self.dtype = images.shape, images.dtype

    def __len__(self):
        return len(self._images)

    def __getitem__(self, key):
        return self._images[key]


def batches(images, is_resident, first=0):
    pipeline = InputPipeline(images, BATCHES, is_resident)
    load = pipeline.load_images or (lambda batch: batch)
    return np.stack([load(batch) for batch in pipeline.starting_at(first, 25)])


def test_streamed_batches_are_the_resident_ones():
    held = batches(IMAGES, True)
    np.testing.assert_array_equal(batches(IMAGES, False), held)
    np.testing.assert_array_equal(batches(OnDisk(IMAGES), None), held)
    np.testing.assert_array_equal(batches(OnDisk(IMAGES), None, 7), held[7:])


def test_what_is_small_is_held_and_what_is_large_is_streamed(monkeypatch):
    def held(images):
        return InputPipeline(images, BATCHES).load_images is not None

    monkeypatch.setattr(resident, "device_bytes", lambda: 2 * IMAGES.nbytes)
    assert held(IMAGES)
    assert not held(OnDisk(IMAGES))
    monkeypatch.setattr(resident, "device_bytes", lambda: 2 * IMAGES.nbytes - 1)
    assert not held(IMAGES)
    # Sprites count by their tables, not by the 3 GB that they decode to.
    monkeypatch.setattr(resident, "device_bytes", lambda: 60_000_000)
    assert held(DSprites().images())
    monkeypatch.undo()
    assert resident.may_reside(IMAGES)


def test_what_can_only_be_streamed_cannot_be_held():
    with pytest.raises(checks.ArgumentError, match=r"Device.resident must.*True"):
        InputPipeline(OnDisk(IMAGES), BATCHES, True)
    with pytest.raises(checks.ArgumentTypeError, match="resident must be bool"):
        Device(resident="yes")


def run(data, output, steps=4, resident=None):
    result = undrawn.train(
        narrow,
        data,
        output=str(output),
        steps=steps,
        batch_size=8,
        validation_size=0,
        intervals=Intervals(log=2, evaluate=2, save=2, pictures=0),
        device=Device(resident=resident),
    )
    return [v.numpy() for v in result.model.variables]


def test_a_run_may_change_from_one_to_the_other(tmp_path):
    data = DSprites()
    resident = run(data, tmp_path / "a", resident=True)
    run(data, tmp_path / "b", steps=2, resident=False)
    streamed = run(data, tmp_path / "b", resident=False)
    assert all(map(np.array_equal, streamed, resident))


def test_dsprites_by_one_binding(tmp_path):
    configuration.parse(["beta_vae.gin"], ["train.data = @DSprites()"])
    run = configuration.build("train", output=str(tmp_path), dry_run=True)
    assert isinstance(run.data, DSprites)
    pipeline = InputPipeline(run.data.images(), run.batches)
    assert isinstance(pipeline.load_images, ResidentImages)
