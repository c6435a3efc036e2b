"""Several metrics over several seeds: of a data set and an encoder, or of arrays.

A metric that refuses or fails never affects the others: a `Refusal` with the reason
takes its place. Each result is handed over as soon as it is ready, so that a caller can
keep it, and what the caller has kept is not computed again.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import (
    ArgumentTypeError,
    integer,
    message,
    require,
    suggestion,
)
from tf_disentangle.interfaces import CodeColumn, Dataset, Encoder, PosteriorEncoder
from tf_disentangle.metrics.bounds import Bounds, BoundsOfData, bounds_of_arrays
from tf_disentangle.metrics.calls import Call, calls_of, columns_for
from tf_disentangle.metrics.encoding import EncodedFactors, FactorEncoder
from tf_disentangle.metrics.estimators.shared_fits import sharing_fits
from tf_disentangle.metrics.intervals import accuracy_interval, mean_interval
from tf_disentangle.metrics.metric import Input
from tf_disentangle.metrics.printing import Scores
from tf_disentangle.metrics.results import Evaluation, Refusal, Spread
from tf_disentangle.metrics.tables import column_names, scored_columns
from tf_disentangle.progress import Line

#: Called with a metric's name, the seed (None: its own), the result and the call.
OnResult = Callable[[str, int | None, Any, str], object]


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
) -> Scores:
    """Scores an encoder with several metrics.

    The seeds drive the metrics' sampling: the interval is the error of measuring this
    one encoder, not the spread of a method over training seeds.

    Args:
        data: A data set; most metrics need its factors.
        encoder: Images uint8 [B, H, W, C] to codes [B, L].
        metrics: Names, functions or metrics, such as ["mig", "factor_vae"], or a
            mapping from names of your own to them; see `calls.calls_of`.
        seeds: At least one, each at least 0, passed to the metrics that take a seed;
            None leaves each metric its own.
        columns: What the columns of the codes hold, for the metrics that use it; None
            asks a `PosteriorEncoder`.
        held_out: Numbers of the images that were not trained on, for the metrics that
            use them; None takes any image.
        confidence: Confidence of the intervals, in (0, 1).
        bounds: Whether to give each score its floor and its ceiling, under the same
            protocol, seeds and data (`metrics.bounds`).
        floor_encoders: Encoders of untrained networks of the same architecture.
        architecture: Names these networks; without it their scores are not cached.
        cache: Folder where floors and ceilings are kept; None keeps none.
        done: Earlier results, by call: what `on_result` was given, as it was or as rows
            of `results.as_row`.
        on_result: Called with each result as soon as it is ready.
        progress: Whether to write lines and bars on stderr; None shows bars on a
            terminal only.
        **options: Options such as `factors` and `encode_once`, passed to each metric
            with a parameter of that name; None keeps a metric's own value.

    Returns:
        For each name, a score or the reason why there is none.

    Raises:
        ArgumentError: If a metric is unknown, there is no seed, or no metric takes an
            option.
        ArgumentTypeError: If `data` is not a data set.

    Example:
        >>> import tf_disentangle as td
        >>> data = td.datasets.DSprites()
        >>> means = lambda images: images.mean(axis=1).reshape(len(images), -1)
        >>> table = td.metrics.evaluate(data, means, ["mig"], num_train=100)
        >>> 0.0 <= table["mig"].score <= 1.0
        True
    """
    if not isinstance(data, Dataset):
        remedy = "For arrays call metrics.evaluate_arrays(codes, factors, metrics)."
        raise ArgumentTypeError(message("data", "be a data set", data, remedy))
    if columns is None and isinstance(encoder, PosteriorEncoder):
        columns = encoder.columns
    calls = calls_of(metrics)
    _require_taken(options, calls, evaluate)
    for name, value in (("progress", progress), ("held_out", held_out)):
        options[name] = value
    floors = None
    if bounds:
        floors = BoundsOfData(
            data, encoder, floor_encoders, architecture, cache, columns, progress
        )
    # Each image is encoded once for all metrics and seeds.
    if not isinstance(encoder, FactorEncoder):
        encoder = EncodedFactors(data, encoder)
    codes = _OfData(data, encoder, columns, confidence, floors)
    return _table(codes, calls, seeds, options, done, on_result, progress)


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
) -> Scores:
    """Scores codes with several metrics.

    The rows are not sampled, so there are no confidence intervals. With several seeds,
    the `spread` shows how much the score depends on the split or the solver.

    Args:
        codes: Numbers [N, L].
        factors: Labels [N, K], an array or a pandas.DataFrame; None for metrics of
            codes alone.
        metrics: As in `evaluate`, like every argument that is not listed here.
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
    _require_taken(options, calls, evaluate_arrays)
    note, tables = "", [factors, test_factors]
    if scored is not None:
        require(factors is not None, "factors", "be given to choose from", factors)
        tables, note = scored_columns(tables, factor_names, scored)
    given = column_names(factors) if factor_names is None else factor_names
    named = () if given is None else tuple(map(str, given))
    chosen = named if scored is None else np.atleast_1d(scored)
    names = tuple(name for name in named if name in chosen)
    arrays = _OfArrays(codes, test_codes, tables, names, note, columns, bounds)
    return _table(arrays, calls, seeds, options, done, on_result, progress)


@dataclasses.dataclass(frozen=True, eq=False)
class _OfData:
    """Codes of a data set by an encoder, as `_table` scores them."""

    data: Dataset
    encoder: Encoder
    columns: Sequence[CodeColumn] | None
    confidence: float
    floors: BoundsOfData | None

    def score(self, call: Call, values: Mapping[str, Any]) -> Any:
        options = {**values, **columns_for(call, self.columns)}
        return call.function(self.data, self.encoder, **options)

    def takes_seeds(self, call: Call) -> bool:
        return call.takes("seed")

    def bounds(self, call: Call, values: Mapping[str, Any]) -> Bounds | None:
        return self.floors(call, values) if self.floors else None

    def errors(self, call: Call, results: Sequence[Any]) -> dict[str, Any]:
        """Student's interval of several scores, Wilson's of one that counts votes."""
        scores = [float(result.score) for result in results]
        interval = None
        if np.all(np.isfinite(scores)):
            trials = int(np.sum(getattr(results[0], "test_votes", 0)))
            if len(scores) > 1:
                interval = mean_interval(scores, confidence=self.confidence)
            elif trials:
                right = round(scores[0] * trials)
                interval = accuracy_interval(right, trials, confidence=self.confidence)
        return {"interval": interval}


@dataclasses.dataclass(frozen=True, eq=False)
class _OfArrays:
    """Codes that came as arrays, as `_table` scores them."""

    codes: Any
    test_codes: Any
    tables: Sequence[Any]  # Factors, and those of the test part.
    names: tuple[str, ...]  # Of the scored factors; empty if they have none.
    note: str  # What the protocol's name says about the factors.
    columns: Sequence[CodeColumn] | None
    has_bounds: bool

    def score(
        self,
        call: Call,
        values: Mapping[str, Any],
        codes: Any = None,
        test_codes: Any = None,
    ) -> Any:
        """Calls a metric with those of the arrays that it takes."""
        columns = self.columns if codes is None else None  # Unknown for noise.
        if codes is None:
            codes, test_codes = self.codes, self.test_codes
        values = {**call.options, **values, **columns_for(call, columns)}
        kind = call.metric.input if call.metric else Input.ENCODER
        rule = "be a metric of codes and factors"
        remedy = "It needs a data set and an encoder: metrics.evaluate(data, encoder)."
        require(kind is not Input.ENCODER, call.name, rule, call.name, remedy)
        if kind is Input.CODES:
            return call.metric(codes, **values)
        factors, test_factors = self.tables
        require(factors is not None, "factors", f"be given for {call.name}", None)
        arrays = [codes, factors, test_codes, test_factors]
        count = 2 if kind is Input.CODES_AND_FACTORS else 4
        result = call.metric(*arrays[:count], **values)
        changes: dict[str, Any] = {"protocol": result.protocol + self.note}
        if self.names and hasattr(result, "factor_names"):
            numbered = result.factor_names
            fits, rule = len(self.names) == len(numbered), f"be {len(numbered)} names"
            require(fits, "factor_names", rule, self.names)
            changes["factor_names"] = self.names
        return dataclasses.replace(result, **changes)

    def takes_seeds(self, call: Call) -> bool:
        is_seeded = call.metric is not None and "seed" in call.metric.options
        return self._splits(call) or (is_seeded and not call.metric.seed_splits_only)

    def bounds(self, call: Call, values: Mapping[str, Any]) -> Bounds | None:
        has_bounds = call.metric is not None and call.metric.has_bounds
        if not (self.has_bounds and has_bounds) or self.tables[0] is None:
            return None
        return bounds_of_arrays(
            lambda codes, test: self.score(call, values, codes, test),
            self.codes,
            self.tables,
            self.test_codes,
        )

    def errors(self, call: Call, results: Sequence[Any]) -> dict[str, Any]:
        scores = [float(result.score) for result in results]
        of = "splits" if self._splits(call) else "solver seeds"
        spread = None
        if len(scores) > 1 and np.all(np.isfinite(scores)):
            deviation = float(np.std(scores, ddof=1))
            spread = Spread(min(scores), max(scores), deviation, len(scores), of)
        return {"interval": None, "spread": spread}

    def _splits(self, call: Call) -> bool:
        kinds = (Input.SPLIT, Input.VOTES)
        is_split = call.metric is not None and call.metric.input in kinds
        return is_split and self.test_codes is None


def _table(
    codes: _OfData | _OfArrays,
    calls: Sequence[Call],
    seeds: Sequence[int] | None,
    options: Mapping[str, Any],
    done: Mapping[str, Any] | None,
    on_result: OnResult | None,
    progress: bool | None,
) -> Scores:
    """Calls each metric with each seed, or once if it takes none."""
    results: dict[str, list[Any]] = {call.name: [] for call in calls}
    bounds: dict[str, list[Bounds | None]] = {call.name: [] for call in calls}
    refusals: dict[str, Refusal] = {}
    with sharing_fits():
        # Seeds in the outer loop: metrics of one seed share their draws.
        for first, seed in enumerate(checked := _checked_seeds(seeds)):
            for call in calls:
                is_seeded = codes.takes_seeds(call)
                if call.name in refusals or (first and not is_seeded):
                    continue
                values = call.taken(options)
                if is_seeded and seed is not None:
                    values["seed"] = seed
                result = _result(codes, call, values, done, on_result, progress)
                if isinstance(result, Refusal):
                    refusals[call.name] = result
                    continue
                results[call.name].append(result)
                bounds[call.name].append(codes.bounds(call, values))
    table: dict[str, Evaluation | Refusal] = dict(refusals)
    for call in calls:
        if call.name in refusals:
            continue
        each = tuple(results[call.name])
        is_seeded = codes.takes_seeds(call) and seeds is not None
        table[call.name] = Evaluation(
            score=float(np.mean([float(result.score) for result in each])),
            name=call.name,
            seeds=checked if is_seeded else (),
            results=each,
            protocol=getattr(each[0], "protocol", ""),
            bounds=Bounds.mean(bounds[call.name]),
            **codes.errors(call, each),
        )
    return Scores({call.name: table[call.name] for call in calls})


def _result(
    codes: _OfData | _OfArrays,
    call: Call,
    values: dict[str, Any],
    done: Mapping[str, Any] | None,
    on_result: OnResult | None,
    progress: bool | None,
) -> Any:
    """Returns the result of one call, the earlier one if there is one."""
    line = Line()

    def tell(text: str) -> None:
        if progress is not False:
            line.show(f"{label}{text}")

    seed, key = values.get("seed"), call.key(values)
    label = call.name if seed is None else f"{call.name}, seed {seed}"
    kept = call.read((done or {}).get(key))
    if kept is not None:
        tell(f": {kept.score:.4g}, kept from before")
        return kept
    began = time.perf_counter()
    tell(" ...")
    try:
        result = codes.score(call, values)
    except Exception as error:
        # A refusal explains itself; anything else is a failure, and names its kind.
        reason = f"{error}" if isinstance(error, ValueError | TypeError) else ""
        result = Refusal(call.name, reason or f"{type(error).__name__}: {error}")
        tell(f": no score. {result.reason}")
    else:
        tell(f": {result.score:.4g}, in {time.perf_counter() - began:.1f} s")
    if on_result is not None:
        on_result(call.name, seed, result, key)
    return result


def _checked_seeds(seeds: Sequence[int] | None) -> tuple[Any, ...]:
    """Returns the seeds, each once and at least 0; (None,) for the metrics' own."""
    if seeds is None:
        return (None,)
    seeds = tuple(integer(seed, "seeds", at_least=0) for seed in seeds)
    require(seeds, "seeds", "have at least one seed", seeds)
    require(len(set(seeds)) == len(seeds), "seeds", "differ", seeds)
    return seeds


def _require_taken(
    options: Mapping[str, Any], calls: Sequence[Call], own: Callable[..., Any]
) -> None:
    """Raises `ArgumentError` if an option is not a parameter of any metric."""
    parameters = [inspect.signature(call.function).parameters for call in calls]
    known = {*itertools.chain(*parameters), *inspect.signature(own).parameters}
    for option, value in options.items():
        names = ", ".join(call.name for call in calls)
        rule = f"be an option of {own.__name__}, or of a metric here: {names}"
        is_taken = value is None or any(call.takes(option) for call in calls)
        remedy = suggestion(option, known - {"data", "encoder", "options"})
        require(is_taken, option, rule, value, remedy)
