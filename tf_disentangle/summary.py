"""What a run is, in one dictionary: for its model card, its pages, and comparisons.

    summarize(load("runs/chyvae"))["latents"][0]
        {"name": "z0", "kind": "continuous", "kl": 1.37, "factor": "y", ...}

It reads what the run has recorded, and uses a few held-out images to see what each
latent does. No score is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tf_disentangle import checks, configs, visualization
from tf_disentangle.metrics.bounds import Bounds
from tf_disentangle.training.pictures import latent_annotations, random_images
from tf_disentangle.training.run_folder import environment, last_terms
from tf_disentangle.training.settings import flat_settings, short_name

if TYPE_CHECKING:
    from tf_disentangle.run import Run

# Number of images that traversals start from, to measure how much a latent moves them.
_NUM_MEASURED = 16


def summarize(run: Run) -> dict[str, Any]:
    """Returns what a run is, as JSON can hold it.

    Args:
        run: A run, trained or loaded, in memory or with a folder.

    Returns:
        A dictionary of

        - name: The folder's name; "run" for a run in memory.
        - step, steps: Steps that the weights have seen, and those planned.
        - model, objective, data: In words.
        - image_shape: [H, W, C].
        - num_parameters: Weights of encoder, decoder and latents that were trained.
        - settings: The record of the run, as `training.settings.flat_settings` has it.
        - latents: For each column of the codes a dictionary of name, kind, num_values
          (of a categorical one), kl or information (nats), factor and votes (by the
          last score that assigns factors; the factor is None for a latent that does
          not move the image or won less than 5% of all votes), share (of its votes
          for that factor), movement (mean range of a pixel when it is traversed, in
          [0, 1]), moves (whether that is more than nothing), low and high (of its
          codes on held-out images, from the 1st to the 99th percentile).
        - terms: The last terms, in nats per image; those of validation as val_NAME.
        - scores: By metric, a dictionary of score (the mean, where several seeds were
          recorded together), floor, ceiling (both None unless `evaluate --bounds`
          recorded them), interval (None, or a dictionary of low, high and, in words,
          what it is) and protocol.
        - versions: Versions of Python and the packages that the run was trained with.

        What is unknown, and numbers that are not finite, are None; a setting that is
        not finite is the text "inf" or "nan".
    """
    model, record = run.model, _record(run)
    rows = [row for row in run.history if row["step"] <= run.step]
    parts = (model.encoder, model.decoder, model.latents)
    weights = [v for part in parts for v in part.trainable_variables]
    summary = {
        "name": name_of(run),
        "step": run.step,
        "steps": run.steps,
        "model": type(model).__name__,
        "objective": str(model.objective.name),
        "data": _data_name(record["data"]),
        "image_shape": list(model.image_shape),
        "num_parameters": int(sum(math.prod(v.shape) for v in weights)),
        "settings": flat_settings(record),
        "latents": _latents(run, rows),
        "terms": last_terms(rows),
        "scores": last_scores(rows, run.step),
        "versions": {"python": record["python"], **record["versions"]},
    }
    return _finite(summary)


def _finite(value: Any) -> Any:
    """Returns a value with None for each number that JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def name_of(run: Run) -> str:
    """Returns the name of a run's folder; "run" for a run in memory."""
    return "run" if run.folder is None else run.folder.name


def _record(run: Run) -> dict[str, Any]:
    """Returns what run.json holds, or would hold."""
    if run.folder is not None:
        return run.folder.describe()
    parts = {"model": run.model, "data": run.data, "training": {"steps": run.steps}}
    return {**environment(), **configs.serialize(parts)}


def _data_name(record: Any) -> str:
    """Returns what people call a data set: a published one by its own name."""
    config = record.get("config", {}) if isinstance(record, Mapping) else {}
    name = config.get("name")
    return name if isinstance(name, str) else short_name(record)


# ---- Latents.


def _latents(run: Run, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    notes = latent_annotations(rows)
    columns, number = run.model.latents.columns, run.model.per_latent
    movement, moves, low, high = _measured(run)
    result = []
    for place, column in enumerate(columns):
        votes = _at(notes.get("votes"), place)
        factor = _at(notes.get("factor_of_latent"), place) or None
        result.append(
            {
                "name": column.name,
                "kind": column.kind,
                "num_values": column.num_values,
                number: _at(notes.get("per_latent"), place),
                "factor": None if moves is not None and not moves[place] else factor,
                "votes": None if votes is None else [int(count) for count in votes],
                "share": max(votes) / sum(votes) if votes and sum(votes) else None,
                "movement": _at(movement, place),
                "moves": _at(moves, place),
                "low": _at(low, place),
                "high": _at(high, place),
            }
        )
    return result


def _at(values: Any, place: int) -> Any:
    """Returns a plain value of a sequence, None where there is no sequence."""
    if values is None or not len(values):
        return None
    value = values[place]
    return value.item() if isinstance(value, np.generic) else value


def held_out_images(run: Run) -> np.ndarray | None:
    """Returns a few dozen held-out images of a run; None where its data are gone.

    For a published model they are those that were published with it.
    """
    if (examples := run.examples) is not None:
        return examples.images
    try:
        data = run.data
    except checks.ArgumentError:  # Its files are not at hand.
        return None
    return random_images(run.model, data.images(), run.batches)


def _measured(run: Run) -> tuple[Any, Any, Any, Any]:
    """Returns (movement, moves, low, high) of the latents, each [L] or None."""
    images, model = held_out_images(run), run.model
    if images is None:
        return None, None, None, None
    codes = model.encode(images)
    low, high = np.percentile(codes, (1, 99), axis=0).round(4)
    if model.is_vector:
        return None, None, low, high
    values = visualization.occurring_values(codes, model.latents.columns)
    decode = model.sampler(1, tf.constant([0, 0], tf.int32))
    movement = visualization.movement(decode, codes[:_NUM_MEASURED], values)
    return movement.round(5), visualization.moves_image(movement), low, high


# ---- Results.


def last_scores(
    rows: Iterable[Mapping[str, Any]], step: int
) -> dict[str, dict[str, Any]]:
    """Returns the last score of mean codes by each metric, with what belongs to it."""
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    last: dict[str, str | None] = {}  # The protocol that each metric was last under.

    def entry(name: str, row: Mapping[str, Any], default: str | None) -> dict[str, Any]:
        # A metric may name none: "" beside its bounds, None beside its score.
        last[name] = row.get("protocols", {}).get(name, default) or None
        known = {"protocol": last[name], "floor": None, "ceiling": None}
        return found.setdefault((name, last[name]), {**known, "interval": None})

    for row in rows:
        if row["step"] != step or row.get("codes", "mean") != "mean":
            continue
        for name, result in row.get("scores", {}).items():
            if "score" in result:
                score = {"score": result["score"], "interval": None}
                entry(name, row, result.get("protocol")).update(score)
        for name, values in row.get("intervals", {}).items():
            entry(name, row, last.get(name)).update(_over_seeds(values))
        for name, values in row.get("bounds", {}).items():
            numbers = {k: math.nan if v is None else v for k, v in values.items()}
            bounds = Bounds(**numbers)
            ends = {"floor": bounds.floor, "ceiling": bounds.ceiling}
            entry(name, row, last.get(name)).update(ends)
    scores = {name: found[name, protocol] for name, protocol in last.items()}
    return {name: score for name, score in scores.items() if "score" in score}


def _over_seeds(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the mean over seeds as the score, and its interval."""
    said = f"{values['confidence']:.0%} {values['method']}, n = {values['num']}"
    ends = {"low": values["low"], "high": values["high"], "of": said}
    is_known = values["low"] is not None and values["high"] is not None
    return {"score": values["mean"], "interval": ends if is_known else None}
