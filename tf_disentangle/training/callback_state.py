"""What a user's Keras callbacks know, kept with each checkpoint.

Keras clears it at the start of every `fit`: an `EarlyStopping` that was resumed would
wait anew, and the run end elsewhere. Numbers, text and None among a callback's
attributes are kept; what else a callback may hold (the weights of
`EarlyStopping(restore_best_weights=True)`) is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

State = list[dict[str, Any]]


def state_of(callbacks: Sequence[keras.callbacks.Callback]) -> State:
    """Returns the plain attributes of each callback, as JSON can hold them."""
    return [
        {name: _plain(v) for name, v in vars(callback).items() if _is_plain(v)}
        for callback in callbacks
    ]


class CallbackState(keras.callbacks.Callback):
    """Gives callbacks their state back, which `fit` cleared; to stand behind them.

    Args:
        callbacks: Whose state to keep.
        state: Of an earlier process, as `state_of` returned it.
    """

    def __init__(
        self, callbacks: Sequence[keras.callbacks.Callback], state: State
    ) -> None:
        super().__init__()
        self._callbacks, self._state = callbacks, state

    def on_train_begin(self, logs: Any = None) -> None:
        """Restores it."""
        for callback, values in zip(self._callbacks, self._state, strict=False):
            vars(callback).update(values)

    def on_train_end(self, logs: Any = None) -> None:
        """Keeps it for the next `fit` of the same run."""
        self._state = state_of(self._callbacks)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, np.generic))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
