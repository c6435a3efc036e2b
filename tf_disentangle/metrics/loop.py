"""The loop of an evaluation over metrics and seeds, and what it gives."""

from __future__ import annotations

import dataclasses
import math
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tf_disentangle.checks import integer, require
from tf_disentangle.metrics.bounds import Bounds
from tf_disentangle.metrics.calls import Call
from tf_disentangle.metrics.estimators.shared_fits import sharing_fits
from tf_disentangle.metrics.intervals import (
    Interval,
    accuracy_interval,
    mean_interval,
)
from tf_disentangle.metrics.results import from_row


@dataclasses.dataclass(frozen=True)
class Spread:
    """How far the scores of the same rows lie apart: a description, no interval.

    Splits of the same rows share them, and seeds of a solver share everything, so that
    their scores say nothing of what other rows would give.

    Attributes:
        low: The least score.
        high: The greatest.
        deviation: Standard deviation (ddof 1).
        num: How many scores, at least 2.
        of: What differs between them: "splits" or "solver seeds".
    """

    low: float
    high: float
    deviation: float
    num: int
    of: str


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """One metric over several seeds.

    Attributes:
        score: Mean score of the seeds.
        name: Name of the metric.
        seeds: Seeds of the results; empty for one result with the metric's own seed, or
            without any.
        results: The result of each seed.
        interval: Interval of the score: over the seeds (t), or of one seed's test
            accuracy (Wilson); None where one seed says nothing of its error, and for
            arrays, which are not drawn anew.
        protocol: Protocol of the results.
        spread: Spread of the scores of arrays over several seeds; else None.
        bounds: Floor and ceiling of the score, if they were asked for.
    """

    score: float
    name: str
    seeds: tuple[int, ...]
    results: tuple[Any, ...]
    interval: Interval | None
    protocol: str
    spread: Spread | None = None
    bounds: Bounds | None = None


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A metric that gave no score.

    Attributes:
        name: Name of the metric.
        reason: What it said.
        score: NaN.
    """

    name: str
    reason: str
    score: float = math.nan


#: Called with a metric's name, the seed (None: its own), the result and the call.
OnResult = Callable[[str, int | None, Any, str], object]


def taken(call: Call, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the shared options that a metric takes."""
    return {name: value for name, value in shared.items() if call.takes(name)}


@dataclasses.dataclass(frozen=True, eq=False)
class Loop:
    """Calls each metric with each seed, or once if it is not seeded.

    Attributes:
        calls: The metrics.
        seeds: The seeds; (None,) leaves each its own.
        shared: Options for all that take them.
        done: As in `evaluate`.
        on_result: As in `evaluate`.
        progress: As in `evaluate`.
    """

    calls: Sequence[Call]
    seeds: tuple[int | None, ...]
    shared: Mapping[str, Any]
    done: Mapping[str, Any] | None
    on_result: OnResult | None
    progress: bool | None

    def __call__(
        self,
        run: Callable[..., Any],
        seeded: Callable[[Call], bool],
        summary: Callable[..., Evaluation],
        bounded: Callable[[Call, int | None], Bounds | None],
    ) -> dict[str, Evaluation | Refusal]:
        """Returns the table.

        Args:
            run: Function (call, **values) -> result.
            seeded: Whether a metric is called with each seed.
            summary: Function (name, seeds, results) -> evaluation.
            bounded: Function (call, seed) -> floor and ceiling, or None.
        """
        results: dict[str, list[Any]] = {call.name: [] for call in self.calls}
        floors: dict[str, list[Bounds | None]] = {call.name: [] for call in self.calls}
        refusals: dict[str, Refusal] = {}
        with sharing_fits():
            # Seeds outside: metrics of one seed share their draws.
            for first, seed in enumerate(self.seeds):
                for call in self.calls:
                    if call.name in refusals or (first and not seeded(call)):
                        continue
                    own = seed if seeded(call) else None
                    result = self._result(run, call, own)
                    if isinstance(result, Refusal):
                        refusals[call.name] = result
                        continue
                    results[call.name].append(result)
                    floors[call.name].append(bounded(call, own))
        table: dict[str, Evaluation | Refusal] = {}
        for call in self.calls:
            table[call.name] = refusals.get(call.name) or dataclasses.replace(
                summary(
                    call.name,
                    self.seeds if seeded(call) and self.seeds[0] is not None else (),
                    tuple(results[call.name]),
                ),
                bounds=Bounds.mean(floors[call.name]),
            )
        return table

    def _result(self, run: Callable[..., Any], call: Call, seed: int | None) -> Any:
        """Returns the result of one call, the kept one if there is one."""
        values = taken(call, self.shared)
        if seed is not None:
            values["seed"] = seed
        name = call_id(call, values)
        kept = _kept(call, (self.done or {}).get(name))
        label = call.name if seed is None else f"{call.name}, seed {seed}"
        if kept is not None:
            self._tell(f"{label}: {kept.score:.4g}, kept from before")
            return kept
        began = time.perf_counter()
        self._tell(f"{label} ...")
        try:
            result = run(call, **values)
        except Exception as error:
            # A refusal has its words; anything else is a failure, and says its kind.
            reason = f"{error}" if isinstance(error, ValueError | TypeError) else ""
            reason = reason or f"{type(error).__name__}: {error}"
            result = Refusal(call.name, reason)
            self._tell(f"{label}: no score. {reason}")
        else:
            seconds = time.perf_counter() - began
            self._tell(f"{label}: {result.score:.4g}, in {seconds:.1f} s")
        if self.on_result is not None:
            self.on_result(call.name, seed, result, name)
        return result

    def _tell(self, text: str) -> None:
        if self.progress is not False:
            tqdm.write(text, file=sys.stderr)


def call_id(call: Call, values: Mapping[str, Any]) -> str:
    """Returns a metric with all that was passed to it, as "mig(num_train=700)".

    By this name `evaluate` finds a result that is there already.
    """
    passed = {**call.options, **values}
    for name in ("progress", "held_out"):  # These are the run's, not the caller's.
        passed.pop(name, None)
    inner = ", ".join(f"{k}={_shown(v)}" for k, v in sorted(passed.items()))
    return f"{call.name}({inner})"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return repr(value)


def _kept(call: Call, kept: Any) -> Any:
    """Returns a result of before; None if there is none that can be read."""
    if not isinstance(kept, Mapping):
        return kept
    if call.metric is None:
        return None
    kind = typing.get_type_hints(call.metric.function).get("return")
    try:
        return from_row(kind, dict(kept))
    except (KeyError, TypeError):  # Of another version.
        return None


def checked_seeds(seeds: Sequence[int] | None) -> tuple[int | None, ...]:
    """Returns the seeds, each once and at least 0; (None,) for the metrics' own."""
    if seeds is None:
        return (None,)
    seeds = tuple(integer(seed, "seeds", at_least=0) for seed in seeds)
    require(seeds, "seeds", "have at least one seed", seeds)
    require(len(set(seeds)) == len(seeds), "seeds", "differ", seeds)
    return seeds


def summarise(
    name: str,
    seeds: tuple[int, ...],
    results: tuple[Any, ...],
    *,
    confidence: float | None,
    of: str = "",
) -> Evaluation:
    """An interval, or without `confidence` the spread of what differs."""
    scores = [float(result.score) for result in results]
    interval = spread = None
    if confidence is not None:
        interval = score_interval(results, confidence)
    elif len(scores) > 1 and np.all(np.isfinite(scores)):
        deviation = float(np.std(scores, ddof=1))
        spread = Spread(min(scores), max(scores), deviation, len(scores), of)
    return Evaluation(
        score=float(np.mean(scores)),
        name=name,
        seeds=seeds,
        results=results,
        interval=interval,
        protocol=getattr(results[0], "protocol", ""),
        spread=spread,
    )


def score_interval(results: Sequence[Any], confidence: float = 0.95) -> Interval | None:
    """Interval of a score, from results that differ in their seed only.

    Args:
        results: Results of one metric, at least 1.
        confidence: In (0, 1).

    Returns:
        Student's interval of the mean for several finite scores; Wilson's for a single
        score that is an accuracy on `num_test_trials`; else None.
    """
    scores = [float(result.score) for result in results]
    if not np.all(np.isfinite(scores)):
        return None
    if len(scores) > 1:
        return mean_interval(scores, confidence=confidence)
    trials = num_test_trials(results[0])
    if not trials:
        return None
    return accuracy_interval(round(scores[0] * trials), trials, confidence=confidence)


def num_test_trials(result: Any) -> int:
    """Test trials of which the score is the share that was right; 0 if it is not."""
    votes = getattr(result, "test_votes", None)
    return 0 if votes is None else int(np.sum(votes))
