"""Several metrics over several seeds: of a data set and an encoder, or of arrays."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tf_disentangle.checks import integer, require
from tf_disentangle.interfaces import CodeColumn, Dataset, Encoder
from tf_disentangle.metrics.draws import chosen_factors
from tf_disentangle.metrics.encoding import EncodedFactors
from tf_disentangle.metrics.estimators.shared_fits import sharing_fits
from tf_disentangle.metrics.intervals import (
    Interval,
    accuracy_interval,
    mean_interval,
)
from tf_disentangle.metrics.on_dataset import columns_for, needs


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
        name: Of the metric.
        seeds: Of the results; empty for one result with the metric's own seed, or
            without any.
        results: Of each seed.
        interval: Of the score: over the seeds (t), or of one seed's test accuracy
            (Wilson); None where one seed says nothing of its error, and for arrays,
            which are not drawn anew.
        protocol: Of the results.
        spread: Of the scores of arrays over several seeds; else None.
    """

    score: float
    name: str
    seeds: tuple[int, ...]
    results: tuple[Any, ...]
    interval: Interval | None
    protocol: str
    spread: Spread | None = None


def evaluate(
    dataset: Dataset,
    encode: Encoder,
    metrics: Mapping[str, Callable[..., Any]],
    *,
    seeds: Sequence[int] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    confidence: float = 0.95,
    progress: bool | None = None,
    **options: Any,
) -> dict[str, Evaluation]:
    """Scores an encoder with several metrics.

    Seeds are of the metrics' draws: the interval is the error of the measurement of
    this one encoder, not the spread of a method over seeds of training.

    Args:
        dataset: A set with known factors.
        encode: Images uint8 [B, H, W, C] to codes [B, L].
        metrics: Functions (dataset, encode, ...) by name, such as `METRICS`.
        seeds: At least one, each at least 0, given to the metrics that take a seed;
            None leaves each metric its own.
        columns: What the columns of the codes hold, for the metrics that ask.
        confidence: Of the intervals, in (0, 1).
        progress: Whether to show bars on stderr; None shows them on a terminal only.
        **options: Such as `factors` and `encode_once`, given to each metric that has a
            parameter of that name; None leaves a metric's own value.

    Raises:
        ArgumentError: If there is no seed or no metric takes an option, and whatever
            the metrics raise.
    """
    shared = _shared(options, metrics, columns)

    # Each image is encoded once for all metrics and seeds.
    encoder = EncodedFactors(dataset, encode)

    def call(metric: Callable[..., Any], **values: Any) -> Any:
        return metric(dataset, encoder, **values)

    def summary(name: str, *found: Any) -> Evaluation:
        return _summary(name, *found, confidence)

    return _over_seeds(call, metrics, seeds, progress, shared, _takes_seed, summary)


def evaluate_arrays(
    arrays: Mapping[str, np.ndarray],
    metrics: Mapping[str, Callable[..., Any]],
    *,
    seeds: Sequence[int] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    factors: Sequence[str] | None = None,
    factor_names: Sequence[str] | None = None,
    progress: bool | None = None,
    **options: Any,
) -> dict[str, Evaluation]:
    """Scores codes with several metrics of arrays.

    The rows are given and not drawn, so there are no confidence intervals: several
    seeds show what the split, or the solver, does to the score, as its `spread`.

    Args:
        arrays: "codes" [N, L] and "factors" [N, K], "test_codes" and "test_factors" for
            metrics with a test part. Without a test part each such metric holds out a
            random third of the rows, by its seed, and its protocol says so.
        metrics: Functions of arrays by name, such as `ARRAY_METRICS`.
        seeds: Of the splits and solvers. A metric that neither splits the rows nor
            takes a seed is called once.
        columns: As in `evaluate`.
        factors: Names of the factors to score, each once; the protocol says so. None
            is all.
        factor_names: Of the K factors, in order; factor0, factor1, ... by default.
        progress: As in `evaluate`.
        **options: As in `evaluate`.

    Raises:
        ArgumentError: If an array that a metric needs is missing, or a factor's name is
            unknown or comes twice.
    """
    shared = _shared(options, metrics, columns)
    for name in ("codes", "factors"):
        wanted = any(_takes_array(metric, name) for metric in metrics.values())
        require(
            name in arrays or not wanted,
            "arrays",
            f"have {name!r} for these metrics",
            sorted(arrays),
        )
    pair = ("test_codes" in arrays, "test_factors" in arrays)
    require(len(set(pair)) == 1, "arrays", "have both parts of a test", sorted(arrays))
    arrays, note = _with_factors(arrays, factors, factor_names)

    def splits(metric: Callable[..., Any]) -> bool:
        return needs(metric)[:1] == ("train_codes",) and not any(pair)

    def call(metric: Callable[..., Any], seed: int = 0, **values: Any) -> Any:
        own = {"seed": seed} if _takes_seed(metric) else {}
        wanted, added = [n.removeprefix("train_") for n in needs(metric)], ""
        if splits(metric):
            given, added = _held_out_third(arrays, seed), ", test=random third"
        else:
            given = [arrays[name] for name in wanted]
        if _takes_array(metric, "factors"):
            added += note
        result = metric(*given, **values, **own)
        if not added:
            return result
        return dataclasses.replace(result, protocol=f"{result.protocol}{added}")

    def seeded(metric: Callable[..., Any]) -> bool:
        return splits(metric) or _takes_seed(metric)

    def summary(name: str, *found: Any) -> Evaluation:
        of = "splits" if splits(metrics[name]) else "solver seeds"
        return _summary(name, *found, None, of)

    return _over_seeds(call, metrics, seeds, progress, shared, seeded, summary)


def _with_factors(
    arrays: Mapping[str, np.ndarray],
    factors: Sequence[str] | None,
    names: Sequence[str] | None,
) -> tuple[Mapping[str, np.ndarray], str]:
    """Returns the arrays with the chosen factors only, and the protocol's note."""
    if factors is None:
        return arrays, ""
    require("factors" in arrays, "arrays", "have factors to choose", sorted(arrays))
    found = {k: np.asarray(a) for k, a in arrays.items() if k.endswith("factors")}
    count = found["factors"].shape[-1] if names is None else len(names)
    names = [f"factor{k}" for k in range(count)] if names is None else list(names)
    for name, array in found.items():
        remedy = f"They look transposed: pass {name}.T." if count in array.shape else ""
        good = array.ndim == 2 and array.shape[1] == count
        require(good, name, f"have shape [N, {count}]", array.shape, remedy)
    chosen, note = chosen_factors(names, factors)
    return {**arrays, **{k: array[:, chosen] for k, array in found.items()}}, note


def _held_out_third(arrays: Mapping[str, np.ndarray], seed: int) -> list[np.ndarray]:
    """Train and test part of codes and factors: two thirds and one of the rows."""
    codes, factors = np.asarray(arrays["codes"]), np.asarray(arrays["factors"])
    if len(factors) != len(codes):
        return [codes, factors, codes, factors]  # The metric says what is wrong.
    rule = "have at least 6 rows to hold out a third of them"
    enough = np.ndim(codes) != 2 or len(codes) >= 6
    require(enough, "codes", rule, codes.shape, "Or give a test part.")
    order = np.random.default_rng(seed).permutation(len(codes))
    test, train = np.split(order, [len(codes) // 3])
    return [codes[train], factors[train], codes[test], factors[test]]


def _shared(
    options: Mapping[str, Any],
    metrics: Mapping[str, Callable[..., Any]],
    columns: Sequence[CodeColumn] | None,
) -> dict[str, Any]:
    """Returns what every metric gets that has a parameter for it.

    Raises:
        ArgumentError: If an option is no parameter of any of the metrics, or columns
            are categorical and a metric does not ask for them.
    """
    shared = {name: v for name, v in options.items() if v is not None}
    for option in shared:
        takes = [m for m in metrics.values() if _takes(m, option)]
        rule = "be an option of one of the metrics"
        require(takes, option, rule, ", ".join(metrics))
    for name, metric in metrics.items():
        columns_for(metric, columns, name)
    return shared if columns is None else {**shared, "columns": columns}


def _takes(metric: Callable[..., Any], option: str) -> bool:
    return option in inspect.signature(metric).parameters


def _takes_seed(metric: Callable[..., Any]) -> bool:
    return _takes(metric, "seed")


def _takes_array(metric: Callable[..., Any], name: str) -> bool:
    """Whether a metric of arrays takes "codes", or "factors", of any part."""
    return any(needed.endswith(name) for needed in needs(metric))


def _over_seeds(
    call: Callable[..., Any],
    metrics: Mapping[str, Callable[..., Any]],
    seeds: Sequence[int] | None,
    progress: bool | None,
    shared: Mapping[str, Any],
    seeded: Callable[[Callable[..., Any]], bool],
    summary: Callable[..., Evaluation],
) -> dict[str, Evaluation]:
    """Calls each metric with each seed, or once if it is not `seeded`."""
    seeds = (None,) if seeds is None else _checked_seeds(seeds)
    results: dict[str, list[Any]] = {name: [] for name in metrics}
    disable = None if progress is None else not progress
    total = len(metrics) * len(seeds)
    bars = tqdm(total=total, unit="score", disable=disable, leave=False)
    with bars as bar, sharing_fits():
        # Seeds outside: metrics of one seed share their draws.
        for seed in seeds:
            for name, metric in metrics.items():
                bar.set_description(name if seed is None else f"{name}, seed {seed}")
                values = {k: v for k, v in shared.items() if _takes(metric, k)}
                if _takes(metric, "progress") and progress is not None:
                    values["progress"] = progress
                if seeded(metric) and seed is not None:
                    results[name].append(call(metric, seed=seed, **values))
                elif not results[name]:
                    results[name].append(call(metric, **values))
                bar.update()
    return {
        name: summary(
            name,
            seeds if seeded(metrics[name]) and seeds[0] is not None else (),
            tuple(each),
        )
        for name, each in results.items()
    }


def _checked_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    seeds = tuple(integer(seed, "seeds", at_least=0) for seed in seeds)
    require(seeds, "seeds", "have at least one seed", seeds)
    require(len(set(seeds)) == len(seeds), "seeds", "differ", seeds)
    return seeds


def _summary(
    name: str,
    seeds: tuple[int, ...],
    results: tuple[Any, ...],
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
        results: Of one metric, at least 1.
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
