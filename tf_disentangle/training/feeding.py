"""How images reach the train step: held on the device, or streamed from the host."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.client import device_lib

from tf_disentangle import checks
from tf_disentangle.interfaces import ImageArray
from tf_disentangle.training.batches import Batches
from tf_disentangle.training.input_pipeline import streamed
from tf_disentangle.training.memory import available_bytes
from tf_disentangle.training.resident import ResidentImages, resident_bytes


class Feed:
    """Gives a model its batches: the same images in the same order, either way.

    Args:
        images: Of the data set.
        batches: Which of them, and when.
        resident: Whether the device holds the images; None is `may_reside(images)`.
        batches_per_step: How many batches a step takes at once.

    Attributes:
        load_images: For `VAE.load_images`: gathers a batch of indices on the device;
            None if the batches are images themselves.

    Raises:
        ArgumentError: If images are to be held that can only be streamed.
    """

    def __init__(
        self,
        images: ImageArray,
        batches: Batches,
        resident: bool | None = None,
        batches_per_step: int = 1,
    ) -> None:
        if resident is None:
            resident = may_reside(images)
        rule = "be False or None for images that are not an array in memory"
        can = not resident or resident_bytes(images) is not None
        checks.require(can, "Device.resident", rule, resident)
        self.load_images = ResidentImages(images) if resident else None
        self._images = images
        self._batches = batches
        self._each = batches_per_step

    def starting_at(self, step: int, num_steps: int) -> tf.data.Dataset:
        """Returns batches `step` to `num_steps`, of indices or of images."""
        batches = self._batches.starting_at(step, num_steps, self._each)
        if self.load_images is not None:
            return batches
        return streamed(batches, self._images)


def stretches(first: int, steps: int, interval: int) -> list[tuple[int, int]]:
    """Returns [first, steps] in calls of `fit`: the rest of an interval stands apart.

    Only a run that was stopped inside an interval has such a rest.
    """
    whole = -(-first // interval) * interval
    ends = [(first, whole), (whole, steps)]
    return [(start, end) for start, end in ends if start < end]


def may_reside(images: ImageArray) -> bool:
    """Whether images take at most half the memory of each device that would hold them.

    The other half is the model's. Image arrays that are neither an array nor
    `BinaryImages` never may.
    """
    size = resident_bytes(images)
    return size is not None and size <= _device_bytes() // 2


def _device_bytes() -> int:
    """Returns the memory of the smallest GPU, or of the machine if there is none."""
    if not tf.config.list_logical_devices("GPU"):
        return available_bytes()
    # TensorFlow says this nowhere else.
    devices = device_lib.list_local_devices()
    return min(d.memory_limit for d in devices if d.device_type == "GPU")
