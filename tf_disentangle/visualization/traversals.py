"""Latent traversals: one latent moves, all others stay.

References:
    Higgins et al. (2017), beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, real, require
from tf_disentangle.interfaces import CodeColumn, Decode
from tf_disentangle.visualization.canvas import rgb
from tf_disentangle.visualization.grid import Labels, Layout, RowLabel, in_rows, sheet

_DECODE_BATCH = 256


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """What moves where.

    Attributes:
        steps: float [S], the steps of the continuous latents.
        columns: What each of the R moving latents is, in order.
        labels: Per moving latent its name and its notes.
        rows: Per moving latent its images, uint8 [S, H, W, 3]; of a categorical one
            there is an image for each of its values.
    """

    steps: np.ndarray
    columns: list[CodeColumn]
    labels: list[list[str]]
    rows: list[np.ndarray]


def traversals(
    decode: Decode,
    code: np.ndarray,
    *,
    values: Sequence[float] | None = None,
    limits: tuple[float, float] = (-2.0, 2.0),
    num_steps: int = 9,
    columns: Sequence[CodeColumn] | None = None,
    notes: Sequence[RowLabel] | None = None,
    order: Sequence[int] | None = None,
    title: str = "",
    scale: int | None = None,
) -> np.ndarray:
    """Pictures one row per latent, which takes each value in turn.

    The value replaces the latent's own; the other latents keep those of `code`. A
    categorical latent, which has no order, takes its n values 0 to n - 1 instead of the
    steps, and its tiles are labelled one by one.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], where the traversals start from.
        values: The steps, such as `normal_quantiles` gives; None spaces `num_steps`
            evenly over `limits`.
        limits: Lowest and highest step.
        num_steps: At least 2.
        columns: What each latent is; None for continuous latents z0, z1, ...
        notes: Per latent (not per row) what stands beside its name, such as
            "KL 2.31", or cells that are aligned, such as ("KL 2.31", "x").
        order: The latents to show, from top to bottom; None shows all.
        title: Above everything.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ArgumentError: If lengths do not fit the code, or `decode` returns no images.

    References:
        Dupont (2018), arXiv:1804.00104, appendix G: quantiles and categories.
    """
    steps = _steps(values, limits, num_steps)
    plan = _plan(decode, code, steps, columns, notes, order)
    counts = [len(row) for row in plan.rows]
    width = max(counts)
    tiles = np.zeros((len(plan.rows), width, *plan.rows[0].shape[1:]), np.uint8)
    for row, images in enumerate(plan.rows):
        tiles[row, : len(images)] = images
    numbers = step_labels(plan.steps)
    return sheet(
        tiles,
        title=title,
        row_labels=plan.labels,
        column_labels=(numbers + [""] * width)[:width]
        if any(column.num_values is None for column in plan.columns)
        else None,
        tile_labels=[_categories(column, width) for column in plan.columns],
        present=np.arange(width) < np.array(counts)[:, np.newaxis],
        scale=scale,
    )


def normal_quantiles(
    num_steps: int = 9, *, low: float = 0.05, high: float = 0.95
) -> np.ndarray:
    """Returns steps of equal probability under N(0, 1), from one quantile to another.

    Args:
        num_steps: S, at least 2.
        low: Probability below the first step, in (0, 1).
        high: Probability below the last step, above `low` and below 1.

    Returns:
        float64 [S].

    References:
        Dupont (2018), arXiv:1804.00104, appendix G, whose limits are the defaults.
    """
    integer(num_steps, "num_steps", at_least=2)
    real(low, "low", above=0.0)
    real(high, "high", above=low)
    require(high < 1, "high", "be less than 1", high)
    inverse = statistics.NormalDist().inv_cdf
    return np.array([inverse(p) for p in np.linspace(low, high, num_steps)])


def traversal_frames(
    decode: Decode,
    code: np.ndarray,
    *,
    values: Sequence[float] | None = None,
    limits: tuple[float, float] = (-2.0, 2.0),
    num_steps: int = 15,
    columns: Sequence[CodeColumn] | None = None,
    notes: Sequence[RowLabel] | None = None,
    order: Sequence[int] | None = None,
    num_columns: int = 5,
    scale: int | None = None,
) -> np.ndarray:
    """Pictures all traversals at once, as frames for `save_gif`.

    Each tile moves its own latent; all go from the first step to the last and back, so
    that the loop has no jump; categorical ones through their values, each about equally
    long. The title shows the value of the others.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], where the traversals start from.
        values: The steps; None spaces `num_steps` evenly over `limits`.
        limits: Lowest and highest step.
        num_steps: At least 2.
        columns: What each latent is; None for continuous latents z0, z1, ...
        notes: Per latent what stands below its name.
        order: The latents to show; None shows all.
        num_columns: Tiles side by side, at least 1; more wrap.
        scale: Integer factor; None makes small images readable.

    Returns:
        uint8 [2 S - 2, height, width, 3] for S steps.

    Raises:
        ArgumentError: As `traversals`.
    """
    steps = _steps(values, limits, num_steps)
    plan = _plan(decode, code, steps, columns, notes, order)
    num_columns = integer(num_columns, "num_columns", at_least=1)
    num_columns = min(num_columns, len(plan.rows))
    num_rows = math.ceil(len(plan.rows) / num_columns)
    names = ["\n".join(filter(None, label)) for label in plan.labels]
    names += [""] * (num_rows * num_columns - len(names))
    titles = [f"value {number}" for number in step_labels(plan.steps)]
    labels = Labels(
        title=max(titles, key=len),
        tiles=np.reshape(names, (num_rows, num_columns)).tolist(),
    )
    count = len(titles)
    # Of n images in a row, that number t n // S at step t.
    images = np.stack([row[np.arange(count) * len(row) // count] for row in plan.rows])
    layout = Layout((num_rows, num_columns), images.shape[2:4], labels, scale=scale)
    tiles, present = in_rows(images, num_columns)
    there = [
        layout.draw(tiles[:, :, step], title=title, present=present)
        for step, title in enumerate(titles)
    ]
    return np.stack(there + there[-2:0:-1])


def _steps(
    values: Sequence[float] | None, limits: tuple[float, float], num_steps: int
) -> np.ndarray:
    """The steps [S], S at least 2."""
    if values is None:
        low, high = (real(limit, "limits") for limit in limits)
        return np.linspace(low, high, integer(num_steps, "num_steps", at_least=2))
    steps = np.asarray(values, np.float64)
    rule = "be a sequence of at least 2 finite numbers"
    good = steps.ndim == 1 and len(steps) >= 2 and np.isfinite(steps).all()
    require(good, "values", rule, values)
    return steps


def _plan(
    decode: Decode,
    code: np.ndarray,
    values: np.ndarray,
    columns: Sequence[CodeColumn] | None,
    notes: Sequence[RowLabel] | None,
    order: Sequence[int] | None,
) -> _Plan:
    """Checks the arguments and decodes."""
    code = np.asarray(code, np.float32)
    remedy = "Give one code, codes[i]." if code.ndim == 2 else ""
    require(code.ndim == 1 and code.size, "code", "have shape [L]", code.shape, remedy)
    num_latents = len(code)
    if columns is None:
        columns = [CodeColumn(f"z{latent}") for latent in range(num_latents)]
    if notes is None:
        notes = [()] * num_latents
    for name, given in (("columns", columns), ("notes", notes)):
        rule = f"have one entry per latent, {num_latents}"
        require(len(given) == num_latents, name, rule, len(given))
    latents = list(range(num_latents)) if order is None else [int(d) for d in order]
    require(
        latents and all(0 <= latent < num_latents for latent in latents),
        "order",
        f"hold latents in [0, {num_latents})",
        order,
    )
    for latent in latents:
        column = columns[latent]
        known = (column.kind == "categorical") == (column.num_values is not None)
        rule = "be given for a categorical latent, and for no other"
        require(known, f"columns[{latent}].num_values", rule, column.num_values)
    taken = [_values(columns[latent], values) for latent in latents]
    codes = np.concatenate([np.tile(code, (len(v), 1)) for v in taken])
    ends = np.cumsum([len(v) for v in taken])
    for latent, end, moved in zip(latents, ends, taken, strict=True):
        codes[end - len(moved) : end, latent] = moved
    rows = np.split(_decoded(decode, codes), ends[:-1])
    labels = [
        [columns[d].name, *([notes[d]] if isinstance(notes[d], str) else notes[d])]
        for d in latents
    ]
    return _Plan(values, [columns[d] for d in latents], labels, rows)


def _values(column: CodeColumn, steps: np.ndarray) -> np.ndarray:
    """What a latent takes in turn: the steps, or each of its categories."""
    return steps if column.num_values is None else np.arange(column.num_values)


def _categories(column: CodeColumn, width: int) -> list[str]:
    """Labels of the tiles of a row: categories, or none for a continuous latent."""
    names = [f"{column.name} = {k}" for k in range(column.num_values or 0)]
    return names + [""] * (width - len(names))


def _decoded(decode: Decode, codes: np.ndarray) -> np.ndarray:
    """Decodes codes [N, L] in batches to uint8 [N, H, W, 3]."""
    batches = []
    for start in range(0, len(codes), _DECODE_BATCH):
        batch = codes[start : start + _DECODE_BATCH]
        images = np.asarray(decode(batch))
        require(
            images.ndim == 4 and len(images) == len(batch),
            "decode(codes)",
            f"return images of shape [{len(batch)}, H, W, C]",
            images.shape,
        )
        batches.append(rgb(images, "decode(codes)"))
    return np.concatenate(batches)


def step_labels(values: np.ndarray) -> list[str]:
    """Formats values alike: with one decimal where that is exact, else with two."""
    decimals = 1 if np.allclose(values, values.round(1)) else 2
    return [f"{value + 0.0:.{decimals}f}" for value in values.round(decimals)]
