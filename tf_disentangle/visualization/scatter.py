"""Points of the plane: data that are vectors, and codes over their prior."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from tf_disentangle.checks import integer, real, require
from tf_disentangle.visualization.canvas import FRAME
from tf_disentangle.visualization.grid import image_grid, in_rows

# Okabe and Ito's colours, which colour-blind readers can tell apart, after a grey for
# the background.
COLOURS = (
    (190, 190, 190),
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)
# Drawn this many times larger and averaged down: small discs get smooth edges.
_FINE = 3

#: Name of a group of points to the points, [N, 2], drawn in that order.
Groups = Mapping[str, np.ndarray]


def scatter(
    groups: Groups, *, limits: tuple[float, float], size: int = 220, radius: float = 1.4
) -> np.ndarray:
    """Pictures groups of points on one square, each group in its colour.

    Args:
        groups: At most seven; the first is grey, for the background.
        limits: (low, high) of both axes; points beyond are not drawn.
        size: Pixels of each side, at least 16.
        radius: Of a point, in pixels, greater than 0.

    Returns:
        uint8 [size, size, 3], the second coordinate upwards, with the two axes.

    Raises:
        ArgumentError: If a group is not [N, 2] and finite, or a number breaks its rule.
    """
    rule = f"have 1 to {len(COLOURS)} groups"
    require(1 <= len(groups) <= len(COLOURS), "groups", rule, len(groups))
    low, high = (real(limit, "limits") for limit in limits)
    require(low < high, "limits", "be increasing", limits)
    fine = _FINE * integer(size, "size", at_least=16)
    radius = _FINE * real(radius, "radius", above=0.0)
    page = Image.new("RGB", (fine, fine), "white")
    draw = ImageDraw.Draw(page)

    def place(values: np.ndarray) -> np.ndarray:
        return (values - low) / (high - low) * fine

    if low < 0 < high:
        zero = place(np.zeros(1))[0]
        draw.line([(zero, 0), (zero, fine)], FRAME, _FINE)
        draw.line([(0, fine - zero), (fine, fine - zero)], FRAME, _FINE)
    for colour, (name, points) in zip(COLOURS, groups.items(), strict=False):
        x, y = place(_points(name, points)).T
        for across, down in zip(x, fine - y, strict=True):
            box = (across - radius, down - radius, across + radius, down + radius)
            draw.ellipse(box, fill=colour)
    return np.array(page.resize((size, size), Image.Resampling.BOX))


def scatters(
    panels: Mapping[str, Groups],
    *,
    limits: tuple[float, float] | None = None,
    num_columns: int = 4,
    title: str = "",
    size: int = 220,
) -> np.ndarray:
    """Pictures several squares of points side by side, a label above each.

    Args:
        panels: Label, of one line or more, to the groups of `scatter`.
        limits: (low, high) of all panels; None gives each its own, that of its points.
        num_columns: Panels side by side, at least 1; more wrap.
        title: Text above everything.
        size: Pixels of each panel's sides.

    Raises:
        ArgumentError: If there is no panel, or `scatter` refuses one.
    """
    require(len(panels) > 0, "panels", "have at least one entry", dict(panels))
    columns = min(integer(num_columns, "num_columns", at_least=1), len(panels))
    drawn = [
        scatter(groups, limits=limits or _range(groups), size=size)
        for groups in panels.values()
    ]
    tiles, present = in_rows(np.stack(drawn), columns)
    labels = [*panels] + [""] * (present.size - len(panels))
    rows = [labels[i : i + columns] for i in range(0, len(labels), columns)]
    return image_grid(tiles, title=title, tile_labels=rows, scale=1, present=present)


def _range(groups: Groups) -> tuple[float, float]:
    """Returns limits that hold all points and a little more."""
    points = np.concatenate([_points(name, p) for name, p in groups.items()])
    low, high = (points.min(), points.max()) if points.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _points(name: str, points: np.ndarray) -> np.ndarray:
    """Returns the points as float64 [N, 2]."""
    points = np.asarray(points, np.float64)
    argument = f"groups[{name!r}]"
    shaped = points.ndim == 2 and points.shape[1] == 2
    require(shaped, argument, "have shape [N, 2]", points.shape)
    require(np.isfinite(points).all(), argument, "be finite", points)
    return points
