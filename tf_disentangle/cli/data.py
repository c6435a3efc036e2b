"""Prepares, lists and shows data sets.

    bin/data list                                all sets, and which are prepared
    bin/data info shapes3d                       factors, files, licence, how to get it
    bin/data prepare shapes3d                    fetches and prepares it
    bin/data prepare shapes3d --source=3dshapes.h5
    bin/data prepare mnist --split=test --source=~/tensorflow_datasets/mnist
    bin/data sample shapes3d                     draws a picture: some images, and what
                                                 each factor changes
    bin/data sample ImageFolder --gin_param='ImageFolder.path="pictures"'
    bin/data info --gin_file=datasets/noisy.gin  the set that a gin file trains on

A prepared set is one memory-mapped array of uint8 with its checksum. TensorFlow
Datasets downloads the files of published sets.
"""

from __future__ import annotations

import inspect
import json
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from tf_disentangle import checks, datasets
from tf_disentangle.cli import startup
from tf_disentangle.datasets import CACHE_HELP, DATASETS, SETS
from tf_disentangle.datasets.published import Preparation
from tf_disentangle.datasets.wrapper import check_dataset
from tf_disentangle.interfaces import DATASET_TRAITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tf_disentangle.interfaces import Dataset

__doc__ = (
    f"{__doc__}\n{CACHE_HELP}\n"
    "But a published set can be made again only from its source.\n"
)

FLAGS = flags.FlagValues()
POSITIONAL = ("action", "name")
_MAX_POINTS = 2000
# What can be said of a set without factors.
_BARE = frozenset({"vectors"})
ACTIONS = ("list", "info", "prepare", "sample")
flags.DEFINE_string(
    "action",
    None,
    f"One of {', '.join(ACTIONS)}; may be given without --action=.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "name",
    None,
    "The data set; after the action it may be given without --name=.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "source",
    None,
    "A published file, a folder of such files, or a folder of TensorFlow Datasets; "
    "tfds uses the set's builder in TensorFlow Datasets. By default "
    "DATA_DIR/downloads/NAME, then the network.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "data_dir",
    None,
    "Folder of prepared sets; by default the cache of generated images.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "split", None, "train or test, if the set has both.", flag_values=FLAGS
)
flags.DEFINE_string(
    "output",
    None,
    "For sample: the picture, a new file; by default NAME.png.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_file",
    [],
    "For info and sample: a gin file, as for train; its train.data is used without "
    "NAME.",
    flag_values=FLAGS,
)
flags.DEFINE_multi_string(
    "gin_param",
    [],
    "For info and sample: a binding such as 'Noisy.dataset=@DSprites()'.",
    flag_values=FLAGS,
)
flags.DEFINE_integer(
    "seed", 0, "For sample: the seed that chooses the images.", flag_values=FLAGS
)


def main(values: flags.FlagValues) -> int:
    """Runs the command."""
    checks.given(values.action, "ACTION", "For example: bin/data list")
    checks.one_of(values.action, ACTIONS, "ACTION")
    is_gin, looks = _is_gin(values), values.action in ("info", "sample")
    rule = "be given only with info or sample"
    checks.require(
        looks or not is_gin, "--gin_file and --gin_param", rule, values.action
    )
    if values.action == "prepare":
        checks.one_of(values.name, list(SETS), "NAME")
    elif looks and (values.name is not None or not is_gin):
        made = [*_made_here(), *_made_from()]
        checks.one_of(values.name, made if is_gin else [*SETS, *made], "NAME")
    actions = {"list": _list, "info": _info, "prepare": _prepare, "sample": _sample}
    actions[values.action](values)
    return 0


def _is_gin(values: flags.FlagValues) -> bool:
    return bool(values.gin_file or values.gin_param)


def _made_here() -> list[str]:
    """The sets that need nothing from outside."""
    return [name for name, make in DATASETS.items() if _needs_nothing(make)]


def _made_from() -> list[str]:
    """Those that are made from another set or from the user's files."""
    return [n for n in DATASETS if n not in ("published", *_made_here())]


def _needs_nothing(make: Callable) -> bool:
    parameters = inspect.signature(make).parameters.values()
    return all(p.default is not p.empty for p in parameters)


def _arguments(values: flags.FlagValues) -> tuple[str, str, str, str]:
    """The arguments of `published` and of its `Preparation`."""
    return values.name, values.split, values.source, values.data_dir


def _list(values: flags.FlagValues) -> None:
    titles = {
        "Made on this machine": _made_here(),
        "From another set or your own files (--gin_param)": _made_from(),
    }
    for title, names in titles.items():
        print(title)
        for name in names:
            print(f"  {name:22} {inspect.getdoc(DATASETS[name]).splitlines()[0]}")
    print("Published (prepared once; published.name in gin, datasets.published(name))")
    for name, item in SETS.items():
        for split, count in item.counts.items():
            path = Preparation(name, split, None, values.data_dir).path
            state = "prepared" if path.exists() else ""
            label = name if len(item.counts) == 1 else f"{name} {split}"
            size = f"{count:,}" if count else "yours"
            print(f"  {label:22} {size:>9}  {state:8}  {item.title}")


def _info(values: flags.FlagValues) -> None:
    if values.name in SETS:
        _info_published(values)
        return
    if _is_gin(values) or values.name in _made_here():
        data = _dataset(values)
        print(_label(values, data))
        print(f"Images      {len(data):,}, as {tuple(data.image_shape)}")
        print(f"Factors     {_sized(data.factor_names, data.factor_sizes)}")
        for name in sorted(data.traits if data.factor_names else data.traits & _BARE):
            print(f"Note        {DATASET_TRAITS[name]} ({name})")
    if values.name is not None:
        print(inspect.getdoc(DATASETS[values.name]))


def _sized(names: Iterable[str], sizes: Iterable[int]) -> str:
    pairs = zip(names, sizes, strict=True)
    return ", ".join(f"{name} {size}" for name, size in pairs) or "none known"


def _info_published(values: flags.FlagValues) -> None:
    preparation = Preparation(*_arguments(values))
    row = preparation.row
    print(f"{values.name}: {row.title}")
    counts = [f"{c:,} ({s})" if c else "yours" for s, c in row.counts.items()]
    print(f"Images      {', '.join(counts)}, as {row.preprocessing.image_shape}")
    print(f"Factors     {_sized(row.factors, row.factors.values())}")
    print(f"Licence     {row.licence}")
    print(f"Reference   {row.reference}")
    if row.tfds:
        print(f"In TFDS     {row.tfds.name}")
    if preparation.path.exists():
        print(f"Prepared    {preparation.path}\n{row.notes}".rstrip())
    else:
        print(preparation.how_to_get())


def _prepare(values: flags.FlagValues) -> None:
    if values.source == "tfds":
        startup.import_tensorflow()
    preparation = Preparation(*_arguments(values), may_download=True)
    images = preparation.images()
    factors = preparation.factors()
    if values.source and not preparation.has_read:
        print(
            f"{preparation.path} is prepared and intact, so {values.source} was not "
            "read. Delete the prepared file to make it again.",
            file=sys.stderr,
        )
    names = ", ".join(preparation.row.factors)
    print(f"{preparation.path}: {len(images):,} images {images.shape[1:]}")
    kind = "a full grid" if factors is None else "one row for each image"
    print(f"Factors: {names} ({kind})" if names else "No factors are known.")
    folder = values.data_dir and str(preparation.data_dir)
    settings = {"name": values.name, "split": values.split, "data_dir": folder}
    bindings = ["train.data=@published()"]
    bindings += [f"published.{k}={json.dumps(v)}" for k, v in settings.items() if v]
    options = " ".join(f"--gin_param={shlex.quote(binding)}" for binding in bindings)
    print(f"Train on it: {options}")


def _sample(values: flags.FlagValues) -> None:
    import numpy as np

    from tf_disentangle import visualization

    data = _dataset(values)
    path = values.output or f"{values.name or type(data).__name__}.png"
    remedy = "Remove it, or choose another name with --output."
    checks.require(not os.path.exists(path), "--output", "be a new file", path, remedy)
    rng = np.random.default_rng(checks.integer(values.seed, "--seed", at_least=0))
    is_vector = checks.is_vector(data.image_shape)
    kind = "points" if is_vector else "images"
    title = f"{_label(values, data)}: {len(data):,} {kind}"
    picture: Any
    if is_vector:
        points = np.reshape(data.images()[:_MAX_POINTS], (-1, data.image_shape[-1]))
        picture = visualization.scatters({title: {"points": points}}, size=4.4)
    else:
        picture = visualization.dataset_figure(
            data, rng, num_sample_rows=4, title=title
        )
    visualization.save(picture, path)
    print(path)


def _dataset(values: flags.FlagValues) -> Dataset:
    """The set that NAME, with its bindings, or else train.data stands for."""
    if values.name in SETS:
        return datasets.published(*_arguments(values))
    if not _is_gin(values) and _needs_nothing(DATASETS[values.name]):
        return DATASETS[values.name]()
    startup.import_tensorflow()
    from tf_disentangle import configuration

    configuration.parse(values.gin_file, values.gin_param)
    if values.name is not None:
        return configuration.build(values.name)
    data = configuration.built("train.data")
    check_dataset(data)
    return data


def _label(values: flags.FlagValues, data: Dataset) -> str:
    """What a set is called: with its split, if it is a published one."""
    if isinstance(data, (datasets.PublishedGrid, datasets.PublishedTable)):
        return data.name
    return values.name or type(data).__name__
