"""Optimisers, made and checked before the first step."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from tf_disentangle import checks

# Keras takes any value of these. The bounds are (above, at least, below), where None is
# no bound. An optimiser may lack one of these settings, or have None for it.
_BOUNDS = {
    "beta_1": (None, 0.0, 1.0),
    "beta_2": (None, 0.0, 1.0),
    "rho": (None, 0.0, 1.0),
    "epsilon": (None, 0.0, None),
    "weight_decay": (None, 0.0, None),
    "clipnorm": (0.0, None, None),
    "clipvalue": (0.0, None, None),
    "global_clipnorm": (0.0, None, None),
}


def checked_optimizer(
    optimizer: Callable[[], keras.optimizers.Optimizer]
    | keras.optimizers.Optimizer
    | None,
    prefix: str = "",
) -> keras.optimizers.Optimizer:
    """Returns the optimiser, made here so that its variables are in the current scope.

    Args:
        optimizer: A function that makes the optimiser, or the optimiser itself; None
            means Adam at 1e-4.
        prefix: Put before the names of its settings in errors, to tell two apart.

    Raises:
        ArgumentError: If one of the optimiser's numbers is out of range, or its
            learning rate is a function that needs arguments.
        ArgumentTypeError: If it is not an optimiser, or a number has another type.
    """
    if optimizer is None:
        return keras.optimizers.Adam(1e-4)
    made = optimizer() if callable(optimizer) else optimizer
    remedy = "Pass a function that makes one, such as keras.optimizers.Adam."
    argument = f"{prefix}optimizer"
    checks.require_type(made, keras.optimizers.Optimizer, argument, remedy)
    checks.real(_learning_rate(made), f"{prefix}learning_rate", at_least=0.0)
    is_scaled = isinstance(made, keras.optimizers.LossScaleOptimizer)
    inner = made.inner_optimizer if is_scaled else made
    for name, (above, at_least, below) in _BOUNDS.items():
        value = getattr(inner, name, None)
        if value is not None:
            name = f"{prefix}{name}"
            checks.real(value, name, above=above, at_least=at_least)
            rule = f"be less than {below}"
            checks.require(below is None or value < below, name, rule, value)
    return made


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the first step's learning rate."""
    try:
        # A strategy has a variable of its own kind here, which float() refuses.
        rate = float(tf.convert_to_tensor(optimizer.learning_rate))
    except TypeError as error:
        rule, found = "be a number or a schedule", "a function that needs arguments"
        remedy = "Pass a number, or a schedule that was called with its arguments."
        raise checks.ArgumentError(
            checks.message("learning_rate", rule, found, remedy)
        ) from error
    return float(f"{rate:.7g}")  # as it was given: it went through float32
