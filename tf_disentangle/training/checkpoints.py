"""Checkpoints of a run: the last few, and the best by validation ELBO.

checkpoints/step-1200/            one folder each, renamed into place when complete
    state.index  state.data-...   what TensorFlow wrote
    checkpoint.json               step, notes, CRC-32 of each file and its own
checkpoints/best/step-800/
checkpoints/damaged-step-1200/    set aside: its files are not what was written
"""

from __future__ import annotations

import json
import logging
import os
import pathlib
import shutil
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from tf_disentangle import checks, files

_STATE = "state"
_RECORD = "checkpoint.json"
# Keras's name for the counter of a layer's random numbers.
_COUNTER = "seed_generator_state"
_logger = logging.getLogger(__name__)


class Checkpoints:
    """Saves and restores a compiled model with its optimiser.

    Batches and random numbers are functions of (seed, step), so the whole state of a
    run is its weights, optimiser, step and the counters of layers that have random
    numbers of their own, such as Dropout.

    Args:
        model: A model with a built optimiser.
        folder: The folder of the checkpoints; the best goes to `folder/best`.
        keep: How many of the last to keep.

    Attributes:
        latest: The newest intact checkpoint that was saved or restored, or None.
        notes: Called at each save; returns JSON values to be kept with it.
    """

    def __init__(
        self, model: keras.Model, folder: str | os.PathLike, keep: int = 2
    ) -> None:
        self.folder = pathlib.Path(folder)
        self.latest: pathlib.Path | None = None
        self.notes: Callable[[], dict[str, Any]] = dict
        self._keep = keep
        # TensorFlow does not find them in Keras's layers.
        counters = [v.value for v in model.variables if v.name == _COUNTER]
        self._state = tf.train.Checkpoint(model=model, counters=counters)

    def save(self, step: int, best: bool = False) -> pathlib.Path:
        """Writes a checkpoint, removes those it replaces, and returns its path."""
        folder = self.folder / "best" if best else self.folder
        path = folder / f"step-{step}"
        # Making a removed run folder again would leave only part of a run.
        rule, remedy = "stay in place while the run writes to it", "Start it again."
        present = self.folder.parent.is_dir()
        checks.require(present, "output", rule, str(self.folder.parent), remedy)
        with files.replacing(path) as temporary:
            temporary.mkdir()
            try:
                self._state.write(str(temporary / _STATE))
            except tf.errors.OpError as error:
                # "{{function_node ...}} the path; the reason [Op:SaveV2]"
                reason = error.message.rsplit(";", 1)[-1].split("[Op:")[0].strip()
                rule = "have room for a checkpoint"
                raise checks.ArgumentError(
                    checks.message(str(self.folder), rule, reason)
                ) from error
            contents = _contents(temporary)
            record = {"step": step, "notes": self.notes(), "files": contents}
            record["crc32"] = _checksum(record)
            (temporary / _RECORD).write_text(json.dumps(record, indent=2))
        if best:
            others = [other for other in all_saved(folder) if other != path]
        else:
            self.latest, others = path, all_saved(folder)[: -self._keep]
        for other in others:
            files.remove(other)
        return path

    def restore(self, path: pathlib.Path | None) -> int:
        """Restores the checkpoint that `newest` returned; returns its step, 0 for None.

        Raises:
            ArgumentError: If it belongs to another model.
        """
        self.latest = path
        if path is None:
            return 0
        _restore(self._state, path)
        return step_of(path)

    def record(self) -> dict[str, Any]:
        """Returns the record of `latest`, {} if there is none."""
        return {} if self.latest is None else read_record(self.latest)

    def set_aside_damaged(self) -> None:
        """Renames the damaged checkpoints after `latest`, to set them aside."""
        for path in all_saved(self.folder):
            if self.latest is not None and step_of(path) > step_of(self.latest):
                aside = path.with_name(f"damaged-{path.name}")
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)


def read_record(checkpoint: pathlib.Path) -> dict[str, Any]:
    """Returns a checkpoint's step, notes and files."""
    return json.loads((checkpoint / _RECORD).read_text(encoding="utf-8"))


def step_of(checkpoint: str | os.PathLike) -> int:
    """Returns the step in a checkpoint's name, ".../step-1200" -> 1200."""
    return int(pathlib.Path(checkpoint).name.rsplit("-", 1)[1])


def has_any(folder: str | os.PathLike) -> bool:
    """Whether `folder` has a checkpoint from which a run would resume."""
    return bool(all_saved(pathlib.Path(folder)))


def newest(folder: str | os.PathLike) -> pathlib.Path | None:
    """Returns the newest intact checkpoint in `folder`, None if there is none at all.

    A damaged one is named in a warning, and the one before it is taken.

    Raises:
        ArgumentError: If there are some and all are damaged.
    """
    damaged = ""
    for path in reversed(all_saved(pathlib.Path(folder))):
        damage = _damage(path)
        if damage is None:
            return path
        damaged += f"{path}: {damage}. "
        _logger.warning("%s: %s. Trying the checkpoint before it.", path, damage)
    remedy = "None is left to resume from. Train in another folder. "
    remedy += checks.see("resume_and_reproduce")
    checks.require(not damaged, "checkpoint", "be intact", damaged, remedy)
    return None


def find(folder: str | os.PathLike, which: str = "last") -> pathlib.Path:
    """Returns the path of a run's "last" or "best" checkpoint.

    Raises:
        ArgumentError: If there is none, or all are damaged.
    """
    checks.one_of(which, ("last", "best"), "checkpoint")
    folder = pathlib.Path(folder)
    path = newest(folder / "best" if which == "best" else folder)
    rule = f"have a {which} checkpoint in {folder}"
    remedy = "The first one is written when Intervals.save steps are done."
    if which == "best":
        remedy = (
            "A model with a likelihood has one from its first checkpoint on, if images "
            "are held out and validated; InfoGAN has none. Use the last one."
        )
    checks.require(path is not None, "run", rule, checks.NOTHING, remedy)
    return path


def restore_weights(model: keras.Model, checkpoint: str | os.PathLike) -> None:
    """Restores a model's weights, leaving any optimiser as it is.

    Args:
        model: A model of the same parts as the one that was saved.
        checkpoint: A checkpoint, as `find` returns it.

    Raises:
        ArgumentError: If the weights in the checkpoint are not those of the model.
    """
    holder = tf.train.Checkpoint(model=tf.train.Checkpoint(**model.parts))
    _restore(holder, pathlib.Path(checkpoint))


def all_saved(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the checkpoints in a folder, intact or not, the oldest first."""
    paths = [p for p in folder.glob("step-*") if p.name[len("step-") :].isdigit()]
    return sorted(paths, key=step_of)


def _contents(folder: pathlib.Path) -> dict[str, int]:
    """Returns the CRC-32 of each file in a checkpoint but the record."""
    paths = sorted(path for path in folder.iterdir() if path.name != _RECORD)
    return {path.name: files.checksum(path) for path in paths}


def _checksum(record: Mapping[str, Any]) -> int:
    """Returns the CRC-32 of a record without the record's own CRC-32."""
    return zlib.crc32(json.dumps(record, sort_keys=True).encode())


def _damage(path: pathlib.Path) -> str | None:
    """Returns why a checkpoint cannot be used, None if it can."""
    try:
        record = read_record(path)
        if record.pop("crc32") != _checksum(record):
            return f"{_RECORD} is not what was written (checksum)"
        expected: dict[str, Any] = dict(record["files"])
        present = _contents(path)
    except FileNotFoundError:
        return f"{_RECORD} is missing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    except (ValueError, KeyError, TypeError) as error:
        return f"{_RECORD} is damaged ({error})"
    for name in sorted({*expected, *present}):
        if name not in present:
            return f"{name} is missing"
        if expected.get(name) != present[name]:
            return f"{name} is not what was written (checksum)"
    return None


def _restore(holder: tf.train.Checkpoint, path: pathlib.Path) -> None:
    """Restores all that `holder` holds, or says why it cannot."""
    try:
        status = holder.read(str(path / _STATE))
        status.assert_existing_objects_matched().expect_partial()
    except (AssertionError, ValueError, IndexError, tf.errors.OpError) as error:
        rule = "hold the weights of this model"
        remedy = f"Are networks and latents those of the run? ({error})"
        message = checks.message("checkpoint", rule, str(path), remedy)
        raise checks.ArgumentError(message) from error
