"""Pictures of what a model learned: arrays and callables in, uint8 RGB arrays out.

Each function returns one picture [H, W, 3], or frames [T, H, W, 3]; `save_png` and
`save_gif` write them. A model enters only as `decode(codes) -> images`.
"""

from tf_disentangle.visualization.categories import samples_by_category
from tf_disentangle.visualization.covariances import covariances
from tf_disentangle.visualization.dataset_sheet import dataset_sheet
from tf_disentangle.visualization.editing import edit, edits
from tf_disentangle.visualization.grid import sheet
from tf_disentangle.visualization.io import save_gif, save_png
from tf_disentangle.visualization.matrices import latent_factor_matrix
from tf_disentangle.visualization.reconstructions import reconstructions
from tf_disentangle.visualization.samples import samples
from tf_disentangle.visualization.scatter import scatter, scatters
from tf_disentangle.visualization.traversals import (
    normal_quantiles,
    traversal_frames,
    traversals,
)

__all__ = [
    "covariances",
    "dataset_sheet",
    "edit",
    "edits",
    "latent_factor_matrix",
    "normal_quantiles",
    "reconstructions",
    "samples",
    "samples_by_category",
    "save_gif",
    "save_png",
    "scatter",
    "scatters",
    "sheet",
    "traversal_frames",
    "traversals",
]
