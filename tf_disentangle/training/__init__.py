"""Training: the loop of a run, its callbacks, checkpoints and folder.

`tf_disentangle.train` and `tf_disentangle.load` (run.py) call it.
"""

from tf_disentangle import determinism
from tf_disentangle.training.callbacks import NonFiniteError
from tf_disentangle.training.options import Device, Intervals
from tf_disentangle.training.run_folder import RunFolder

determinism.run_operations_in_turn()

__all__ = [
    "Device",
    "Intervals",
    "NonFiniteError",
    "RunFolder",
]
