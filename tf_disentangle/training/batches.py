"""Which images a run sees, and when."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.training.input_pipeline import index_batches


@dataclasses.dataclass(frozen=True)
class Batches:
    """Which images a run sees, and when: a function of (seed, step).

    Attributes:
        training: Indices of the training images.
        held_out: Indices of the validation images.
        batch_size: Images per step.
        seed: Seed of the order.
        with_replacement: Whether images are drawn with replacement.
    """

    training: np.ndarray
    held_out: np.ndarray
    batch_size: int
    seed: int
    with_replacement: bool

    def __post_init__(self) -> None:
        """Checks the batch against the data."""
        checks.integer(self.batch_size, "batch_size", at_least=1)
        checks.require(
            self.batch_size <= len(self.training),
            "batch_size",
            f"be at most the {len(self.training)} training images",
            self.batch_size,
            "Lower batch_size, or validation_size, or take more images.",
        )

    def starting_at(
        self, step: int, num_steps: int, batches_per_step: int = 1
    ) -> tf.data.Dataset:
        """Returns the indices of steps `step` to `num_steps`, int64 [B] each.

        With several batches for each step they are one, int64 [batches_per_step * B].
        """
        return index_batches(
            self.training,
            batches_per_step * self.batch_size,
            self.seed,
            first_step=step,
            with_replacement=self.with_replacement,
            num_steps=num_steps - step,
        )
