"""What all conversions share: signatures without variables, silence, clear errors."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from tf_disentangle import checks

_SILENCE = threading.RLock()


def freeze(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """Returns signatures of a model whose weights are constants of their graphs.

    Otherwise, the converters lose what a graph captures: tf2onnx takes its constants
    for inputs, and LiteRT leaves out the weights of Keras's variables.

    Args:
        signatures: `tf.function`s with an input signature, by name.

    Returns:
        The same with the same inputs and outputs.

    Raises:
        ArgumentError: If a network computes in 16 bits, which the runtimes do not, or
            do differently.
    """
    return {name: _frozen(signature) for name, signature in signatures.items()}


def _frozen(signature: Any) -> Any:
    concrete = signature.get_concrete_function()
    computed = {t.dtype for op in concrete.graph.get_operations() for t in op.outputs}
    half = sorted(d.name for d in computed if d in (tf.bfloat16, tf.float16))
    rule = "be 'savedmodel' for networks that do not compute in float32"
    remedy = "For other runtimes train with precision='float32'."
    checks.require(not half, "variant", rule, ", ".join(half), remedy)
    names = sorted(concrete.structured_outputs)  # TensorFlow's order of a dictionary
    constant = convert_to_constants.convert_variables_to_constants_v2(concrete)

    def call(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, tf.nest.flatten(constant(*inputs)), strict=True))

    specs = signature.input_signature
    return tf.function(call, input_signature=specs, autograph=False)


@contextlib.contextmanager
def explaining(variant: str) -> Iterator[None]:
    """Turns what goes wrong in a converter or runtime into an `ArgumentError`.

    Their messages stay off the terminal; after an error they are shown, since they may
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
    """Holds back warnings, log messages, and what C++ code writes to stderr.

    This affects the whole process: the output of other threads is held back too. Only
    one thread at a time does it, since they would otherwise restore each other's
    stderr.
    """
    with _SILENCE, tempfile.TemporaryFile() as notes, warnings.catch_warnings():
        disabled = logging.root.manager.disable
        sys.stderr.flush()
        kept = os.dup(2)
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
