"""Serving: SavedModels for TensorFlow Serving."""

from tf_disentangle.serving.export import export, versions

__all__ = ["export", "versions"]
