"""Checkpoints of a run: the last few, and the best by validation ELBO."""

from __future__ import annotations

import os
import pathlib

import keras
import tensorflow as tf

from tf_disentangle import checks, files


class Checkpoints:
    """Saves and restores a compiled model with its optimiser.

    The step is `model.optimizer.iterations`, so weights, optimiser state and position
    in the data are one thing: batches and draws are functions of (seed, step).

    Args:
        model: A model with a built optimiser.
        folder: Where to keep them; the best goes to `folder/best`.
        keep: How many of the last to keep.
    """

    def __init__(
        self, model: keras.Model, folder: str | os.PathLike, keep: int = 2
    ) -> None:
        self.folder = pathlib.Path(folder)
        self._checkpoint = tf.train.Checkpoint(model=model)
        self._last = self._manager(self.folder, keep)
        self._best = self._manager(self.folder / "best", 1)

    def _manager(self, folder: pathlib.Path, keep: int) -> tf.train.CheckpointManager:
        return tf.train.CheckpointManager(
            self._checkpoint, str(folder), max_to_keep=keep, checkpoint_name="step"
        )

    @property
    def latest(self) -> str | None:
        """Path of the newest checkpoint, None if there is none."""
        return self._last.latest_checkpoint

    def save(self, step: int, best: bool = False) -> str:
        """Writes a checkpoint and returns its path.

        TensorFlow writes the parts under temporary names and renames them; the index
        that makes a checkpoint visible comes last.
        """
        manager = self._best if best else self._last
        with files.explaining(self.folder):
            try:
                return manager.save(checkpoint_number=step)
            except tf.errors.OpError as error:
                rule = "have room for a checkpoint"
                raise checks.ArgumentError(
                    checks.message(str(self.folder), rule, error.message)
                ) from error

    def restore_latest(self) -> int | None:
        """Restores the newest checkpoint; returns its step, None if there is none."""
        if self.latest is None:
            return None
        _restore(self._checkpoint, self.latest)
        return step_of(self.latest)


def step_of(checkpoint: str) -> int:
    """Returns the step in a checkpoint's name, "…/step-1200" -> 1200."""
    return int(checkpoint.rsplit("-", 1)[1])


def has_any(folder: str | os.PathLike) -> bool:
    """Whether a run that finds `folder` goes on from a checkpoint in it."""
    return tf.train.latest_checkpoint(str(folder)) is not None


def find(folder: str | os.PathLike, which: str = "last") -> str:
    """Returns the path of a run's "last" or "best" checkpoint.

    Raises:
        ArgumentError: If there is none.
    """
    checks.one_of(which, ("last", "best"), "checkpoint")
    folder = pathlib.Path(folder)
    path = tf.train.latest_checkpoint(
        str(folder / "best" if which == "best" else folder)
    )
    checks.require(
        path is not None,
        "run",
        f"have a {which} checkpoint in {folder}",
        "none",
        "It is written at the first checkpoint; train longer.",
    )
    return path


def restore_weights(model: keras.Model, checkpoint: str) -> None:
    """Restores a model's weights, leaving any optimiser as it is.

    Raises:
        ArgumentError: If the weights in the checkpoint are not those of the model.
    """
    parts = {"encoder": model.encoder, "decoder": model.decoder}
    parts["latents"] = model.latents
    _restore(tf.train.Checkpoint(model=tf.train.Checkpoint(**parts)), checkpoint)


def _restore(holder: tf.train.Checkpoint, path: str) -> None:
    """Restores all that `holder` holds, or says why it cannot."""
    try:
        status = holder.restore(path)
        status.assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, IndexError, tf.errors.OpError) as error:
        raise checks.ArgumentError(
            checks.message(
                "checkpoint",
                "be whole and hold the weights of this model",
                path,
                f"Are networks and latents those of the run? ({error})",
            )
        ) from error
