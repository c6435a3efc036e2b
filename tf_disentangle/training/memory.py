"""Whether a step can fit into the machine's memory, before the first one is tried."""

from __future__ import annotations

import math
import os
import pathlib

import keras

from tf_disentangle import checks

try:
    import resource
except ImportError:  # Windows
    resource = None


def require_memory(model: keras.Model, batch_size: int) -> None:
    """Checks that the activations of one step fit into memory.

    The system kills a process that takes too much, and no message is left. Only a
    lower bound is known beforehand: the outputs of the networks' layers, which the
    gradient needs all at once. So what passes may still be too much.

    Args:
        model: With its networks among `parts`.
        batch_size: Images per step.

    Raises:
        ArgumentError: If even that is more than there is.
    """
    needed = batch_size * _bytes_per_image(model)
    limit = available_bytes()
    checks.require(
        needed <= limit,
        "batch_size",
        f"leave room for a step in the {limit / 1e9:.3g} GB of memory",
        f"{batch_size}, whose activations take at least {needed / 1e9:.3g} GB",
        "Lower train.batch_size or the networks' width.",
    )


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


def _bytes_per_image(model: keras.Model) -> int:
    """Returns the size of all layers' outputs for one image."""
    layers = keras.layers
    total, views = 0, (layers.Flatten, layers.Reshape, layers.Activation)
    networks = [p for p in model.parts.values() if isinstance(p, keras.Model)]
    for network in networks:
        for layer in network.layers:
            if isinstance(layer, views):
                continue
            size = 2 if layer.compute_dtype in ("bfloat16", "float16") else 4
            total += size * math.prod(layer.output.shape[1:])
    return total
