"""The field's published sets, from their files or from TensorFlow Datasets.

    catalogue (what, where) -> downloads -> files.readers -> preprocessing -> preparing

`catalogue.SETS` is the table; a further set is a row there.
"""

from tf_disentangle.datasets.published.catalogue import SETS
from tf_disentangle.datasets.published.preparing import Preparation
from tf_disentangle.datasets.published.published import (
    PublishedGrid,
    PublishedTable,
    published,
)
from tf_disentangle.datasets.published.rows import PublishedSet

__all__ = [
    "SETS",
    "Preparation",
    "PublishedGrid",
    "PublishedSet",
    "PublishedTable",
    "published",
]
