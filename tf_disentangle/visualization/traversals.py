"""Latent traversals: one latent moves, all others stay.

References:
    Higgins et al. (2017), beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tf_disentangle.checks import integer, real, require
from tf_disentangle.protocols import CodeColumn, Decode
from tf_disentangle.visualization.canvas import rgb
from tf_disentangle.visualization.grid import Labels, Layout, RowLabel, in_rows, sheet

_DECODE_BATCH = 256


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """What moves where.

    Attributes:
        values: float [S], the steps.
        latents: int [R], the latents that move, in order.
        labels: Per moving latent its name and its notes.
        images: uint8 [R, S, H, W, 3].
    """

    values: np.ndarray
    latents: list[int]
    labels: list[list[str]]
    images: np.ndarray


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

    The value replaces the latent's own; the other latents keep those of `code`.

    Args:
        decode: Codes [B, L] to images [B, H, W, 1 or 3] in [0, 1].
        code: [L], where the traversals start from.
        values: The steps; None spaces `num_steps` evenly over `limits`.
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
        ArgumentError: If lengths do not fit the code, a latent to move is categorical,
            or `decode` returns no images.
    """
    steps = _steps(values, limits, num_steps)
    plan = _plan(decode, code, steps, columns, notes, order)
    return sheet(
        plan.images,
        title=title,
        row_labels=plan.labels,
        column_labels=_numbers(plan.values),
        scale=scale,
    )


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
    that the loop has no jump. The title shows the value.

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
    num_columns = min(num_columns, len(plan.latents))
    num_rows = math.ceil(len(plan.latents) / num_columns)
    names = ["\n".join(filter(None, label)) for label in plan.labels]
    names += [""] * (num_rows * num_columns - len(names))
    titles = [f"value {number}" for number in _numbers(plan.values)]
    labels = Labels(
        title=max(titles, key=len),
        tiles=np.reshape(names, (num_rows, num_columns)).tolist(),
    )
    layout = Layout(
        (num_rows, num_columns), plan.images.shape[2:4], labels, scale=scale
    )
    tiles, present = in_rows(plan.images, num_columns)
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
        require(
            columns[latent].kind == "continuous",
            f"columns[{latent}].kind",
            "be 'continuous' for a latent that moves",
            columns[latent].kind,
            "Leave the latent out of order.",
        )
    codes = np.broadcast_to(code, (len(latents), len(values), num_latents)).copy()
    for row, latent in enumerate(latents):
        codes[row, :, latent] = values
    images = _decoded(decode, codes.reshape(-1, num_latents))
    labels = [
        [columns[d].name, *([notes[d]] if isinstance(notes[d], str) else notes[d])]
        for d in latents
    ]
    shape = (len(latents), len(values), *images.shape[1:])
    return _Plan(values, latents, labels, images.reshape(shape))


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


def _numbers(values: np.ndarray) -> list[str]:
    """Formats values alike: with one decimal where that is exact, else with two."""
    decimals = 1 if np.allclose(values, values.round(1)) else 2
    return [f"{value + 0.0:.{decimals}f}" for value in values.round(decimals)]
