"""Floor and ceiling of a score, under the same protocol, seed and data.

A bare number says nothing: black images reach a FactorVAE score of 0.68, and a perfect
code has a SAP of only 0.27. So each score can be shown between

    noise      codes that are noise, independent of the image
    untrained  networks of the same architecture before their first step
    ceiling    the factors themselves, one latent each

The floor is the better of the first two: whichever is nearer to the ceiling.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle import configs, files
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn, Dataset, Encoder
from tf_disentangle.metrics.calls import Call, columns_for
from tf_disentangle.metrics.encoding import EncodedFactors, FactorEncoder
from tf_disentangle.metrics.tables import relabelled, with_labels
from tf_disentangle.progress import Line


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Reference scores for judging a score; NaN where there is none.

    Attributes:
        noise: Score of codes that are noise.
        untrained: Mean score of untrained networks.
        ceiling: Score of the factors as codes.
    """

    noise: float = math.nan
    untrained: float = math.nan
    ceiling: float = math.nan

    @property
    def floor(self) -> float:
        """Noise or untrained networks, whichever is nearer to the ceiling."""
        known = [v for v in (self.noise, self.untrained) if math.isfinite(v)]
        if not known:
            return math.nan
        return min(known, key=lambda value: abs(self.ceiling - value))

    def place(self, score: float) -> float:
        """Returns where a score lies: 0 at the floor, 1 at the ceiling.

        NaN where floor and ceiling are no further apart than 0.001, as for scores of
        independence, in which noise is perfect.
        """
        room = self.ceiling - self.floor
        if not math.isfinite(room) or abs(room) < 1e-3:
            return math.nan
        return (score - self.floor) / room

    @staticmethod
    def mean(several: Sequence[Bounds | None]) -> Bounds | None:
        """Returns the mean over seeds; None if a seed has none."""
        if not several or any(bounds is None for bounds in several):
            return None
        values = np.array([dataclasses.astuple(bounds) for bounds in several])
        return Bounds(*values.mean(axis=0).tolist())


class Noise(FactorEncoder):
    """Codes without information: standard normal, drawn anew for each draw.

    Args:
        num_latents: L, at least 1.
    """

    def __init__(self, num_latents: int) -> None:
        self.num_latents = num_latents

    def codes(self, factors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws codes, float32 [n, L]."""
        return rng.standard_normal((len(factors), self.num_latents), np.float32)


class FactorCodes(FactorEncoder):
    """The factors themselves as codes: one latent each, with a variance near 1."""

    def __init__(self, factor_sizes: Sequence[int]) -> None:
        self.sizes = np.asarray(factor_sizes)

    def codes(self, factors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Returns the factors, standardised as if uniform, float32 [n, K]."""
        del rng
        return standardised(factors, self.sizes)


def standardised(factors: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Labels [n, K] of K sizes with mean 0 and variance 1 if uniform, float32."""
    deviation = np.sqrt(np.maximum(sizes**2 - 1, 1) / 12)
    return ((factors - (sizes - 1) / 2) / deviation).astype(np.float32)


class BoundsOfData:
    """Floor and ceiling of metrics of one data set; called once for each metric."""

    def __init__(
        self,
        data: Dataset,
        encoder: Encoder,
        floor_encoders: Sequence[Encoder] = (),
        architecture: str = "",
        cache: str | os.PathLike | None = None,
        columns: Sequence[CodeColumn] | None = None,
        progress: bool | None = None,
    ) -> None:
        """Keeps the arguments.

        Args:
            data: With known factors.
            encoder: Gives the number of latents.
            floor_encoders: Encoders of untrained networks.
            architecture: Name of these networks; without it, their scores are not kept.
            cache: Folder in which scores are kept; None keeps none.
            columns: What the columns of the codes hold.
            progress: False writes no line on each bound that is computed.
        """
        self.data, self.progress = data, progress
        # An untrained network, too, sees each image only once for all metrics.
        self.floor_encoders = [EncodedFactors(data, e) for e in floor_encoders]
        self.architecture, self.columns = architecture, columns
        self.num_latents = len(columns) if columns else 0
        if not self.num_latents:
            self.num_latents = int(np.shape(encoder(data.images()[:2]))[1])
        self.folder = None if cache is None else pathlib.Path(cache) / "bounds"
        record = configs.serialize(data)
        self.data_id = json.dumps(record, sort_keys=True)
        if not _tells_apart(record):
            self.folder = None

    def __call__(self, call: Call, values: Mapping[str, Any]) -> Bounds | None:
        """Returns the bounds of one metric; None for one that has none."""
        has_bounds = call.metric is not None and call.metric.has_bounds
        if not has_bounds or not self.data.factor_names:
            return None
        line, seed = Line(), values.get("seed")
        label = call.name if seed is None else f"{call.name}, seed {seed}"

        def tell(text: str) -> None:
            if self.progress is not False:
                line.show(f"{label}, {text} ...")

        score = functools.partial(self._score, call, values, tell)
        count = len(self.floor_encoders)
        untrained = [
            score(
                encoder,
                f"untrained {i} {self.architecture}",
                f"floor: untrained network {i + 1} of {count}",
            )
            for i, encoder in enumerate(self.floor_encoders)
        ]
        noise, ceiling = Noise(self.num_latents), FactorCodes(self.data.factor_sizes)
        return Bounds(
            noise=score(noise, f"noise {self.num_latents}", "floor: noise"),
            untrained=float(np.mean(untrained)) if untrained else math.nan,
            ceiling=score(ceiling, "factors", "ceiling: the factors"),
        )

    def _score(
        self,
        call: Call,
        values: Mapping[str, Any],
        tell: Callable[[str], object],
        encoder: Encoder,
        what: str,
        shown: str,
    ) -> float:
        """Returns a score, from the cache if it is there; NaN if it is refused.

        Args:
            call: The metric.
            values: Its options.
            tell: Called with `shown` where a score is computed.
            encoder: What it scores.
            what: What the encoder is, for the cache.
            shown: What it is, for the user who waits.
        """
        passed = {
            k: v for k, v in {**call.options, **values}.items() if k != "progress"
        }
        is_named = isinstance(encoder, FactorEncoder) or bool(self.architecture)
        path = None
        if self.folder is not None and is_named:
            name = call.metric.name
            key = {"data": self.data_id, "metric": name, "of": what}
            key["options"] = repr(sorted(passed.items()))
            text = json.dumps(key, sort_keys=True)
            digest = hashlib.sha256(text.encode()).hexdigest()[:32]
            path = self.folder / f"{name}-{digest}.json"
        # Runs that need the same bound at once wait for the first of them.
        with _alone(path):
            if path is not None and path.exists():
                kept = json.loads(path.read_text("utf-8"))["score"]
                return math.nan if kept is None else float(kept)
            tell(shown)
            columns = None if isinstance(encoder, FactorEncoder) else self.columns
            try:
                result = call.function(
                    self.data, encoder, **values, **columns_for(call, columns)
                )
            except Exception:  # A failing bound must not cost the scores.
                return math.nan
            score = float(result.score)
            if path is not None:
                kept = score if math.isfinite(score) else None
                with contextlib.suppress(ArgumentError):  # A cache may be read-only.
                    files.write_json(path, {**key, "score": kept})
        return score


@contextlib.contextmanager
def _alone(path: pathlib.Path | None) -> Iterator[None]:
    """Lets one process at a time compute what is kept at `path`, if it is writable."""
    with contextlib.ExitStack() as stack:
        if path is not None:
            with contextlib.suppress(OSError):
                lock = path.with_name(f".{path.stem}.lock")
                stack.enter_context(files.locked(lock, notice=""))
        yield


def _tells_apart(record: Any) -> bool:
    """Whether a serialised object says more of each part than its class or a lambda."""
    if isinstance(record, list):
        return all(map(_tells_apart, record))
    if not isinstance(record, dict):
        return True
    nameless = "<" in str(record.get("function", ""))
    if nameless or ("class_name" in record and "config" not in record):
        return False
    return all(map(_tells_apart, record.values()))


def bounds_of_arrays(
    scores: Callable[..., Any], codes: Any, tables: Sequence[Any], test_codes: Any
) -> Bounds:
    """Returns the floor of noise and the ceiling of a metric of arrays.

    Args:
        scores: Function (codes, test codes) -> result.
        codes: [N, L].
        tables: Factors [N, K], and those of the test part or None.
        test_codes: [M, L], or None.
    """
    rng = np.random.default_rng(0)
    given = [table for table in tables if table is not None]
    names = ["factors", "test_factors"][: len(given)]
    labels = [np.asarray(table) for table in with_labels(given, names)]
    joined = np.stack([relabelled(c)[0] for c in np.concatenate(labels).T], axis=1)
    perfect = standardised(joined, joined.max(axis=0) + 1)
    count, width = np.shape(codes)
    noise = rng.standard_normal((len(perfect), width), np.float32)

    def score(replaced: np.ndarray) -> float:
        test = None if test_codes is None else replaced[count:]
        try:
            return float(scores(replaced[:count], test).score)
        except ValueError:
            return math.nan

    return Bounds(noise=score(noise), ceiling=score(perfect))
