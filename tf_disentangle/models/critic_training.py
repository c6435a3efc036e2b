"""How a critic is trained beside the model that it criticises."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras

from tf_disentangle import checks
from tf_disentangle.models.optimizers import checked_optimizer


@dataclasses.dataclass(frozen=True)
class CriticTraining:
    """How a critic is trained beside the model.

    Attributes:
        updates: Its steps for each step of the model, at least 1.
        second_batch: Of FactorVAE: whether the codes to be permuted are those of
            further images, as many as the batch has, which a step then encodes too.
        optimizer: A function that makes its optimiser; None is Adam at 1e-4 with
            betas 0.5 and 0.9.
    """

    updates: int = 5
    second_batch: bool = False
    optimizer: Callable[[], keras.optimizers.Optimizer] | None = None

    def __post_init__(self) -> None:
        """Checks the arguments but for the optimiser, which is checked when made."""
        checks.integer(self.updates, "updates", at_least=1)
        checks.require_type(self.second_batch, bool, "second_batch")

    def make_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the optimiser, made in the scope in which this is called."""
        default = keras.optimizers.Adam
        chosen = self.optimizer or (lambda: default(1e-4, beta_1=0.5, beta_2=0.9))
        return checked_optimizer(chosen, prefix="critic.")
