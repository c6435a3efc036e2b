"""Images held where the model runs, gathered and decoded inside the train step."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
import tensorflow as tf
from tensorflow.python.client import device_lib

from tf_disentangle import checks
from tf_disentangle.datasets.binary_images import BinaryImages
from tf_disentangle.interfaces import ImageArray

try:
    import resource
except ImportError:  # Windows
    resource = None

# TensorFlow aborts the process on tensors of other alignment.
_ALIGNMENT = 64
# The eight values, 0 or 255, whose bits a byte holds.
_VALUES_OF_BYTE = 255 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)


def can_reside(images: ImageArray) -> TypeGuard[np.ndarray | BinaryImages]:
    """Whether images are an array or `BinaryImages`; others can only be streamed."""
    return isinstance(images, (np.ndarray, BinaryImages))


def may_reside(images: ImageArray) -> bool:
    """Whether images take at most half the memory of each device that would hold them.

    The other half is left to the model. For `BinaryImages`, the tables count.
    """
    if not can_reside(images):
        return False
    arrays = images.tables if isinstance(images, BinaryImages) else (images,)
    return sum(array.nbytes for array in arrays) <= device_bytes() // 2


def device_bytes() -> int:
    """Returns the memory of the smallest GPU, or of the machine if there is none."""
    if not tf.config.list_logical_devices("GPU"):
        return available_bytes()
    # TensorFlow says this nowhere else.
    devices = device_lib.list_local_devices()
    return min(d.memory_limit for d in devices if d.device_type == "GPU")


def available_bytes() -> int:
    """Returns the memory that this process may use at most: machine, cgroup, ulimit."""
    limits = [1 << 62]  # where the system does not say
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    cgroup = pathlib.Path("/sys/fs/cgroup/memory.max")
    if cgroup.exists() and (text := cgroup.read_text().strip()).isdigit():
        limits.append(int(text))
    if resource is not None:
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits += [limit] if limit != resource.RLIM_INFINITY else []
    return min(limits)


class ResidentImages:
    """Images held where the model runs; gathers batches inside a `tf.function`.

    For `BinaryImages` the tables are held, and a batch is decoded on the device.

    This is a plain object around immutable tensors: neither Keras nor
    `tf.train.Checkpoint` tracks it, so the data never land in a checkpoint.

    On the CPU the tensor shares the array's memory, so that a memory map stays one
    (its pages are read when they are gathered and the system may drop them); only an
    array that is not contiguous or not aligned to 64 bytes, as numpy's own often are
    not, is copied once. The array must not be changed afterwards. Every GPU gets its
    own copy; make the object inside `strategy.scope()` for more than one.

    Args:
        images: uint8 [n, H, W, C], or vectors, float32 [n, 1, 1, C], or `BinaryImages`.
        devices: Devices of the replicas, in their order; None means those of the
            current `tf.distribute` strategy, or else the first GPU, or else the CPU.
    """

    def __init__(
        self, images: np.ndarray | BinaryImages, devices: Sequence[str] | None = None
    ) -> None:
        arrays: tuple[np.ndarray, ...]
        if isinstance(images, BinaryImages):
            self._binary, arrays = images, (_VALUES_OF_BYTE, *images.tables)
        else:
            images = checks.images_or_vectors(images)
            self._binary, arrays = None, (images,)
        checks.require(len(images), "images", "not be empty", images.shape)
        devices = _default_devices() if devices is None else tuple(devices)
        checks.require(devices, "devices", "name one device or more", devices)
        self.shape = images.shape
        self.devices = devices
        host = [_shared_tensor(_aligned(array)) for array in arrays]
        # For each device a tensor of each array.
        self._copies = tuple(
            tuple(_on_device(tensor, device) for tensor in host) for device in devices
        )

    def __len__(self) -> int:
        return self.shape[0]

    def __call__(self, indices: tf.Tensor) -> tf.Tensor:
        """Gathers the images of `indices` [B], as the array gives them."""
        held = self._copies[_replica() % len(self._copies)]
        if self._binary is None:
            return tf.gather(held[0], indices)
        bits = self._binary.packed(tf.cast(indices, tf.int64), held[1:], tf.gather)
        byte = tf.cast(tf.bitcast(bits, tf.uint8), tf.int32)
        values = tf.gather(held[0], byte)
        return tf.reshape(values, [-1, *self.shape[1:]])


def _default_devices() -> tuple[str, ...]:
    """The current strategy's devices, else the first GPU, else the CPU."""
    if tf.distribute.has_strategy():
        return tuple(tf.distribute.get_strategy().extended.worker_devices)
    gpus = tf.config.list_logical_devices("GPU")
    return (gpus[0].name,) if gpus else ("/device:CPU:0",)


def _replica() -> int:
    """The number of the replica that is being run or traced; 0 outside replicas."""
    context = tf.distribute.get_replica_context()
    if context is None:
        return 0
    return int(tf.get_static_value(context.replica_id_in_sync_group) or 0)


def _aligned(images: np.ndarray) -> np.ndarray:
    """Returns `images` itself if TensorFlow can share its memory, else a copy."""
    images = np.asarray(images)
    if images.flags.c_contiguous and images.ctypes.data % _ALIGNMENT == 0:
        return images
    buffer = np.empty(images.nbytes + _ALIGNMENT, np.uint8)
    first = -buffer.ctypes.data % _ALIGNMENT
    copy = buffer[first : first + images.nbytes].view(images.dtype)
    copy = copy.reshape(images.shape)
    copy[...] = images
    return copy


class _Unlocked:
    """Lets a read-only array be exported; nobody writes to an immutable tensor."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array  # kept alive as long as the view of it
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def _shared_tensor(array: np.ndarray) -> tf.Tensor:
    """A CPU tensor in the memory of `array`, which it keeps alive.

    `tf.constant` and `tf.convert_to_tensor` copy, and hold a second copy meanwhile.
    """
    view = np.asarray(_Unlocked(array))
    with tf.device("/device:CPU:0"):
        return tf.experimental.dlpack.from_dlpack(view.__dlpack__())


def _on_device(host: tf.Tensor, device: str) -> tf.Tensor:
    """The tensor on `device`; every CPU device shares the host's memory."""
    if tf.DeviceSpec.from_string(device).device_type == "CPU":
        return host
    with tf.device(device):
        return tf.identity(host)
