"""The model store: trained models as folders that others load, check and look at.

    run.publish("models/chyvae")            in the layout of Hugging Face; works alone
    tf_disentangle.load("models/chyvae")            checked; nothing of it is run
    tf_disentangle.load("store:chyvae_ellipses")    it comes with the library

docs/store.md says what each file is. Names are imported when they are first used: a
command checks what a path is before TensorFlow is loaded.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tf_disentangle.store.places import PREFIX, is_published, locate, shipped

if TYPE_CHECKING:
    from tf_disentangle.store.folder import PublishedFolder
    from tf_disentangle.store.publishing import publish
    from tf_disentangle.training import RunFolder

_PLACES = {"PublishedFolder": "folder", "publish": "publishing"}

__all__ = [
    "PREFIX",
    "PublishedFolder",
    "folder_of",
    "is_published",
    "locate",
    "opener",
    "publish",
    "shipped",
]


def folder_of(
    path: str | os.PathLike, argument: str = "run", trust: bool = False
) -> RunFolder:
    """Returns the folder of a run, or a published model in its place.

    Args:
        path: A run folder; a published model's folder or archive; or "store:NAME".
        argument: What errors call it.
        trust: Whether to import a published model's copies of its author's modules.

    Raises:
        ArgumentError: If it is neither, or a published model is damaged.
    """
    if is_published(path):
        from tf_disentangle.store.folder import PublishedFolder

        return PublishedFolder(locate(path), trust)
    from tf_disentangle.training import RunFolder

    return RunFolder.existing(path, argument)


def opener(
    path: str | os.PathLike | None, argument: str
) -> Callable[[], RunFolder] | None:
    """Returns a function that does `folder_of` later; None for no path."""
    return None if path is None else functools.partial(folder_of, path, argument)


def __getattr__(name: str) -> Any:
    """Imports what is asked for."""
    if name in _PLACES:
        module = importlib.import_module(f"tf_disentangle.store.{_PLACES[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module 'tf_disentangle.store' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, imported or not."""
    return sorted({*globals(), *__all__})
