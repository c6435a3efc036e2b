"""The precisions of networks, and where bfloat16 is emulated."""

from __future__ import annotations

import os
import pathlib
import warnings

import tensorflow as tf

from tf_disentangle import checks

PRECISIONS = ("float32", "mixed_bfloat16")

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def check_precision(precision: str) -> None:
    """Checks that this machine can compute in a precision.

    Warns if the machine emulates bfloat16: a step then takes many times as long.

    Raises:
        ArgumentError: If there is no such precision, or oneDNN was told not to use
            bfloat16 instructions, with which TensorFlow crashes.
    """
    checks.one_of(precision, PRECISIONS, "precision")
    on_gpu = tf.config.list_physical_devices("GPU")
    if precision == "float32" or on_gpu:
        return
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()
    has_bfloat16 = limit in ("ALL", "DEFAULT") or "BF16" in limit or "AMX" in limit
    rule = f"be 'float32' under ONEDNN_MAX_CPU_ISA={limit}"
    checks.require(has_bfloat16, "precision", rule, precision)
    if not computes_in_bfloat16():
        warnings.warn(
            "This machine has no bfloat16 arithmetic: TensorFlow emulates it, and steps"
            " take many times as long. Take precision='float32'.",
            stacklevel=4,
        )


def computes_in_bfloat16() -> bool:
    """Whether the processor has bfloat16 instructions and TensorFlow uses them."""
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return False
    try:
        known = _CPU_INFO.read_text()
    except OSError:
        return False
    return "avx512_bf16" in known or "amx_bf16" in known
