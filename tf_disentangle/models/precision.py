"""The precisions of networks, and where bfloat16 is emulated."""

from __future__ import annotations

import os
import pathlib
import warnings

import tensorflow as tf

PRECISIONS = ("float32", "mixed_bfloat16")


def warn_of_emulation(precision: str) -> None:
    """Warns where networks would compute in bfloat16 on a machine that emulates it."""
    if precision == "mixed_bfloat16" and not computes_in_bfloat16():
        warnings.warn(
            "This machine has no bfloat16 arithmetic: TensorFlow emulates it, and steps"
            " take many times as long. Take precision='float32'.",
            stacklevel=4,
        )


def computes_in_bfloat16() -> bool:
    """Whether this machine has a GPU, or a processor with bfloat16 instructions.

    Without them TensorFlow emulates each operation.
    """
    if tf.config.list_physical_devices("GPU"):
        return True
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return False
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    if limit not in ("ALL", "DEFAULT") and not limit.endswith(("BF16", "AMX", "FP16")):
        return False
    try:
        known = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in known or "amx_bf16" in known
