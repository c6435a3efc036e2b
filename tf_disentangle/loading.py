"""Loading a trained run: `tf_disentangle.load(run)`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Sequence

import numpy as np

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset
from tf_disentangle.models import LatentModel
from tf_disentangle.training import Experiment, RunFolder
from tf_disentangle.training.checkpoints import find, restore_weights, step_of


@dataclasses.dataclass(frozen=True)
class LoadedRun:
    """A trained run.

    Attributes:
        folder: The run folder.
        experiment: The run as configured: metrics, batches, intervals.
        step: Steps that the weights have seen.
    """

    folder: RunFolder
    experiment: Experiment
    step: int

    @property
    def model(self) -> LatentModel:
        """The model with its trained weights."""
        return self.experiment.model

    @property
    def dataset(self) -> Dataset:
        """The data set that it was trained on."""
        return self.experiment.dataset

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [N, H, W, C] to codes [N, L]."""
        return self.model.encode(images)


def load(
    run: str | os.PathLike,
    checkpoint: str = "last",
    bindings: Sequence[str] = (),
    later: Collection[str] = (),
) -> LoadedRun:
    """Loads a run that was configured by gin; see `tf_disentangle.load`.

    Args:
        run: The run folder.
        checkpoint: "last" or "best".
        bindings: gin bindings on top of the run's own.
        later: Functions that the caller will configure, by name: what is bound to
            them may be unused so far.
    """
    from tf_disentangle import configuration  # gin only where it is needed

    folder = RunFolder.existing(run)
    checks.require(
        folder.config.exists(),
        "run",
        "have a config.gin",
        str(run),
        "A run started from Python has none: build the model as you did and call "
        "training.checkpoints.restore_weights(model, training.checkpoints.find("
        "folder)).",
    )
    configuration.parse([str(folder.config)], bindings)
    experiment = configuration.build("train", output=str(folder))
    path = find(folder.checkpoints, checkpoint)
    restore_weights(experiment.model, path)
    return LoadedRun(folder, experiment, step_of(path))
