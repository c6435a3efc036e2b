"""A user's own images: a folder, an array file, or a `tf.data.Dataset`.

`pixels` says what the values of pixels mean; `tables` reads tables of factors.
"""

from tf_disentangle.datasets.custom.images import ImageFile, ImageFolder
from tf_disentangle.datasets.custom.tf_data import from_tf_data

__all__ = ["ImageFile", "ImageFolder", "from_tf_data"]
