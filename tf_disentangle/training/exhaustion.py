"""A full disk or memory, as TensorFlow says it and as we do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.training.run_folder import RunFolder

FULL_DISK = ("No space left", "File too large", "Disk quota exceeded")


class OutOfMemoryError(checks.ArgumentError):
    """The device has not the memory for a step of this size."""


@contextlib.contextmanager
def explained(batch_size: int, folder: RunFolder) -> Iterator[None]:
    """Turns what TensorFlow says of a full disk or memory into our own error."""
    try:
        yield
    except (tf.errors.OpError, MemoryError) as error:
        reason = str(error).strip().splitlines()[:1]
        if any(sign in str(error) for sign in FULL_DISK):
            remedy = "Free some space or choose another folder."
            raise checks.ArgumentError(
                checks.message("output", "be writable", f"{folder}: {reason}", remedy)
            ) from error
        if not isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
            raise
        rule = "leave room for a step in the device's memory"
        remedy = "Lower train.batch_size or the networks' width."
        raise OutOfMemoryError(
            checks.message("batch_size", rule, batch_size, f"{remedy} {reason}")
        ) from error
