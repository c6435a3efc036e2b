"""The field's real sets, from published files or TensorFlow Datasets.

    catalogue (what, where) -> source, readers (files) -> preprocessing -> preparing

`catalogue.SETS` is the table; a further set is a row there.
"""

from tf_disentangle.datasets.published.catalogue import SETS
from tf_disentangle.datasets.published.preparing import Preparation
from tf_disentangle.datasets.published.published import PublishedGrid, published
from tf_disentangle.datasets.published.rows import RealSet

__all__ = ["SETS", "Preparation", "PublishedGrid", "RealSet", "published"]
