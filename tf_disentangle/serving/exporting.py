"""Export of a model for servers and other runtimes, with its card.

    DESTINATION/NAME/VERSION/            a SavedModel, its warm-up file and model card
    DESTINATION/NAME-onnx/VERSION/       the same for ONNX Runtime; -openvino, -litert
    DESTINATION/models.config, batching.config, monitoring.config

A version is written under a temporary name, loaded, queried, and then renamed: a server
that polls the folder never sees half of one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tf_disentangle import checks, files
from tf_disentangle.interfaces import Resizing
from tf_disentangle.models import LatentModel
from tf_disentangle.serving import card, config_files, destinations, warmup
from tf_disentangle.serving.destinations import SAVED_MODEL
from tf_disentangle.summary import held_out_images, summarize

if TYPE_CHECKING:
    from tf_disentangle.run import Run

_logger = logging.getLogger(__name__)


def export(
    model: LatentModel,
    destination: str | os.PathLike,
    name: str,
    version: int | None = None,
    *,
    variant: str = SAVED_MODEL,
    precision: str = "float32",
    summary: Mapping[str, Any] | None = None,
    resizing: Resizing | None = None,
    images: np.ndarray | None = None,
) -> pathlib.Path:
    """Writes a version of a model that runs without this library.

    Args:
        model: The model.
        destination: Folder of the models.
        name: The model's name at the server; a variant's has "-VARIANT" added.
        version: Positive integer; None is one more than the highest that is there.
        variant: "savedmodel" for TensorFlow Serving; "onnx", "openvino" or "litert",
            see `serving.variants`.
        precision: Precision of the weights: "float32", or another one that the variant
            has.
        summary: What the card says of the run, as `summary.summarize` gives it.
        resizing: How images of other sizes became those of the data; None is
            `Resizing()`.
        images: Images [N, H, W, C], a few dozen, on which a variant is compared with
            the model; None draws random ones.

    Returns:
        The path of the version's folder.

    Raises:
        ArgumentError: If the version exists, the folder cannot be written, the name is
            not valid for a server, an answer is not finite, or the variant does not
            take the model.
    """
    is_saved_model = variant == SAVED_MODEL
    options = {"variant": variant, "precision": precision}
    folder = destinations.check(destination, name, version, **options)
    summary = {"latents": card.of_columns(model.columns)} | dict(summary or {})
    resizing = Resizing() if resizing is None else resizing
    with _locked(folder):
        target = folder / str(destinations.free_version(folder, version))
        with files.replacing(target) as temporary:
            about: dict[str, Any] = dict(options)
            made = model.signatures(resizing)
            if is_saved_model:
                _write_saved_model(model, temporary, target, resizing)
            else:
                from tf_disentangle.serving import variants

                asked = (model, temporary, variant, precision, images)
                about["errors"] = variants.write(*asked)
                made = {signature: made[signature] for signature in about["errors"]}
            about |= {
                "name": folder.name,
                "version": int(target.name),
                "image_shape": list(model.image_shape),
            }
            card.write(temporary, card.make(model, summary, made, resizing, **about))
    if is_saved_model:
        with files.explaining(folder.parent, "destination"):
            config_files.write(folder.parent, folder.name)
    return target


def export_run(
    run: Run,
    destination: str | os.PathLike | None = None,
    name: str | None = None,
    version: int | None = None,
    *,
    variant: str = SAVED_MODEL,
    precision: str = "float32",
) -> pathlib.Path:
    """Writes a version of the model of a run, with all that its card can say.

    Args:
        run: The run.
        destination: Folder of the models; None is the run folder's export/.
        name: The model's name at the server; None is the run folder's name, or that
            of the objective of a run in memory.
        version: As for `export`, and the same holds for what follows.
        variant: A variant is compared with the model on held-out images of the run.
        precision: Of the weights.

    Returns:
        The path of the version's folder.

    Raises:
        ArgumentError: As `export`, or if a run in memory has no destination.
    """
    own_name = run.model.objective.name
    if run.folder is not None:
        if destination is None and not run.folder.is_published:
            destination = run.folder.export
        own_name = run.folder.name
    name = own_name if name is None else name
    rule = "be given for a published model or a run in memory"
    checks.require(destination, "destination", rule, destination)
    options: dict[str, Any] = {"variant": variant, "precision": precision}
    destinations.check(destination, name, version, **options)
    about: dict[str, Any] = {"resizing": resizing_of(run), "summary": summarize(run)}
    if variant != SAVED_MODEL:
        about["images"] = held_out_images(run)
    return export(run.model, destination, name, version, **about, **options)


def resizing_of(run: Run) -> Resizing:
    """Returns how images become those of the run's data; the usual if they are gone."""
    try:
        return run.data.resizing
    except checks.ArgumentError as error:
        text = "Images of other sizes will be resized in the usual way: %s"
        _logger.warning(text, error)
        return Resizing()


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
    """Makes the folder of a model's versions, and keeps other exports out of it.

    If the export fails and nothing else is there, the folder is removed again.
    """
    with files.explaining(folder, "destination"):
        folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    waiting = f"Another process exports to {folder}; waiting for it."
    with files.locked(lock, "destination", notice=waiting):
        files.remove_temporaries(folder)
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                if {path.name for path in folder.iterdir()} <= {lock.name}:
                    # Who waits for the lock finds its file gone, and makes another.
                    lock.unlink(missing_ok=True)
                    folder.rmdir()
            raise


def _write_saved_model(
    model: LatentModel, folder: pathlib.Path, target: pathlib.Path, resizing: Resizing
) -> None:
    """Writes a SavedModel and its warm-up file, and asks it what a server will.

    Args:
        model: The model.
        folder: Where to.
        target: What the folder will be called: NAME/VERSION.
        resizing: Of `encode_bytes`.
    """
    asked = warmup.requests(model)
    with _explaining(target):
        model.export(folder, verbose=False, resizing=resizing)
        if warmup.is_available():
            warmup.write(folder, target.parent.name, asked)
    if not warmup.is_available():
        _logger.warning(
            "tensorflow-serving-api is not installed: the version has no warm-up file, "
            "so that a server's first answers take longer. "
            "pip install 'tf_disentangle[serving]' and export again to have one."
        )
    warmup.replay(folder, asked)


@contextlib.contextmanager
def _explaining(target: pathlib.Path) -> Iterator[None]:
    """Turns TensorFlow's errors in writing files into an `ArgumentError`.

    Errors of the model itself keep their own type.
    """
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
        raise
    except tf.errors.OpError as error:
        rule, remedy = "be writable", "Free some space or choose another folder."
        reason = error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]
        received = f"{target.parent}: {reason}"
        text = checks.message("destination", rule, received, remedy)
        raise checks.ArgumentError(text) from error
