"""Pictures of what a model learned: arrays and callables in, pictures out.

Grids of images (traversals, samples, planes) are drawn pixel by pixel, each tile
exactly what the model gave: they come back as uint8 [height, width, 3], frames as uint8
[T, height, width, 3]. Charts (points, curves, matrices) are matplotlib figures. `save`
writes either as PNG, PDF or SVG, `save_gif` writes frames, and `pixels` makes an array
of either. A model enters only as `decode(codes) -> images`.
"""

from tf_disentangle.visualization.canvas import Picture, rgb
from tf_disentangle.visualization.charts import pixels
from tf_disentangle.visualization.cycles import Cycle, cycle, spread, typical
from tf_disentangle.visualization.dataset_figure import dataset_figure
from tf_disentangle.visualization.editing import attribute_editing, interpolation
from tf_disentangle.visualization.grid import image_grid
from tf_disentangle.visualization.io import picture_bytes, save, save_gif
from tf_disentangle.visualization.matrices import covariances, latent_factor_matrix
from tf_disentangle.visualization.movement import (
    movement,
    moves_image,
    occurring_values,
)
from tf_disentangle.visualization.over_time import over_time
from tf_disentangle.visualization.planes import plane
from tf_disentangle.visualization.points import (
    codes_against_factors,
    curves,
    explained_variance,
    scatters,
)
from tf_disentangle.visualization.samples import (
    reconstructions,
    samples,
    samples_by_category,
)
from tf_disentangle.visualization.traversals import (
    code_quantiles,
    normal_quantiles,
    step_labels,
    traversal_frames,
    traversal_rows,
    traversals,
    traversals_side_by_side,
)

__all__ = [
    "Cycle",
    "Picture",
    "attribute_editing",
    "code_quantiles",
    "codes_against_factors",
    "covariances",
    "curves",
    "cycle",
    "dataset_figure",
    "explained_variance",
    "image_grid",
    "interpolation",
    "latent_factor_matrix",
    "movement",
    "moves_image",
    "normal_quantiles",
    "occurring_values",
    "over_time",
    "picture_bytes",
    "pixels",
    "plane",
    "reconstructions",
    "rgb",
    "samples",
    "samples_by_category",
    "save",
    "save_gif",
    "scatters",
    "spread",
    "step_labels",
    "traversal_frames",
    "traversal_rows",
    "traversals",
    "traversals_side_by_side",
    "typical",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)
