"""Pictures of what a model learned: arrays and callables in, uint8 RGB arrays out.

Each function returns one picture, uint8 [height, width, 3], or frames of it, uint8
[T, height, width, 3]; `save_png` and `save_gif` write them. A model enters only as
`decode(codes) -> images`.
"""

from tf_disentangle.visualization.dataset_figure import dataset_figure
from tf_disentangle.visualization.editing import attribute_editing
from tf_disentangle.visualization.grid import image_grid
from tf_disentangle.visualization.io import save_gif, save_png
from tf_disentangle.visualization.matrices import covariances, latent_factor_matrix
from tf_disentangle.visualization.movement import (
    movement,
    moves_image,
    occurring_values,
)
from tf_disentangle.visualization.over_time import over_time
from tf_disentangle.visualization.samples import (
    reconstructions,
    samples,
    samples_by_category,
)
from tf_disentangle.visualization.scatter import scatter, scatters
from tf_disentangle.visualization.traversals import (
    code_quantiles,
    normal_quantiles,
    traversal_frames,
    traversals,
)

__all__ = [
    "attribute_editing",
    "code_quantiles",
    "covariances",
    "dataset_figure",
    "image_grid",
    "latent_factor_matrix",
    "movement",
    "moves_image",
    "normal_quantiles",
    "occurring_values",
    "over_time",
    "reconstructions",
    "samples",
    "samples_by_category",
    "save_gif",
    "save_png",
    "scatter",
    "scatters",
    "traversal_frames",
    "traversals",
]
