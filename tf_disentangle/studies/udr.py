"""Unsupervised disentanglement ranking of the runs of a study, from their codes.

Each run has a codes.npz with its codes [N, L] of images that are the same for all runs
of a data set, so that `metrics.udr_score` can compare any of them without a model. Two
scores of each run, as in Duan et al. (2020):

    udr                 among the runs that differ from it only in the seed
    udr_all_strengths   among all runs of its method, whatever their strength ("A2A")

The informative latents are those with more than 0.01 nats of KL on held-out images, as
metrics.jsonl has them ("kl_per_latent"); where a run of a group has none, every latent
of the group counts, and the protocol says so. A latent that is a category enters with
its number, a case that the paper does not cover: trust the score of such models less.

A group of M runs costs M (M - 1) fits of 3 ms each (1,000 images, 10 latents): half an
hour for the 12,600 runs of the study of 2019, six times as much over all strengths.
Memory holds the codes of one group.

References:
    Duan et al. (2020), Unsupervised Model Selection for Variational Disentangled
    Representation Learning, arXiv 1905.12614.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from tqdm import tqdm

from tf_disentangle.checks import ArgumentError, message
from tf_disentangle.metrics import udr_score
from tf_disentangle.studies import state, table
from tf_disentangle.studies.analysis.selection import EVERY_LATENT
from tf_disentangle.studies.plan import folder_of
from tf_disentangle.studies.run_rows import Results

_CELL = ["data", "method", "setting"]


@dataclasses.dataclass(frozen=True, eq=False)
class _Codes:
    """What is known of one run.

    Attributes:
        run: Its id.
        step: Its last step.
        codes: [N, L].
        indices: Of the images, [N].
        kl_per_latent: [L]; None if it is not known.
    """

    run: str
    step: int
    codes: np.ndarray
    indices: np.ndarray
    kl_per_latent: np.ndarray | None


def rank_runs(
    folder: str | os.PathLike,
    *,
    similarity: str = "lasso",
    all_strengths: bool = False,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Computes UDR of all runs that are done and puts it into the table of results.

    Args:
        folder: The study's folder.
        similarity: "lasso" or "spearman", as of `metrics.udr_score`.
        all_strengths: Whether to compare all runs of a method too, which takes as many
            times longer as there are strengths.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.

    Returns:
        The rows that were added, of kind "unsupervised" on mean codes. A run that has
        nothing to be compared with has NaN and the reason.

    Raises:
        ArgumentError: If `folder` is not a study, or no run is done.
    """
    folder = pathlib.Path(folder)
    plan = table.read_plan(folder).to_pandas()
    plan = plan[[state.is_done(folder_of(folder, run)) for run in plan["id"]]]
    if plan.empty:
        text = message("study", "have a run that is done", str(folder))
        raise ArgumentError(text)
    plan = plan.assign(setting=_settings(plan))
    groupings = [("udr", _CELL)]
    if all_strengths:
        groupings.append(("udr_all_strengths", ["data", "method"]))
    groups = [
        (name, list(group["id"]))
        for name, by in groupings
        for _, group in plan.groupby(by, sort=False)
    ]
    disable = None if progress is None else not progress
    known = _Known(folder, similarity)
    known.drop_others(groups)
    try:
        for name, runs in tqdm(groups, desc="udr", unit="group", disable=disable):
            known.bring_up_to_date(name, runs)
    finally:  # What is done when somebody stops it need not be done again.
        rows = known.write()
    names = {name for name, _ in groupings}
    return rows[rows["metric"].isin(names)].reset_index(drop=True)


def _settings(plan: pd.DataFrame) -> pd.Series:
    """What a run is apart from its seed: the bindings on top of its files."""

    def without_seed(settings: str) -> str:
        own = {k: v for k, v in json.loads(settings).items() if k != "train.seed"}
        return json.dumps(own, sort_keys=True)

    return plan["settings"].map(without_seed)


class _Known:
    """Scores by metric and run, each with what it was computed from.

    Args:
        folder: The study's folder.
        similarity: As of `udr_score`.
    """

    def __init__(self, folder: pathlib.Path, similarity: str) -> None:
        self._folder, self._similarity = folder, similarity
        rows, notes = table.read_added(folder, "udr")
        self._rows = {(row["metric"], row["run"]): row for row in rows.to_pylist()}
        self._stamps: dict[str, str] = json.loads(notes.get("stamps", "{}"))

    def drop_others(self, groups: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Drops runs that are in no group any more, of the metrics of the groups."""
        names = {name for name, _ in groups}
        wanted = {(name, run) for name, runs in groups for run in runs}
        self._rows = {
            key: row
            for key, row in self._rows.items()
            if key in wanted or key[0] not in names
        }

    def bring_up_to_date(self, name: str, runs: Sequence[str]) -> None:
        """Computes the scores of runs that are compared, unless none has changed."""
        paths = [folder_of(self._folder, run) / "codes.npz" for run in runs]
        text = f"{self._similarity} {','.join(runs)} {table.stamp(*paths)}"
        stamp = hashlib.sha256(text.encode()).hexdigest()[:16]
        keys = [f"{name} {run}" for run in runs]
        if any(self._stamps.get(key) != stamp for key in keys):
            results = Results()
            _add_group(self._folder, name, runs, self._similarity, results)
            rows = results.table().to_pylist()
            self._rows |= {(name, row["run"]): row for row in rows}
            self._stamps |= dict.fromkeys(keys, stamp)

    def write(self) -> pd.DataFrame:
        """Puts the rows into the table of results, which it returns."""
        results = Results()
        for row in self._rows.values():
            results.add(**row)
        kept = {key: self._stamps.get(key, "") for key in map(" ".join, self._rows)}
        return table.add_rows(
            self._folder, "udr", results, {"stamps": json.dumps(kept)}
        )


def _add_group(
    folder: pathlib.Path,
    name: str,
    runs: Sequence[str],
    similarity: str,
    results: Results,
) -> None:
    """Adds the scores of runs that are compared with each other."""
    known, reasons = [], {}
    for run in runs:
        try:
            known.append(_read(folder_of(folder, run), run))
        except (ArgumentError, OSError) as error:
            reasons[run] = str(error)
    images = collections.Counter(one.indices.tobytes() for one in known)
    for one in known:
        if one.indices.tobytes() != images.most_common(1)[0][0]:
            reasons[one.run] = "its codes are of other images"
    known = [one for one in known if one.run not in reasons]
    if len(known) < 2:
        reasons |= {one.run: "no other run to compare it with" for one in known}
        known = []
    for run, reason in reasons.items():
        step = _last_step(folder_of(folder, run))
        results.add(run, step, *_OF[name], representation="mean", reason=reason)
    if not known:
        return
    kls = [one.kl_per_latent for one in known]
    is_known = all(kl is not None for kl in kls)
    score = udr_score(
        [one.codes for one in known],
        kls if is_known else None,
        similarity=similarity,
        progress=False,
    )
    protocol = score.protocol if is_known else f"{score.protocol}{EVERY_LATENT}"
    for one, value in zip(known, score.model_scores, strict=True):
        results.add(one.run, one.step, *_OF[name], protocol, "mean", value=float(value))


#: Kind and name of the rows.
_OF = {name: ("unsupervised", name) for name in ("udr", "udr_all_strengths")}


def _read(folder: pathlib.Path, run: str) -> _Codes:
    """Reads codes.npz, and the KL of each latent."""
    path = folder / "codes.npz"
    try:
        with np.load(path) as file:
            codes, indices = file["codes"], file["indices"]
    except FileNotFoundError as error:
        raise ArgumentError("it has no codes.npz") from error
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArgumentError(f"its codes.npz cannot be read: {error}") from error
    step, kls = _last_step(folder), None
    for row in _rows(folder):
        if len(row.get("kl_per_latent", ())) == codes.shape[1]:
            kls = np.array(row["kl_per_latent"], np.float64)
            break
    if kls is not None and not np.isfinite(kls).all():
        raise ArgumentError("the KL of its latents is not finite")
    return _Codes(run, step, codes, indices, kls)


def _rows(folder: pathlib.Path) -> Iterator[dict]:
    """Yields the rows with the KL of each latent, the last first."""
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    yield from (
        json.loads(line) for line in reversed(lines) if b"kl_per_latent" in line
    )


def _last_step(folder: pathlib.Path) -> int:
    path = folder / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return max((json.loads(line)["step"] for line in lines[-1:]), default=0)
