"""Images with their ground-truth factors.

Importing this package does not import TensorFlow; the batches of training are in
`tf_disentangle.training.input_pipeline`, which does.
"""

from __future__ import annotations

from collections.abc import Callable

from tf_disentangle.datasets.binary_images import PackedImages, pack
from tf_disentangle.datasets.cache import CACHE_HELP, cache_dir
from tf_disentangle.datasets.correlated import Correlated
from tf_disentangle.datasets.correlated_ellipses import CorrelatedEllipses
from tf_disentangle.datasets.custom import ImageFile, ImageFolder, from_tf_data
from tf_disentangle.datasets.dsprites import DSprites
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.datasets.held_out import HeldOut
from tf_disentangle.datasets.image_table import ImageTable
from tf_disentangle.datasets.lazy import LazyImages
from tf_disentangle.datasets.pinwheel import Pinwheel
from tf_disentangle.datasets.principal import principal_shares
from tf_disentangle.datasets.published import (
    SETS,
    PublishedGrid,
    PublishedTable,
    published,
)
from tf_disentangle.datasets.rooms3d import Rooms3D
from tf_disentangle.datasets.subset import Subset
from tf_disentangle.datasets.variants import Colored, Noisy, OnBackground
from tf_disentangle.interfaces import Dataset

#: Every data set by its name. A new one needs a file, a test and a line here.
DATASETS: dict[str, Callable[..., Dataset]] = {
    "Colored": Colored,
    "Correlated": Correlated,
    "CorrelatedEllipses": CorrelatedEllipses,
    "DSprites": DSprites,
    "HeldOut": HeldOut,
    "ImageFile": ImageFile,
    "ImageFolder": ImageFolder,
    "Noisy": Noisy,
    "OnBackground": OnBackground,
    "Pinwheel": Pinwheel,
    "Rooms3D": Rooms3D,
    "from_tf_data": from_tf_data,
    "published": published,
}

__all__ = [
    "CACHE_HELP",
    "DATASETS",
    "SETS",
    "Colored",
    "Correlated",
    "CorrelatedEllipses",
    "DSprites",
    "Dataset",
    "Grid",
    "HeldOut",
    "ImageFile",
    "ImageFolder",
    "ImageTable",
    "LazyImages",
    "Noisy",
    "OnBackground",
    "PackedImages",
    "Pinwheel",
    "PublishedGrid",
    "PublishedTable",
    "Rooms3D",
    "Subset",
    "cache_dir",
    "from_tf_data",
    "pack",
    "principal_shares",
    "published",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)
