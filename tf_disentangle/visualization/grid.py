"""Labelled grids of equal tiles, the form of nearly every picture here."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.visualization.canvas import (
    FONT_SIZE,
    FRAME,
    TITLE_SIZE,
    Picture,
    Text,
    line_height,
    rgb,
    text_size,
    written,
)

#: One label, or several cells that are aligned from row to row.
RowLabel = str | Sequence[str]

_MARGIN = 16
_GAP = 6
_GROUP_GAP = 22
_LABEL_GAP = 10
_READABLE_PIXELS = 64
# Tiles grow under wide labels, up to this size, until most labels are at most so much
# wider.
_LARGE_PIXELS, _WIDER = 128, 1.25


@dataclasses.dataclass(frozen=True)
class Labels:
    """The text of a grid, as `image_grid` takes it; a `canvas.Faint` label is grey."""

    title: str = ""
    rows: Sequence[RowLabel] | None = None
    columns: Sequence[str] | None = None
    tiles: Sequence[Sequence[str]] | None = None
    column_groups: Sequence[tuple[str, int]] | None = None

    def check(self, num_rows: int, num_columns: int) -> None:
        """Raises `ArgumentError` unless the labels fit the grid."""
        for labels, name, count in (
            (self.rows, "row_labels", num_rows),
            (self.columns, "column_labels", num_columns),
            (self.tiles, "tile_labels", num_rows),
            *(
                (row, "each row of tile_labels", num_columns)
                for row in self.tiles or ()
            ),
        ):
            if labels is not None:
                rule = f"have one entry per tile of its axis, {count}"
                require(len(labels) == count, name, rule, len(labels))
        if self.column_groups is not None:
            total = sum(count for _, count in self.column_groups)
            rule = f"add up to {num_columns} columns"
            require(total == num_columns, "column_groups", rule, total)

    def widths_above(self) -> list[int]:
        """Pixels of each label that stands above a single tile; [0] for none."""
        above = [*(self.columns or ()), *itertools.chain(*(self.tiles or ()))]
        return [text_size(text, FONT_SIZE)[0] for text in above if text] or [0]

    def row_cells(self) -> list[list[str]]:
        """Row labels as cells, each row with equally many."""
        rows = [[row] if isinstance(row, str) else list(row) for row in self.rows or ()]
        width = max(map(len, rows), default=0)
        return [row + [""] * (width - len(row)) for row in rows]


class Layout:
    """Where everything on a page goes: one layout can draw many frames.

    Args:
        shape: (R, C), the number of rows and columns.
        tile_shape: (height, width) of an unscaled tile.
        labels: The text; a frame may replace the title by one that is no longer.
        scale: Integer factor of the tiles; None makes small tiles readable.
        row_groups: Numbers of rows between wider gaps; None for even rows.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        tile_shape: tuple[int, int],
        labels: Labels,
        *,
        scale: int | None = None,
        row_groups: Sequence[int] | None = None,
    ) -> None:
        labels.check(*shape)
        self._labels = labels
        if scale is None:
            widths = labels.widths_above()
            across = min(statistics.median(widths) / _WIDER, _LARGE_PIXELS)
            readable = max(_READABLE_PIXELS / max(tile_shape), across / tile_shape[1])
            scale = max(1, math.ceil(readable))
        self.scale = integer(scale, "scale", at_least=1)
        self._tile = (scale * tile_shape[0], scale * tile_shape[1])
        row_groups = shape[:1] if row_groups is None else row_groups
        rule = f"add up to {shape[0]} rows"
        require(sum(row_groups) == shape[0], "row_groups", rule, row_groups)
        self._columns_across(shape[1])
        self._rows_down(shape[0], set(itertools.accumulate(row_groups)))

    def tile(self, row: int, column: int) -> tuple[slice, slice]:
        """The pixels of one tile, to index a page by."""
        y, x = self._y[row], self._x[column]
        return slice(y, y + self._tile[0]), slice(x, x + self._tile[1])

    def draw(
        self,
        tiles: np.ndarray,
        *,
        title: str | None = None,
        present: np.ndarray | None = None,
        frame: bool = True,
    ) -> Picture:
        """Draws tiles [R, C, H, W, 3], uint8, as a page uint8 [height, width, 3]."""
        if present is None:
            present = np.ones(tiles.shape[:2], bool)
        pixels = np.full((self._height, self._width, 3), 255, np.uint8)
        for row, column in np.argwhere(present):
            ys, xs = self.tile(row, column)
            if frame:
                around = slice(ys.start - 1, ys.stop + 1)
                pixels[around, xs.start - 1 : xs.stop + 1] = FRAME
            large = tiles[row, column].repeat(self.scale, axis=0)
            pixels[ys, xs] = large.repeat(self.scale, axis=1)
        return written(pixels, self._texts(title))

    def _columns_across(self, num_columns: int) -> None:
        """Sets the left edges of columns and labels, and the width."""
        size, labels = FONT_SIZE, self._labels
        cells = labels.row_cells()
        self._cell_x, x = [], _MARGIN
        for column in zip(*cells, strict=True):
            self._cell_x.append(x)
            x += max(text_size(cell, size)[0] for cell in column) + _LABEL_GAP
        widest = max(labels.widths_above())
        # Labels that are wider than their tiles must not read as one.
        pitch = max(self._tile[1] + _GAP, widest + 2 * _LABEL_GAP)
        self._x, self._group_x = [], []
        for label, count in labels.column_groups or [("", num_columns)]:
            inner = count * pitch - _GAP
            width = max(inner, text_size(label, size)[0])
            left = x + (width - inner) // 2 + (pitch - _GAP - self._tile[1]) // 2
            self._x += [left + pitch * column for column in range(count)]
            self._group_x.append(x + width / 2)
            x += width + _GROUP_GAP
        title = _MARGIN + text_size(labels.title, TITLE_SIZE)[0]
        self._width = max(x - _GROUP_GAP, title) + _MARGIN

    def _rows_down(self, num_rows: int, group_ends: set[int]) -> None:
        """Sets the top edges of rows and labels, and the height."""
        size, labels = FONT_SIZE, self._labels

        def band(texts: Sequence[str]) -> int:
            height = max((text_size(text, size)[1] for text in texts), default=0)
            return height + 4 if height else 0

        y = _MARGIN
        if labels.title:
            y += text_size(labels.title, TITLE_SIZE)[1] + _LABEL_GAP
        self._group_y = y
        y += band([label for label, _ in labels.column_groups or ()])
        self._column_label_y = y
        y += band(labels.columns or ())
        # One height for all rows, also where one label has more lines.
        cells = list(itertools.chain(*labels.row_cells()))
        height = max(self._tile[0], band(cells))
        self._y, self._tile_label_y = [], []
        for number, tile_labels in enumerate(labels.tiles or [()] * num_rows):
            y += band(tile_labels)
            self._tile_label_y.append(y - 4)
            self._y.append(y + (height - self._tile[0]) // 2)
            y += height + (_GROUP_GAP if number + 1 in group_ends else _GAP)
        self._height = self._y[-1] + height + _MARGIN

    def _texts(self, title: str | None) -> list[Text]:
        """Returns the lines of all labels with their places."""
        size, labels = FONT_SIZE, self._labels
        title = labels.title if title is None else title
        texts = [Text(_MARGIN, _MARGIN, title, TITLE_SIZE)] if title else []
        groups = zip(self._group_x, labels.column_groups or (), strict=False)
        for x, (label, _) in groups:
            texts.append(Text(x, self._group_y, label, size, centre=True))
        middle = [x + self._tile[1] / 2 for x in self._x]
        for x, label in zip(middle, labels.columns or (), strict=False):
            texts.append(Text(x, self._column_label_y, label, size, centre=True))
        for bottom, row in zip(self._tile_label_y, labels.tiles or (), strict=False):
            for x, label in zip(middle, row, strict=True):
                y = bottom - text_size(label, size)[1]
                texts.append(Text(x, y, label, size, centre=True))
        for y, cells in zip(self._y, labels.row_cells(), strict=False):
            for x, cell in zip(self._cell_x, cells, strict=True):
                lines = cell.count("\n") + 1
                top = y + (self._tile[0] - lines * line_height(size)) / 2
                texts.append(Text(x, top, cell, size))
        return [text for text in texts if text.text]


def image_grid(
    tiles: np.ndarray,
    *,
    title: str = "",
    row_labels: Sequence[RowLabel] | None = None,
    column_labels: Sequence[str] | None = None,
    tile_labels: Sequence[Sequence[str]] | None = None,
    column_groups: Sequence[tuple[str, int]] | None = None,
    row_groups: Sequence[int] | None = None,
    scale: int | None = None,
    present: np.ndarray | None = None,
    frame: bool = True,
) -> Picture:
    """Tiles images into one labelled picture.

    Small images are enlarged by an integer factor, each pixel a square, so that one
    sees exactly what the model gave. The page grows with its text; nothing is clipped.

    Args:
        tiles: [R, C, H, W, 1 or 3], uint8 or float in [0, 1].
        title: Text above everything.
        row_labels: R labels at the left; a sequence of strings is set as aligned cells.
        column_labels: C labels above the first row.
        tile_labels: R x C labels, each above its tile.
        column_groups: (label, number of columns) from left to right; groups are set
            apart under their label.
        row_groups: Numbers of rows, from top to bottom; groups are set apart.
        scale: Integer factor, at least 1; None enlarges to at least 64 pixels.
        present: bool [R, C], False where the page stays empty; None for all tiles.
        frame: Whether each tile has a thin grey line around it.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If the tiles are not images or the labels do not fit them.
    """
    tiles = np.asarray(tiles)
    require(tiles.ndim == 5, "tiles", "have shape [R, C, H, W, channels]", tiles.shape)
    tiles = rgb(tiles, "tiles")
    labels = Labels(title, row_labels, column_labels, tile_labels, column_groups)
    layout = Layout(
        tiles.shape[:2], tiles.shape[2:4], labels, scale=scale, row_groups=row_groups
    )
    return layout.draw(tiles, present=present, frame=frame)


def in_rows(
    images: np.ndarray, num_columns: int, num_rows: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Folds images [N, ...] into tiles [R, C, ...] and `present` bool [R, C].

    There are as many rows as the images need, but at least `num_rows`.
    """
    num_rows = max(num_rows, math.ceil(len(images) / num_columns))
    tiles = np.zeros((num_rows * num_columns, *images.shape[1:]), images.dtype)
    tiles[: len(images)] = images
    present = np.arange(len(tiles)) < len(images)
    shape = (num_rows, num_columns)
    return tiles.reshape(*shape, *images.shape[1:]), present.reshape(shape)
