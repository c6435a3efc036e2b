"""Several metrics over several seeds: of a data set and an encoder, or of arrays.

One metric that refuses, or fails, never takes the others with it: its reason stands in
its place, a `Refusal`. Each result is handed over as it ends, so that a caller can keep
it, and what the caller has kept is not computed again.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import ArgumentTypeError, message, require
from tf_disentangle.interfaces import (
    CodeColumn,
    Dataset,
    Encoder,
    PosteriorEncoder,
)
from tf_disentangle.metrics.bounds import Bounds, BoundsOfData, bounds_of_arrays
from tf_disentangle.metrics.calls import Call, calls_of, columns_for
from tf_disentangle.metrics.encoding import EncodedFactors
from tf_disentangle.metrics.labels import column_names
from tf_disentangle.metrics.loop import (
    Evaluation,
    Loop,
    OnResult,
    Refusal,
    checked_seeds,
    summarise,
    taken,
)
from tf_disentangle.metrics.metric import Input
from tf_disentangle.metrics.sources import FactorEncoder, scored_factors


def evaluate(
    data: Dataset,
    encoder: Encoder,
    metrics: Any,
    *,
    seeds: Sequence[int] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    held_out: np.ndarray | None = None,
    confidence: float = 0.95,
    bounds: bool = False,
    floor_encoders: Sequence[Encoder] = (),
    architecture: str = "",
    cache: str | os.PathLike | None = None,
    done: Mapping[str, Any] | None = None,
    on_result: OnResult | None = None,
    progress: bool | None = None,
    **options: Any,
) -> dict[str, Evaluation | Refusal]:
    """Scores an encoder with several metrics.

    Seeds are of the metrics' draws: the interval is the error of the measurement of
    this one encoder, not the spread of a method over seeds of training.

    Args:
        data: A data set; most metrics need its factors.
        encoder: Images uint8 [B, H, W, C] to codes [B, L].
        metrics: Names, functions or metrics, such as ["mig", "factor_vae"], or a
            mapping from names of your own to them; see `metric.calls_of`.
        seeds: At least one, each at least 0, given to the metrics that take a seed;
            None leaves each metric its own.
        columns: What the columns of the codes hold, for the metrics that ask; None
            asks a `PosteriorEncoder`.
        held_out: Numbers of the images that were not trained on, for the metrics that
            ask; None takes any image.
        confidence: Confidence of the intervals, in (0, 1).
        bounds: Whether to give each score its floor and its ceiling, under the same
            protocol, seeds and data (`metrics.bounds`).
        floor_encoders: Encoders of untrained networks of the same architecture.
        architecture: Names these networks; without it their scores are not cached.
        cache: Folder where floors and ceilings are kept; None keeps none.
        done: Results that are there already, by call: what `on_result` was given, as
            they are or as rows of `results.as_row`.
        on_result: Called as each result ends.
        progress: Whether to write lines and bars on stderr; None shows bars on a
            terminal only.
        **options: Such as `factors` and `encode_once`, given to each metric that has a
            parameter of that name; None leaves a metric's own value.

    Returns:
        By name, a score or the reason why there is none.

    Example:
        >>> import tf_disentangle as td
        >>> data = td.datasets.DSprites()
        >>> means = lambda images: images.mean(axis=1).reshape(len(images), -1)
        >>> table = td.metrics.evaluate(data, means, ["mig"], num_train=100)
        >>> 0.0 <= table["mig"].score <= 1.0
        True

    Raises:
        ArgumentError: If a metric is unknown, there is no seed, or no metric takes an
            option.
        ArgumentTypeError: If `data` is no data set.

    Example:
        >>> from tf_disentangle import datasets, metrics
        >>> data = datasets.DSprites()                              # doctest: +SKIP
        >>> metrics.evaluate(data, model.encode, ["mig", "dci"])    # doctest: +SKIP
    """
    if not isinstance(data, Dataset):
        remedy = "For arrays call metrics.evaluate_arrays(codes, factors, metrics)."
        raise ArgumentTypeError(message("data", "be a data set", data, remedy))
    if columns is None and isinstance(encoder, PosteriorEncoder):
        columns = encoder.columns
    calls = calls_of(metrics)
    shared = _shared(options, calls)
    for name, value in (("progress", progress), ("held_out", held_out)):
        if value is not None:
            shared[name] = value
    # Each image is encoded once for all metrics and seeds.
    is_made = isinstance(encoder, FactorEncoder)
    cached = encoder if is_made else EncodedFactors(data, encoder)

    def run(call: Call, **values: Any) -> Any:
        return call.function(data, cached, **values, **columns_for(call, columns))

    floor = None
    if bounds:
        floor = BoundsOfData(
            data, encoder, floor_encoders, architecture, cache, columns
        )

    def bounded(call: Call, seed: int | None) -> Bounds | None:
        return floor(call, seed, taken(call, shared)) if floor else None

    loop = Loop(calls, checked_seeds(seeds), shared, done, on_result, progress)
    summary = functools.partial(summarise, confidence=confidence)
    return loop(run, lambda call: call.takes("seed"), summary, bounded)


def evaluate_arrays(
    codes: Any,
    factors: Any,
    metrics: Any,
    *,
    test_codes: Any = None,
    test_factors: Any = None,
    seeds: Sequence[int] | None = None,
    columns: Sequence[CodeColumn] | None = None,
    factor_names: Sequence[str] | None = None,
    scored: Sequence[str] | None = None,
    bounds: bool = False,
    done: Mapping[str, Any] | None = None,
    on_result: OnResult | None = None,
    progress: bool | None = None,
    **options: Any,
) -> dict[str, Evaluation | Refusal]:
    """Scores codes with several metrics.

    The rows are given and not drawn, so there are no confidence intervals: several
    seeds show what the split, or the solver, does to the score, as its `spread`.

    Args:
        codes: Numbers [N, L].
        factors: Labels [N, K], an array or a pandas.DataFrame; None for metrics of
            codes alone.
        metrics: As in `evaluate`.
        test_codes: Numbers [M, L]. Without a test part each metric that needs one
            splits the rows by its seed, and its protocol says so.
        test_factors: Labels [M, K].
        seeds: Seeds of the splits and solvers. A metric that neither splits the rows
            nor takes a seed is called once.
        columns: What the columns of the codes hold.
        factor_names: Names of the K factors; those of the DataFrame, or factor0,
            factor1, ... by default.
        scored: Names of the factors to score, each once; the protocol says so. None is
            all.
        bounds: As in `evaluate`; the floor is that of noise.
        done: As in `evaluate`.
        on_result: As in `evaluate`.
        progress: As in `evaluate`.
        **options: As in `evaluate`.

    Raises:
        ArgumentError: If a metric or a factor is unknown or no metric takes an option.
    """
    calls = calls_of(metrics)
    shared = _shared(options, calls)
    note, tables = "", [factors, test_factors]
    if scored is not None:
        require(factors is not None, "factors", "be given to choose from", factors)
        tables, note = _scored_columns(tables, factor_names, scored)

    def run(
        call: Call, codes: Any = codes, test: Any = test_codes, **values: Any
    ) -> Any:
        values = {**call.options, **values, **columns_for(call, columns)}
        return _score_arrays(call, [codes, tables[0], test, tables[1]], note, values)

    def splits(call: Call) -> bool:
        kinds = (Input.SPLIT, Input.VOTES)
        is_split = call.metric is not None and call.metric.input in kinds
        return is_split and test_codes is None

    def seeded(call: Call) -> bool:
        is_ours = call.metric is not None and "seed" in call.metric.options
        return splits(call) or (is_ours and not call.metric.seed_splits_only)

    def summary(name: str, *parts: Any) -> Evaluation:
        (call,) = [call for call in calls if call.name == name]
        of = "splits" if splits(call) else "solver seeds"
        return summarise(name, *parts, confidence=None, of=of)

    def bounded(call: Call, seed: int | None) -> Bounds | None:
        if not bounds or factors is None:
            return None
        values = taken(call, shared) | ({} if seed is None else {"seed": seed})
        scores = functools.partial(run, call, **values)
        return bounds_of_arrays(scores, codes, tables, test_codes)

    loop = Loop(calls, checked_seeds(seeds), shared, done, on_result, progress)
    return loop(run, seeded, summary, bounded)


def _score_arrays(
    call: Call, arrays: list[Any], note: str, values: Mapping[str, Any]
) -> Any:
    """Calls a metric with those of codes, factors and test part that it takes."""
    kind = call.metric.input if call.metric else Input.ENCODER
    rule = "be a metric of codes and factors"
    remedy = "It needs a data set and an encoder: metrics.evaluate(data, encoder)."
    require(kind is not Input.ENCODER, call.name, rule, call.name, remedy)
    count = {Input.CODES: 1, Input.CODES_AND_FACTORS: 2}.get(kind, 4)
    if count > 1:
        require(arrays[1] is not None, "factors", f"be given for {call.name}", None)
    result = call.metric(*arrays[:count], **values)
    if not note or count == 1:
        return result
    return dataclasses.replace(result, protocol=f"{result.protocol}{note}")


def _scored_columns(
    tables: list[Any], names: Sequence[str] | None, scored: Sequence[str]
) -> tuple[list[Any], str]:
    """Returns the tables with the scored factors only, and the protocol's note."""
    names = names or column_names(tables[0])
    count = np.shape(tables[0])[-1] if names is None else len(names)
    names = [f"factor{k}" for k in range(count)] if names is None else list(names)
    chosen, note = scored_factors(names, scored)
    kept = []
    for table, argument in zip(tables, ("factors", "test_factors"), strict=True):
        if table is None:
            kept.append(None)
            continue
        shape = np.shape(table)
        remedy = f"They look transposed: pass {argument}.T." if count in shape else ""
        good = len(shape) == 2 and shape[1] == count
        require(good, argument, f"have shape [N, {count}]", shape, remedy)
        is_frame = column_names(table) is not None
        kept.append(table.iloc[:, chosen] if is_frame else np.asarray(table)[:, chosen])
    return kept, note


def _shared(options: Mapping[str, Any], calls: Sequence[Call]) -> dict[str, Any]:
    """Returns what every metric gets that has a parameter for it.

    Raises:
        ArgumentError: If an option is no parameter of any of the metrics.
    """
    shared = {name: v for name, v in options.items() if v is not None}
    for option in shared:
        rule = "be an option of one of the metrics"
        names = ", ".join(call.name for call in calls)
        require(any(call.takes(option) for call in calls), option, rule, names)
    return shared
