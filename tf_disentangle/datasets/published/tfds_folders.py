"""Sets that TensorFlow Datasets has prepared, read through it.

Its order of images is a shuffled one; a grid's factors put them in order again.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.files.source import Block, Source
from tf_disentangle.datasets.published.rows import PublishedSet

_MARK = "dataset_info.json"
_BATCH = 256


def is_one(folder: pathlib.Path) -> bool:
    """Whether TensorFlow Datasets made this folder, or the one version inside it."""
    return bool(_versions(folder))


def prepared(row: PublishedSet, data_dir: pathlib.Path) -> pathlib.Path | None:
    """The set's prepared folder in `data_dir`, $TFDS_DATA_DIR or the usual place."""
    if row.tfds is None:
        return None
    usual = "~/tensorflow_datasets"
    roots = (data_dir / "tfds", os.environ.get("TFDS_DATA_DIR", usual), usual)
    for root in roots:
        folder = pathlib.Path(root).expanduser() / row.tfds.name
        if is_one(folder):
            return folder
    return None


def read(row: PublishedSet, split: str, folder: pathlib.Path) -> Source:
    """Reads a prepared folder.

    Raises:
        ArgumentError: If it holds another set or is damaged.
    """
    names = row.tfds
    rule = "be published files"
    remedy = "TensorFlow Datasets does not have this set."
    checks.require(names is not None, "source", rule, str(folder), remedy)
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(_versions(folder)[-1])
        info = builder.info.splits[names.splits[split]]
    except (ValueError, KeyError, AssertionError, OSError) as error:
        rule = f"hold the split {names.splits[split]}"
        message = checks.message(str(folder), rule, str(error).splitlines()[0])
        raise checks.ArgumentError(message) from error
    rule = f"hold {names.name}"
    checks.require(
        builder.info.name == names.name, str(folder), rule, builder.info.name
    )

    def batches(decoders: Any = None) -> Iterator[dict]:
        config = tfds.ReadConfig(try_autocache=False)
        images = builder.as_dataset(
            split=names.splits[split],
            batch_size=_BATCH,
            decoders=decoders,
            read_config=config,
        )
        return iter(tfds.as_numpy(images))

    def blocks() -> Iterator[Block]:
        for batch in batches():
            yield batch["image"]

    skip = {
        k: tfds.decode.SkipDecoding()
        for k in ("image", "image2")
        if k in builder.info.features
    }
    columns = [
        np.stack([_feature(batch, name) for name in names.factors], axis=1)
        for batch in batches(skip)
    ]
    factors = np.concatenate(columns).astype(np.int64)
    return Source(info.num_examples, blocks, factors)


def _feature(batch: dict, name: str) -> np.ndarray:
    """A feature by its path."""
    for part in name.split("/"):
        batch = batch[part]
    return batch


def _versions(folder: pathlib.Path) -> list[pathlib.Path]:
    """The prepared versions at or below a folder, the newest last."""
    if (folder / _MARK).exists():
        return [folder]
    found = (path.parent for path in folder.glob(f"*/{_MARK}"))
    return sorted(
        found, key=lambda p: [int(n) if n.isdigit() else 0 for n in p.name.split(".")]
    )
