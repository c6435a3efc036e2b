"""One operation at a time on a CPU, so that the same run gives the same bits.

With two threads for operations, about one run in fifty on a busy machine came out
different in the last bits, with no kill or resume involved: what oneDNN chooses seems
to depend on which thread is first to run an operation. Each operation still spreads
over all cores; with two of them a step took about a fifth longer than with two
operations at a time, the median of rounds that scatter (docs/performance.md).
"""

from __future__ import annotations

import functools
import os
import warnings

_VARIABLE = "TF_NUM_INTEROP_THREADS"


def run_operations_in_turn() -> None:
    """Has TensorFlow start one operation at a time on a CPU.

    The packages that use TensorFlow call this when they are imported, since it takes
    the setting only before its first operation. A number that was chosen before,
    by `tf.config.threading` or the variable TF_NUM_INTEROP_THREADS, stays.
    """
    import tensorflow as tf

    chosen = tf.config.threading.get_inter_op_parallelism_threads()
    if chosen or _VARIABLE in os.environ or tf.config.list_physical_devices("GPU"):
        return
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        _warn_once()


@functools.cache
def _warn_once() -> None:
    warnings.warn(
        "TensorFlow ran before tf_disentangle was imported, and starts several "
        "operations at once: about one run in fifty may differ from another of the "
        "same seed in the last bits. For equal bits import tf_disentangle.training "
        f"first, or set {_VARIABLE}=1.",
        stacklevel=4,
    )
