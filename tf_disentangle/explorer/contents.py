"""What the page knows about runs besides models: facts, images, codes, as JSON."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from tf_disentangle import checks, summary
from tf_disentangle.training.checkpoints import find, step_of
from tf_disentangle.training.input_pipeline import images_at

if TYPE_CHECKING:
    from tf_disentangle.run import Run

NUM_IMAGES, NUM_DRAWS = 60, 200
# Categorical latents match if they agree on at least this share of the images.
_LEAST_SHARE = 0.5
# The range of a latent that the summary has none for.
_LOW, _HIGH = 0.01, 0.99


def require_pictures(runs: Sequence[Run]) -> None:
    """Refuses runs that the page cannot show.

    Raises:
        ArgumentError: If there is none, if they have vectors, or images of different
            shapes.
    """
    checks.require(runs, "runs", "name one run or more", list(runs))
    for run in runs:
        rule = "be trained on images, since the explorer shows no vectors"
        remedy = "bin/visualize RUN draws vectors as points."
        shape = run.model.image_shape
        checks.require(not run.model.is_vector, "runs", rule, shape, remedy)
        rule = "have images of one shape, so that one image goes through each"
        fits = shape == runs[0].model.image_shape
        shapes = ", ".join(" x ".join(map(str, r.model.image_shape)) for r in runs)
        checks.require(fits, "runs", rule, shapes, "Explore them one by one.")


def shelf_of(run: Run) -> tuple[np.ndarray, dict[str, Any]]:
    """Returns images to start from, uint8 [N, H, W, C], and what is said of them.

    They are a published model's own, or held-out images drawn at random.
    """
    if (examples := run.examples) is not None:
        note = f"{len(examples.images)} images that were published with the model."
        images = run.model.validate_images(examples.images)
        return images, {"labels": list(examples.labels), "note": note}
    held_out = run.batches.held_out
    indices = held_out if len(held_out) else run.batches.training
    rng = np.random.default_rng(run.batches.seed)
    chosen = rng.permutation(np.asarray(indices))[:NUM_IMAGES]
    labels = [f"Image {index}" for index in chosen]
    data = run.data
    if data.factor_names and "known_rows" in data.traits:
        for i, row in enumerate(data.factors_of(chosen)):
            pairs = zip(data.factor_names, row, strict=True)
            labels[i] += ": " + ", ".join(f"{name} {value}" for name, value in pairs)
    which = "that the model was not trained on" if len(held_out) else "of the training"
    note = f"{len(chosen)} images {which}, drawn at random."
    images = run.model.validate_images(images_at(data.images(), chosen))
    return images, {"labels": labels, "note": note}


def describe(run: Run, shelf: np.ndarray) -> dict[str, Any]:
    """Returns what the page says of a run and starts from, ready for JSON.

    Args:
        run: The run.
        shelf: The images to start from, uint8 [N, H, W, C].
    """
    facts = dict(summary.summarize(run))
    model = run.model
    codes = run.encode(shelf)
    latents = [
        _latent(latent, codes[:, i], model.per_latent)
        for i, latent in enumerate(facts["latents"])
    ]
    seed = np.array([run.batches.seed, 0], np.int32)
    draws = model.latents.prior.sample(NUM_DRAWS, seed)
    prior = np.asarray(model.latents.to_codes(draws))
    return facts | {
        "latents": latents,
        "order": _order(latents),
        "shelf_codes": _numbers(codes),
        "prior_codes": _numbers(prior[np.isfinite(prior).all(axis=1)]),
        # The page is made to be given away: no path of its author's stands in it.
        "folder": None if run.folder is None else facts["name"],
        "settings": {name: _last(item) for name, item in facts["settings"].items()},
        "checkpoint": _checkpoint(run),
        "decoded_as": "reconstruction"
        if model.reconstructs
        else "generated from the same code",
    }


def matches_between(runs: Sequence[dict[str, Any]]) -> list[list[list[dict[str, Any]]]]:
    """Returns which latents of the other runs move with each latent of each run.

    Continuous latents that stand for the same factor match, in the order of their
    share: the best one of a run matches the best one of another. A match has the
    `ratio` of the two ranges, below 0 where the codes of the same images run in
    opposite directions.

    Categorical latents match where at least half of the images of the shelf have
    values that belong together, under the best assignment of the values of one to those
    of the other. Such a match has `values`: for each value that of the other latent,
    None where no image has both.

    Args:
        runs: What `describe` returns.
    """
    found: list[list[list[dict[str, Any]]]] = [
        [[] for _ in run["latents"]] for run in runs
    ]
    for a, b in itertools.permutations(range(len(runs)), 2):
        ours, theirs = _by_factor(runs[a]), _by_factor(runs[b])
        for factor in ours.keys() & theirs.keys():
            for i, j in zip(ours[factor], theirs[factor], strict=False):
                ratio = _ratio(runs[a], i, runs[b], j)
                found[a][i].append({"run": b, "latent": j, "ratio": ratio})
        for i, j, values in _by_images(runs[a], runs[b]):
            found[a][i].append({"run": b, "latent": j, "values": values})
    return found


def _last(value: Any) -> Any:
    """Returns the last part of a setting that is an absolute path."""
    is_path = isinstance(value, str) and pathlib.PurePath(value).is_absolute()
    return pathlib.PurePath(value).name if is_path else value


def _checkpoint(run: Run) -> str:
    """Returns the word by which `load` finds the weights that the run has."""
    if run.folder is None or run.folder.is_published:
        return "last"
    last = step_of(find(run.folder.checkpoints, "last"))
    return "last" if last == run.step else "best"


def _latent(latent: dict[str, Any], codes: np.ndarray, measure: str) -> dict[str, Any]:
    """One latent as the page shows it."""
    low, high = latent["low"], latent["high"]
    if latent["kind"] != "categorical" and (low is None or not low < high):
        low, high = (float(q) for q in np.quantile(codes, [_LOW, _HIGH]))
        if not low < high:
            low, high = low - 1.0, high + 1.0
    words = {"kl": "KL", "information": "information"}
    keep = ("name", "kind", "num_values", "moves", "factor", "share")
    return {name: latent[name] for name in keep} | {
        "votes": sum(latent["votes"] or ()),
        "kl": latent[measure],
        "measure": words[measure],
        "low": low,
        "high": high,
    }


def _order(latents: Sequence[dict[str, Any]]) -> list[int]:
    """Those that move the image first, then by what they say, the largest first."""

    def key(i: int) -> tuple[bool, float]:
        kl = latents[i]["kl"]
        return latents[i]["moves"] is False, -(0.0 if kl is None else kl)

    return sorted(range(len(latents)), key=key)


def _by_factor(run: dict[str, Any]) -> dict[str, list[int]]:
    """The continuous latents of each factor that move the image, the best first."""
    found: dict[str, list[int]] = {}
    latents = run["latents"]
    for i in sorted(range(len(latents)), key=lambda i: -(latents[i]["share"] or 0.0)):
        latent = latents[i]
        is_number = latent["kind"] == "continuous" and latent["moves"] is not False
        if latent["factor"] and is_number:
            found.setdefault(latent["factor"], []).append(i)
    return found


def _ratio(ours: dict[str, Any], i: int, theirs: dict[str, Any], j: int) -> float:
    """Their range in units of ours, with the sign of the codes' correlation."""
    a, b = ours["latents"][i], theirs["latents"][j]
    x = np.array(ours["shelf_codes"])[:, i]
    y = np.array(theirs["shelf_codes"])[:, j]
    sign = -1.0 if np.sum((x - x.mean()) * (y - y.mean())) < 0 else 1.0
    return sign * (b["high"] - b["low"]) / (a["high"] - a["low"])


def _by_images(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> Iterator[tuple[int, int, list[int | None]]]:
    """Yields the categorical latents that match: ours, theirs, their value by ours."""
    rows, columns = (_categorical(run) for run in (ours, theirs))
    assigned = {(i, j): _assigned(ours, i, theirs, j) for i in rows for j in columns}
    shares = np.array([[assigned[i, j][0] for j in columns] for i in rows])
    shares = shares.reshape(len(rows), len(columns))
    for k, n in zip(*linear_sum_assignment(-shares), strict=True):
        share, values = assigned[rows[k], columns[n]]
        if share >= _LEAST_SHARE:
            yield rows[k], columns[n], values


def _assigned(
    ours: dict[str, Any], i: int, theirs: dict[str, Any], j: int
) -> tuple[float, list[int | None]]:
    """Returns their value for each of ours, and on which share of images they agree."""
    values = np.array(
        [
            [row[i] for row in ours["shelf_codes"]],
            [row[j] for row in theirs["shelf_codes"]],
        ]
    ).astype(int)
    sizes = ours["latents"][i]["num_values"], theirs["latents"][j]["num_values"]
    counts = np.zeros(sizes, int)
    np.add.at(counts, tuple(values), 1)
    x, y = linear_sum_assignment(-counts)
    pairs = {u: v for u, v in zip(x.tolist(), y.tolist(), strict=True) if counts[u, v]}
    share = float(counts[x, y].sum() / values.shape[1])
    return share, [pairs.get(value) for value in range(sizes[0])]


def _categorical(run: dict[str, Any]) -> list[int]:
    """The categorical latents that move the image."""
    return [
        i
        for i, latent in enumerate(run["latents"])
        if latent["kind"] == "categorical" and latent["moves"] is not False
    ]


def _numbers(codes: np.ndarray) -> list[list[float]]:
    """Codes with the digits that a float32 has."""
    return [[float(f"{value:.8g}") for value in row] for row in codes]
