"""Training: one run, from data and model to a scored, inspected run folder.

prepare(...) -> Experiment      everything built and checked, nothing written
Experiment.run()                trains, scores, draws; resumes what it finds
train(...)                      both
"""

from tf_disentangle.training.callbacks import NonFiniteError
from tf_disentangle.training.experiment import Experiment, Result
from tf_disentangle.training.options import Device, Intervals
from tf_disentangle.training.preparation import prepare, train
from tf_disentangle.training.run_folder import RunFolder

__all__ = [
    "Device",
    "Experiment",
    "Intervals",
    "NonFiniteError",
    "Result",
    "RunFolder",
    "prepare",
    "train",
]
