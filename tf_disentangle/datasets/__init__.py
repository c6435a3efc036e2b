"""Images with their ground-truth factors.

Importing this package does not import TensorFlow; the batches of training are in
`tf_disentangle.datasets.pipeline`, which does.
"""

from __future__ import annotations

from collections.abc import Callable

from tf_disentangle.datasets.binary_images import PackedImages, pack
from tf_disentangle.datasets.cache import CACHE_HELP, cache_dir
from tf_disentangle.datasets.correlated_ellipses import CorrelatedEllipses
from tf_disentangle.datasets.dsprites import DSprites
from tf_disentangle.datasets.pinwheel import Pinwheel
from tf_disentangle.datasets.principal import principal_shares
from tf_disentangle.protocols import Dataset

#: Every data set by its name. A new one costs its file, its test and a line here.
DATASETS: dict[str, Callable[..., Dataset]] = {
    "CorrelatedEllipses": CorrelatedEllipses,
    "DSprites": DSprites,
    "Pinwheel": Pinwheel,
}

__all__ = [
    "CACHE_HELP",
    "DATASETS",
    "CorrelatedEllipses",
    "DSprites",
    "PackedImages",
    "Pinwheel",
    "cache_dir",
    "pack",
    "principal_shares",
]
