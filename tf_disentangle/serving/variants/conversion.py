"""What all conversions share: signatures without variables, silence, clear errors."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tf_disentangle import checks


def freeze(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """Returns signatures of a model whose weights are constants of their graphs.

    The converters lose what a graph captures otherwise: tf2onnx takes its constants for
    inputs, LiteRT leaves out the weights of Keras's variables.

    Args:
        signatures: `tf.function`s with an input signature, by name.

    Returns:
        The same with the same inputs and outputs.
    """
    return {name: _frozen(signature) for name, signature in signatures.items()}


def _frozen(signature: Any) -> Any:
    concrete = signature.get_concrete_function()
    names = sorted(concrete.structured_outputs)  # TensorFlow's order of a dictionary
    constant = convert_to_constants.convert_variables_to_constants_v2(concrete)

    def call(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, tf.nest.flatten(constant(*inputs)), strict=True))

    specs = signature.input_signature
    return tf.function(call, input_signature=specs, autograph=False)


@contextlib.contextmanager
def explaining(variant: str) -> Iterator[None]:
    """Turns what goes wrong in a converter or runtime into an `ArgumentError`.

    Their notes stay off the terminal; after an error they are shown, since they may
    say why.
    """
    try:
        with _quiet():
            yield
    except (checks.ArgumentError, OSError):
        raise
    except Exception as error:  # each of them has kinds of its own
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        remedy = (
            "The networks may have an operation that is unknown there. bin/export "
            "without --variant writes a SavedModel, which takes any."
        )
        text = checks.message("variant", "take this model", f"{variant}: {first}")
        raise checks.ArgumentError(f"{text} {remedy}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Holds back warnings, log messages, and what C++ code writes to stderr."""
    disabled = logging.root.manager.disable
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notes, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except Exception:
            notes.seek(0)
            os.write(kept, notes.read())
            raise
        finally:
            logging.disable(disabled)
            os.dup2(kept, 2)
            os.close(kept)
