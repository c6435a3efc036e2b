"""Prepares, lists and shows data sets.

    bin/data list                                what there is, and what is prepared
    bin/data info shapes3d                       factors, files, licence, how to get it
    bin/data prepare shapes3d                    fetches and prepares it
    bin/data prepare shapes3d --source=3dshapes.h5
    bin/data prepare mnist --split=test --source=~/tensorflow_datasets/mnist
    bin/data sample shapes3d                     a picture: images, and what each
                                                 factor changes

A prepared set is one memory-mapped array of uint8 with its checksum. What a download
had fetched when it was stopped is kept, and the same command goes on.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

from absl import flags

from tf_disentangle import checks, datasets
from tf_disentangle.cli import quiet
from tf_disentangle.datasets import CACHE_HELP, DATASETS, SETS

if TYPE_CHECKING:
    from tf_disentangle.datasets.real import Preparation
    from tf_disentangle.protocols import Dataset

__doc__ = f"{__doc__}\n{CACHE_HELP}\nA real set is made again from its source alone.\n"

FLAGS = flags.FlagValues()
POSITIONAL = ("action", "name")
ACTIONS = ("list", "info", "prepare", "sample")
flags.DEFINE_string(
    "action", None, f"One of {', '.join(ACTIONS)}; may stand alone.", flag_values=FLAGS
)
flags.DEFINE_string(
    "name", None, "The data set; may stand alone, after the action.", flag_values=FLAGS
)
flags.DEFINE_string(
    "source",
    None,
    "Published file, folder of such, or folder of TensorFlow Datasets; tfds has that "
    "library download it. By default DATA_DIR/downloads/NAME, then the network.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of prepared sets; by default that of generated ones.",
    flag_values=FLAGS,
)
flags.DEFINE_string("split", None, "train or test, where there are.", flag_values=FLAGS)
flags.DEFINE_string(
    "output", None, "The picture of sample; by default NAME.png.", flag_values=FLAGS
)
flags.DEFINE_integer("seed", 0, "Which images sample shows.", flag_values=FLAGS)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    checks.one_of(values.action, ACTIONS, "ACTION")
    if values.action == "list":
        _list(values)
        return 0
    known = list(SETS) if values.action == "prepare" else [*SETS, *_made_here()]
    checks.one_of(values.name, known, "NAME")
    {"info": _info, "prepare": _prepare, "sample": _sample}[values.action](values)
    return 0


def _made_here() -> list[str]:
    """The sets that need nothing from outside."""
    return [name for name, make in DATASETS.items() if _needs_nothing(make)]


def _needs_nothing(make: object) -> bool:
    parameters = inspect.signature(make).parameters.values()
    return all(p.default is not p.empty for p in parameters)


def _preparation(values: flags.FlagValues, **options: bool) -> Preparation:
    from tf_disentangle.datasets.real import Preparation

    split, source, folder = values.split, values.source, values.data_dir
    return Preparation(values.name, split, source, folder, **options)


def _list(values: flags.FlagValues) -> None:
    from tf_disentangle.datasets.real import Preparation

    print("Made on this machine")
    for name in _made_here():
        print(f"  {name:22} {inspect.getdoc(DATASETS[name]).splitlines()[0]}")
    print("Real (prepared once; gin: published.name)")
    for name, item in SETS.items():
        for split, count in item.counts.items():
            there = Preparation(name, split, None, values.data_dir).path.exists()
            state = "prepared" if there else ""
            label = name if len(item.counts) == 1 else f"{name} {split}"
            size = f"{count:,}" if count else "yours"
            print(f"  {label:22} {size:>9}  {state:8}  {item.title}")
    print("Your own: ImageFolder, ImageFile, from_tf_data (docs/datasets.md)")


def _info(values: flags.FlagValues) -> None:
    if values.name not in SETS:
        print(inspect.getdoc(DATASETS[values.name]))
        return
    preparation = _preparation(values)
    item = preparation.set
    print(f"{values.name}: {item.title}")
    counts = [f"{c:,} ({s})" if c else "yours" for s, c in item.counts.items()]
    print(f"Images      {', '.join(counts)}, as {item.preprocessing.image_shape}")
    factors = ", ".join(f"{name} {size}" for name, size in item.factors.items())
    print(f"Factors     {factors or 'none known'}")
    print(f"Licence     {item.licence}")
    print(f"Reference   {item.reference}")
    if item.tfds:
        print(f"In TFDS     {item.tfds.name}")
    there = preparation.path.exists()
    if there:
        print(f"Prepared    {preparation.path}\n{item.notes}".rstrip())
    else:
        print(preparation.how_to_get())


def _prepare(values: flags.FlagValues) -> None:
    if values.source == "tfds":
        quiet.import_tensorflow()
    preparation = _preparation(values, may_download=True)
    was_there = preparation.path.exists()
    images = preparation.images()
    factors = preparation.factors()
    if was_there and values.source:
        print(
            f"{preparation.path} is prepared and whole; {values.source} was not read. "
            "Delete it to prepare it anew.",
            file=sys.stderr,
        )
    known = list(preparation.set.factors)
    print(f"{preparation.path}: {len(images):,} images {images.shape[1:]}")
    kind = "a full grid" if factors is None else "one row for each image"
    print(f"Factors: {', '.join(known)} ({kind})" if known else "No factors are known.")
    print(
        f"Train on it: --gin_param='train.dataset=@published()' "
        f"--gin_param='published.name=\"{values.name}\"'"
    )


def _sample(values: flags.FlagValues) -> None:
    import numpy as np

    from tf_disentangle import visualization

    dataset = _dataset(values)
    rng = np.random.default_rng(checks.integer(values.seed, "--seed", at_least=0))
    title = f"{values.name}: {len(dataset):,} images"
    picture = visualization.dataset_sheet(dataset, rng, num_sample_rows=4, title=title)
    path = values.output or f"{values.name}.png"
    visualization.save_png(picture, path)
    print(path)


def _dataset(values: flags.FlagValues) -> Dataset:
    if values.name not in SETS:
        return DATASETS[values.name]()
    return datasets.published(values.name, values.split, values.source, values.data_dir)
