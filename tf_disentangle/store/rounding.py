"""What rounding the weights to float16 changes: measured, not promised."""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_disentangle import summary
from tf_disentangle.metrics import METRICS
from tf_disentangle.store import weights

if TYPE_CHECKING:
    from tf_disentangle.run import Run

_NUM_DRAWS = 256


@dataclasses.dataclass(frozen=True)
class Measured:
    """Largest differences between a model and the same with rounded weights.

    Attributes:
        decode: Of the images, in [0, 1], that 256 codes of the prior decode to.
        codes: Of the continuous codes of the images; None without images.
        changed: Share of the categorical codes that changed; None without either.
        num_images: How many were encoded.
        scores: By metric, with rounded weights and the recorded call.
    """

    decode: float
    codes: float | None
    changed: float | None
    num_images: int
    scores: Mapping[str, float]


def measure(run: Run, arrays: Mapping[str, np.ndarray], rescore: bool) -> Measured:
    """Compares the model of a run with itself under rounded weights.

    Args:
        run: The run, with its own weights.
        arrays: The rounded weights.
        rescore: Whether to score the rounded model by the calls that are recorded.
    """
    model = run.model
    drawn = model.latents.prior.sample(_NUM_DRAWS, np.array([run.batches.seed, 0]))
    latents = np.asarray(model.latents.to_codes(drawn))
    latents = latents[np.isfinite(latents).all(axis=1)]
    images = summary.held_out_images(run)
    shown, codes = run.decode(latents), None if images is None else run.encode(images)
    calls = _calls(run.history, run.step) if rescore else {}
    with weights.holding(model, arrays):
        decode = float(np.abs(run.decode(latents) - shown).max(initial=0.0))
        rounded = None if images is None else run.encode(images)
        scores = {}
        if calls:
            results = run.score(*calls.values())
            scores = {
                name: float(result.score)
                for name, result in zip(calls, results.values(), strict=True)
                if np.isfinite(result.score)
            }
    if codes is None or rounded is None:
        return Measured(decode, None, None, 0, scores)
    is_number = np.array([not c.num_values for c in model.latents.columns])
    difference = np.abs(rounded - codes)
    others = difference[:, ~is_number]
    return Measured(
        decode,
        float(difference[:, is_number].max(initial=0.0)) if is_number.any() else None,
        float((others > 0).mean()) if others.size else None,
        len(codes),
        scores,
    )


def table(
    scores: Mapping[str, Mapping[str, Any]], measured: Measured | None
) -> dict[str, dict[str, Any]]:
    """Returns the recorded scores, and those of rounded weights beside them."""
    if measured is None:
        return {name: dict(score) for name, score in scores.items()}
    return {
        name: {**score, "float16": measured.scores.get(name)}
        for name, score in scores.items()
    }


def _calls(rows: Sequence[Mapping[str, Any]], step: int) -> dict[str, Any]:
    """Returns by metric the call that gave the last score of mean codes at a step."""
    last = summary.last_scores(rows, step)
    calls: dict[str, Any] = {}
    for row in rows:
        if row["step"] != step or row.get("codes", "mean") != "mean":
            continue
        for name, result in row.get("scores", {}).items():
            text = row.get("call") or row.get("calls", {}).get(name)
            is_last = name in last and result.get("protocol") == last[name]["protocol"]
            if is_last and "reason" not in result and text and (call := _parsed(text)):
                calls.setdefault(name, call)  # Of several seeds the first.
    return calls


def _parsed(text: str) -> Any:
    """Returns the metric of a call such as "mig(num_train=700)"; None for another."""
    try:
        node = ast.parse(text, mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return None
        options = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
    except (SyntaxError, ValueError):
        return None
    metric = METRICS.get(node.func.id)
    return metric and functools.partial(metric.function, **options)
