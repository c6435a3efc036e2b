"""Images with their ground-truth factors.

Importing this package does not import TensorFlow; the batches of training are in
`tf_disentangle.datasets.pipeline`, which does.
"""

from __future__ import annotations

from collections.abc import Callable

from tf_disentangle.datasets.cache import CACHE_HELP, cache_dir
from tf_disentangle.datasets.correlated_ellipses import CorrelatedEllipses
from tf_disentangle.datasets.image_table import ImageTable
from tf_disentangle.datasets.own import ImageFile, ImageFolder, from_tf_data
from tf_disentangle.datasets.pinwheel import Pinwheel
from tf_disentangle.datasets.principal import principal_shares
from tf_disentangle.datasets.real import SETS, published
from tf_disentangle.protocols import Dataset

#: Every data set by its name. A new one costs its file, its test and a line here.
DATASETS: dict[str, Callable[..., Dataset]] = {
    "CorrelatedEllipses": CorrelatedEllipses,
    "ImageFile": ImageFile,
    "ImageFolder": ImageFolder,
    "Pinwheel": Pinwheel,
    "from_tf_data": from_tf_data,
    "published": published,
}

__all__ = [
    "CACHE_HELP",
    "DATASETS",
    "SETS",
    "CorrelatedEllipses",
    "ImageFile",
    "ImageFolder",
    "ImageTable",
    "Pinwheel",
    "cache_dir",
    "from_tf_data",
    "principal_shares",
    "published",
]
