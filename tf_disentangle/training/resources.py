"""What a run takes of its machine: memory, disk, and the threads of TensorFlow."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.client import device_lib

from tf_disentangle import checks

try:
    import resource
except ImportError:  # Windows
    resource = None

_FULL_DISK = ("No space left", "File too large", "Disk quota exceeded")


class OutOfMemoryError(checks.ArgumentError):
    """The device has not enough memory for a step of this size."""


@contextlib.contextmanager
def explaining_exhaustion(batch_size: int, output: object) -> Iterator[None]:
    """Turns what TensorFlow says of a full disk or memory into an `ArgumentError`.

    Args:
        batch_size: Images per step, for the message.
        output: What is written to, for the message.
    """
    try:
        yield
    except (tf.errors.OpError, MemoryError) as error:
        reason = str(error).strip().splitlines()[:1]
        if any(sign in str(error) for sign in _FULL_DISK):
            remedy = "Free some space or choose another folder."
            raise checks.ArgumentError(
                checks.message("output", "be writable", f"{output}: {reason}", remedy)
            ) from error
        if not isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
            raise
        rule = "leave room for a step in the device's memory"
        remedy = "Lower batch_size or the networks' width."
        raise OutOfMemoryError(
            checks.message("batch_size", rule, batch_size, f"{remedy} {reason}")
        ) from error


def device_bytes() -> int:
    """Returns the memory of the smallest GPU, or of the machine if there is none."""
    if not tf.config.list_logical_devices("GPU"):
        return available_bytes()
    # TensorFlow says this nowhere else.
    devices = device_lib.list_local_devices()
    return min(d.memory_limit for d in devices if d.device_type == "GPU")


def available_bytes() -> int:
    """Returns the memory that this process may use at most: machine, cgroup, ulimit."""
    limits = [_machine_bytes()]
    cgroup = pathlib.Path("/sys/fs/cgroup/memory.max")
    if cgroup.exists() and (text := cgroup.read_text().strip()).isdigit():
        limits.append(int(text))
    if resource is not None:
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            limits.append(limit)
    return min(limits)


def _machine_bytes() -> int:
    """Returns the memory of the machine; no limit where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 62
