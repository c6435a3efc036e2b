"""Latent traversals: one latent moves, all others stay fixed.

References:
    Higgins et al. (2017), beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework.
    Kim and Mnih (2018), Disentangling by Factorising, arXiv 1802.05983, whose figures
    put originals and reconstructions above the traversals.
    Dupont (2018), Learning Disentangled Joint Continuous and Discrete Representations,
    arXiv 1804.00104, appendix G: quantiles and categories.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn, Decode
from tf_disentangle.visualization.canvas import Faint, Picture, decoded, rgb
from tf_disentangle.visualization.grid import (
    Labels,
    Layout,
    RowLabel,
    image_grid,
    in_rows,
)

# The default steps.
_LIMITS, _NUM_STEPS, _NUM_FRAMES = (-2.0, 2.0), 9, 15
_NUM_STEPS_OF_PANEL = 5
_PROBABILITIES = (0.05, 0.95)
# Frames have few tiles, under labels that are wide.
_FRAME_PIXELS = 128


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """What is moved, and where, for each of the R latents that are shown.

    Attributes:
        steps: Those of the continuous latents, [S], or [R, S] where each has its own.
        columns: What each latent is.
        labels: The name and the notes of each.
        rows: The images of each, uint8 [S, H, W, 3]; of a categorical latent one for
            each of its values.
    """

    steps: np.ndarray
    columns: list[CodeColumn]
    labels: list[list[str]]
    rows: list[np.ndarray]


def traversals(
    decode: Decode,
    code: np.ndarray,
    *,
    values: np.ndarray | Sequence[float] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    notes: Sequence[RowLabel] | None = None,
    order: Sequence[int] | None = None,
    unused: Collection[int] = (),
    examples: Mapping[str, np.ndarray] | None = None,
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows one row per latent, in which the latent takes each value in turn.

    The value replaces the latent's own; the other latents keep those of `code`. A
    categorical latent, which has no order, takes its n values 0 to n - 1 instead of the
    steps, and its tiles are labelled one by one.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], where the traversals start from.
        values: The steps [S], or [L, S] where each latent has its own, such as
            `normal_quantiles` and `code_quantiles` give; None is nine steps from -2
            to 2.
        columns: What each latent is; None for continuous latents z0, z1, ...
        notes: Per latent (not per row) the text beside its name, such as "KL 2.31", or
            aligned cells, such as ("KL 2.31", "x").
        order: The latents to show, from top to bottom; None shows all.
        unused: Latents that the decoder ignores, see `movement`; their labels are grey.
        examples: Rows above the traversals, label to images [N, H, W, 1 or 3]:
            originals and their reconstructions. As many are shown as there are steps.
            The first must be the one that `code` belongs to; it is marked "start".
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Raises:
        ArgumentError: If lengths do not fit the code, or `decode` returns no images.
    """
    plan = _plan(decode, code, _steps(values), columns, notes, order, unused)
    width = max(map(len, plan.rows))
    above = {name: rgb(x, name)[:width] for name, x in (examples or {}).items()}
    rows = [*above.values(), *plan.rows]
    tiles = np.zeros((len(rows), width, *rows[-1].shape[1:]), np.uint8)
    for tile_row, images in zip(tiles, rows, strict=True):
        rule = f"have the shape of decoded images, {tile_row.shape[1:]}"
        require(images.shape[1:] == tile_row.shape[1:], "examples", rule, images.shape)
        tile_row[: len(images)] = images
    texts = [["start"] if row == 0 else [] for row in range(len(above))]
    # Common steps stand above the first continuous row, other steps above their own.
    common = step_labels(plan.steps) if plan.steps.ndim == 1 else None
    for number, column in enumerate(plan.columns):
        if column.num_values is not None:
            texts.append([str(k) for k in range(column.num_values)])
        elif common is None:
            texts.append(step_labels(plan.steps[number]))
        else:
            texts.append(common)
            common = []
    # Beside the notes, where there are any, so that names take little room.
    names = [[""] * any(notes or ()) + [name] for name in above]
    return image_grid(
        tiles,
        title=title,
        row_labels=[*names, *plan.labels],
        tile_labels=[row + [""] * (width - len(row)) for row in texts],
        row_groups=[len(above), len(plan.rows)] if above else None,
        present=np.arange(width) < np.array([len(row) for row in rows])[:, np.newaxis],
        scale=scale,
    )


def traversal_rows(
    decode: Decode,
    code: np.ndarray,
    *,
    values: np.ndarray | Sequence[float] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    order: Sequence[int] | None = None,
) -> list[np.ndarray]:
    """Returns the images of `traversals` without drawing a picture of them.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], where the traversals start from.
        values: The steps, as in `traversals`.
        columns: What each latent is, as in `traversals`.
        order: The latents, from top to bottom; None is all.

    Returns:
        For each latent uint8 [S, H, W, 3]; of a categorical one an image for each of
        its values.
    """
    return _plan(decode, code, _steps(values), columns, None, order, ()).rows


def traversals_side_by_side(
    panels: Mapping[str, tuple[Decode, np.ndarray]],
    *,
    values: np.ndarray | Sequence[float] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    notes: Sequence[RowLabel] | None = None,
    order: Sequence[int] | None = None,
    unused: Collection[int] = (),
    title: str = "",
    scale: int | None = None,
) -> Picture:
    """Shows the same traversals from several images, or of several checkpoints.

    Each panel is a block of columns under its label; a row is one latent throughout.

    Args:
        panels: Label to (decode, code), as `traversals` takes them.
        values: The steps, as in `traversals`; None is five from -2 to 2.
        columns: What each latent is, as in `traversals`.
        notes: Per latent the text beside its name.
        order: The latents to show, from top to bottom; None shows all.
        unused: Latents that the decoder ignores; their labels are grey.
        title: Text above everything.
        scale: Integer factor; None makes small images readable.

    Raises:
        ArgumentError: As `traversals`, or if there is no panel.
    """
    require(len(panels) > 0, "panels", "have at least one entry", dict(panels))
    steps = _steps(values, _NUM_STEPS_OF_PANEL)
    plans = {
        label: _plan(decode, code, steps, columns, notes, order, unused)
        for label, (decode, code) in panels.items()
    }
    plan = next(iter(plans.values()))
    width = max(map(len, plan.rows))
    tiles = np.zeros(
        (len(plan.rows), len(plans), width, *plan.rows[0].shape[1:]), np.uint8
    )
    present = np.zeros(tiles.shape[:3], bool)
    for number, each in enumerate(plans.values()):
        for row, images in enumerate(each.rows):
            tiles[row, number, : len(images)] = images
            present[row, number, : len(images)] = True
    across = (len(plan.rows), len(plans) * width)
    return image_grid(
        tiles.reshape(*across, *tiles.shape[3:]),
        title=title,
        row_labels=plan.labels,
        column_groups=[(label, width) for label in plans],
        present=present.reshape(across),
        scale=scale,
    )


def traversal_frames(
    decode: Decode,
    code: np.ndarray,
    *,
    values: np.ndarray | Sequence[float] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    notes: Sequence[RowLabel] | None = None,
    order: Sequence[int] | None = None,
    unused: Collection[int] = (),
    num_columns: int = 5,
    there_and_back: bool = True,
    scale: int | None = None,
) -> np.ndarray:
    """Shows all traversals at once, as frames for `save_gif`.

    Each tile moves its own latent; all go from the first step to the last and back, so
    that the loop has no jump. Categorical latents go through their values, each of
    which is shown for about the same time; the title shows the value of the others.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], where the traversals start from.
        values: The steps, as in `traversals`; None is fifteen from -2 to 2.
        columns: What each latent is, as in `traversals`.
        notes: Per latent the text below its name.
        order: The latents to show; None shows all.
        unused: Latents that the decoder ignores; their labels are grey.
        num_columns: Tiles side by side, at least 1; more wrap.
        there_and_back: Whether to go back after the last step; False for steps that
            form a closed loop, such as those of `cycle`.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [2 S - 2, height, width, 3] for S steps, or [S, height, width, 3].

    Raises:
        ArgumentError: As `traversals`.
    """
    steps = _steps(values, _NUM_FRAMES)
    plan = _plan(decode, code, steps, columns, notes, order, unused)
    num_columns = integer(num_columns, "num_columns", at_least=1)
    num_columns = min(num_columns, len(plan.rows))
    num_rows = math.ceil(len(plan.rows) / num_columns)
    names = [type(label[0])("\n".join(filter(None, label))) for label in plan.labels]
    names += [""] * (num_rows * num_columns - len(names))
    count = plan.steps.shape[-1]
    titles = [f"step {step + 1} of {count}" for step in range(count)]
    if plan.steps.ndim == 1:
        titles = [f"value {number}" for number in step_labels(plan.steps)]
    rows = [names[i : i + num_columns] for i in range(0, len(names), num_columns)]
    labels = Labels(title=max(titles, key=len), tiles=rows)
    # Of n images in a row, that number t n // S at step t.
    images = np.stack([row[np.arange(count) * len(row) // count] for row in plan.rows])
    if scale is None:
        scale = max(1, math.ceil(_FRAME_PIXELS / max(images.shape[2:4])))
    layout = Layout((num_rows, num_columns), images.shape[2:4], labels, scale=scale)
    tiles, present = in_rows(images, num_columns)
    forth = [
        layout.draw(tiles[:, :, step], title=title, present=present)
        for step, title in enumerate(titles)
    ]
    return np.stack(forth + forth[-2:0:-1] if there_and_back else forth)


def normal_quantiles(num_steps: int = _NUM_STEPS) -> np.ndarray:
    """Returns steps of equal probability under N(0, 1), float64 [num_steps].

    They go from the 0.05 to the 0.95 quantile, as in Dupont (2018), appendix G.
    """
    integer(num_steps, "num_steps", at_least=2)
    inverse = statistics.NormalDist().inv_cdf
    return np.array([inverse(p) for p in np.linspace(*_PROBABILITIES, num_steps)])


def code_quantiles(codes: np.ndarray, num_steps: int = _NUM_STEPS) -> np.ndarray:
    """Returns even steps for each latent over its own codes, float64 [L, num_steps].

    They go from the 0.05 to the 0.95 quantile of `codes` [N, L], the codes of many
    images.
    """
    codes = np.asarray(codes, np.float64)
    good = codes.ndim == 2 and codes.size > 0 and np.isfinite(codes).all()
    require(good, "codes", "be finite, of shape [N, L]", codes.shape)
    integer(num_steps, "num_steps", at_least=2)
    low, high = np.quantile(codes, _PROBABILITIES, axis=0)
    return np.linspace(low, high, num_steps, axis=1)


def step_labels(values: np.ndarray) -> list[str]:
    """Formats values alike: with one decimal where that is exact, else with two.

    Values that lie closer get as many as tell them apart, at most six.
    """
    decimals = 1 if np.allclose(values, values.round(1), atol=1e-3) else 2
    num = len(np.unique(values))
    while decimals < 6 and len(np.unique(values.round(decimals))) < num:
        decimals += 1
    return [f"{value + 0.0:.{decimals}f}" for value in values.round(decimals)]


def _steps(
    values: np.ndarray | Sequence[float] | None, default: int = _NUM_STEPS
) -> np.ndarray:
    """Returns the steps, [S] or [L, S] with S at least 2."""
    if values is None:
        return np.linspace(*_LIMITS, default)
    steps = np.asarray(values, np.float64)
    good = steps.ndim in (1, 2) and steps.shape[-1] >= 2 and np.isfinite(steps).all()
    rule = "be at least 2 finite numbers [S], or [L, S] for L latents"
    require(good, "values", rule, values)
    return steps


def _plan(
    decode: Decode,
    code: np.ndarray,
    steps: np.ndarray,
    columns: Sequence[CodeColumn] | None,
    notes: Sequence[RowLabel] | None,
    order: Sequence[int] | None,
    unused: Collection[int],
) -> _Plan:
    """Checks the arguments and decodes."""
    code = np.asarray(code, np.float32)
    remedy = "Give one code, codes[i]." if code.ndim == 2 else ""
    require(code.ndim == 1 and code.size, "code", "have shape [L]", code.shape, remedy)
    num_latents = len(code)
    if columns is None:
        columns = [CodeColumn(f"z{latent}") for latent in range(num_latents)]
    notes = [()] * num_latents if notes is None else notes
    own_steps = [steps] * num_latents if steps.ndim == 1 else steps
    rule = f"have one entry per latent, {num_latents}"
    require(len(columns) == num_latents, "columns", rule, len(columns))
    require(len(notes) == num_latents, "notes", rule, len(notes))
    require(len(own_steps) == num_latents, "values", rule, len(own_steps))
    latents = list(range(num_latents)) if order is None else [int(d) for d in order]
    in_range = latents and all(0 <= latent < num_latents for latent in latents)
    require(in_range, "order", f"hold latents in [0, {num_latents})", order)
    moves = []
    for latent in latents:
        kind, count = columns[latent].kind, columns[latent].num_values
        fits = (kind == "categorical") == (count is not None)
        rule = "be given for a categorical latent, and for no other"
        require(fits, f"columns[{latent}].num_values", rule, count)
        moves.append(own_steps[latent] if count is None else np.arange(count))
    codes = np.concatenate([np.tile(code, (len(move), 1)) for move in moves])
    ends = np.cumsum([len(move) for move in moves])
    for latent, end, move in zip(latents, ends, moves, strict=True):
        codes[end - len(move) : end, latent] = move
    rows = np.split(rgb(decoded(decode, codes), "decode(codes)"), ends[:-1])
    labels = []
    for d in latents:
        cells = [notes[d]] if isinstance(notes[d], str) else notes[d]
        style = Faint if d in unused else str
        labels.append([style(cell) for cell in (columns[d].name, *cells)])
    steps = steps if steps.ndim == 1 else steps[latents]
    return _Plan(steps, [columns[d] for d in latents], labels, rows)
