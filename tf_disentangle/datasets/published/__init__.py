"""The field's published sets, from their files or from TensorFlow Datasets.

    catalogue (what, where) -> tfds (fetching) -> files.readers -> preparing

`catalogue.SETS` is the table; a further set is a row there.
"""

from tf_disentangle.datasets.published.catalogue import SETS, PublishedSet
from tf_disentangle.datasets.published.preparing import Preparation
from tf_disentangle.datasets.published.published import (
    PublishedGrid,
    PublishedTable,
    published,
)

__all__ = [
    "SETS",
    "Preparation",
    "PublishedGrid",
    "PublishedSet",
    "PublishedTable",
    "published",
]
