"""What every chart needs: matplotlib figures in one style, and their pixels.

Charts are matplotlib's: points, curves, matrices. Grids of images are `grid.py`'s. A
figure is made without pyplot, so that no global state is touched, and matplotlib is
imported only where a figure is made: training starts without it.
"""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, which colour-blind readers can tell apart, those first that
#: can be seen on white and on black. Markers and dashes tell the same on paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
#: Text and lines; a page replaces it by its own colour of text.
INK, FAINT = "#1e1e1e", "#8c8c8c"

_STYLE: Any = {
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 8.0,
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 8.0,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "text.color": INK,
    "xtick.color": FAINT,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 7.0,
    "ytick.color": FAINT,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 7.0,
    # Text stays text, which is searched, selected and read aloud.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "tf_disentangle",  # equal charts, equal files
}
_DPI = 150


@contextmanager
def style() -> Iterator[None]:
    """Makes matplotlib draw in our style within the block."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def subplots(
    num_rows: int,
    num_columns: int,
    size: tuple[float, float],
    title: str = "",
    layout: Literal["constrained"] | None = "constrained",
    **options: Any,
) -> tuple[Figure, np.ndarray]:
    """Returns a figure of panels, to be filled within `style`.

    Args:
        num_rows: Number of rows of panels.
        num_columns: Number of columns of panels.
        size: Width and height of one panel with its labels, in inches.
        title: Text above everything.
        layout: Whether matplotlib measures the text to set the margins, which takes as
            long as drawing it; None leaves them to the caller.
        **options: Of `Figure.subplots`.

    Returns:
        The figure, and its axes [num_rows, num_columns].
    """
    from matplotlib.figure import Figure

    above = 0.25 if title else 0.0
    figsize = (num_columns * size[0], num_rows * size[1] + above)
    figure = Figure(figsize=figsize, layout=layout)
    # A notebook shows figures by itself only where pyplot was imported.
    setattr(figure, "_repr_png_", functools.partial(encoded, figure, "png"))  # noqa: B010
    if title:
        figure.suptitle(title, fontsize=9)
    return figure, figure.subplots(num_rows, num_columns, squeeze=False, **options)


def without_frame(axes: Axes) -> None:
    """Removes the ticks and the frame of axes."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def readable(value: float) -> str:
    """Returns a number of three digits as people write it: 0.25, 37,200, 4.2 x 10^9."""
    if not value:
        return "0"
    if 1e-3 <= abs(value) < 1e7:
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if digits else text
        return text.replace("-", "\N{MINUS SIGN}")
    factor, exponent = f"{value:.1e}".split("e")
    return rf"${factor} \times 10^{{{int(exponent)}}}$"


def pixels(picture: Any, dpi: int = _DPI) -> np.ndarray:
    """Returns a picture as uint8 [height, width, 3].

    Args:
        picture: A matplotlib figure, or a picture that is pixels already.
        dpi: Pixels per inch of a figure.
    """
    if isinstance(picture, np.ndarray):
        return np.asarray(picture)
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with style():
        picture.set_dpi(dpi)
        canvas = FigureCanvasAgg(picture)
        canvas.draw()
        return np.array(canvas.buffer_rgba())[..., :3]


def encoded(figure: Figure, form: str) -> bytes:
    """Returns a matplotlib figure as a file of "png", "pdf" or "svg"."""
    file = io.BytesIO()
    date = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(form)
    with style():
        figure.savefig(file, format=form, dpi=_DPI, metadata=date)
    return file.getvalue()
