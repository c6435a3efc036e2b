"""How the scores of several runs are summed up, and two settings are compared.

    mean, best        both, since the best of many runs is not what one run gives
    t interval        of the mean over runs: m -+ t(n - 1) s / sqrt(n), from 2 runs on
    interquartile     the mean of the middle half: a quarter of the runs is cut off at
    mean              each end (the floor of n / 4)
    stratified        runs are drawn again within each stratum, 2,000 times; the
    bootstrap         interval is between quantiles of the statistic
    paired            differences of runs with the same seed; their mean with its BCa
    comparison        bootstrap interval, and the share of sign changes with at least as
                      large a mean (permutation test)
    probability of    P(X > Y) + P(X = Y) / 2 over all pairs of one run from each
    improvement

With fewer than `FEWEST` values, or one or two in a stratum, the bootstrap resamples too
few to describe a distribution. The values themselves are then all there is to report,
and the ends are NaN, with the reason beside them.

References:
    Agarwal et al. (2021), Deep Reinforcement Learning at the Edge of the Statistical
    Precipice, arXiv 2108.13264.
    Efron (1987), Better Bootstrap Confidence Intervals, J. Am. Stat. Assoc. 82.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from tf_disentangle.checks import NOTHING, integer, require
from tf_disentangle.metrics import mean_interval
from tf_disentangle.studies.analysis.selection import SETTING, values

#: Values that a bootstrap interval needs at least.
FEWEST = 10
#: Values that each stratum needs: a single value has only one resample.
FEWEST_IN_STRATUM = 3
_RESAMPLES = 2_000
_CONFIDENCE = 0.95
_PERMUTATIONS = 99_999


def interquartile_mean(sample: Sequence[float] | np.ndarray, axis: int = -1) -> Any:
    """Returns the mean of the middle half, NaN of nothing (Agarwal et al., 2021).

    Args:
        sample: Numbers, [..., N].
        axis: Along which the mean is taken.
    """
    array = np.asarray(sample, np.float64)
    return stats.trim_mean(array, 0.25, axis=axis) if array.size else math.nan


def stratified_bootstrap(
    strata: Sequence[Sequence[float] | np.ndarray],
    statistic: Callable[..., np.ndarray] = interquartile_mean,
    *,
    seed: int = 0,
    confidence: float = _CONFIDENCE,
) -> tuple[float, float]:
    """Returns the ends of the percentile interval of a statistic of all values.

    Each resample draws from each stratum as many values as it has, with replacement.

    Args:
        strata: Values of each stratum, such as the seeds of each setting.
        statistic: Called as `statistic(array [R, N], axis=1)`, such as numpy.mean.
        seed: Of the resampling, at least 0.
        confidence: In (0, 1).

    Returns:
        Both NaN if there are fewer than `FEWEST` values in all, or fewer than
        `FEWEST_IN_STRATUM` in one that has any.
    """
    arrays = [np.asarray(stratum, np.float64) for stratum in strata if len(stratum)]
    if sum(map(len, arrays)) < FEWEST or min(map(len, arrays)) < FEWEST_IN_STRATUM:
        return math.nan, math.nan
    rng = np.random.default_rng(integer(seed, "seed", at_least=0))
    drawn = np.concatenate(
        [a[rng.integers(len(a), size=(_RESAMPLES, len(a)))] for a in arrays],
        axis=1,
    )
    return _percentiles(statistic(drawn, axis=1), confidence)


def _percentiles(
    draws: np.ndarray, confidence: float = _CONFIDENCE
) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def summary(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sums up values of runs for each group.

    Args:
        runs: A row per run with its `value`, as `selection.values` returns them.
        by: The columns that make a group.

    Returns:
        The groups in the order of their first rows, and for each: strength, if the
        group is a single setting; num; mean with its t interval low to high; deviation
        (ddof 1); iqm, the interquartile mean, with its bootstrap interval iqm_low to
        iqm_high, stratified by setting; median; best, the greatest value, and best_run;
        least; reason, why an interval is missing.
    """
    rows = []
    for key, group in runs.groupby(list(by), sort=False, dropna=False):
        sample = group["value"].to_numpy(np.float64)
        strata = [own["value"].to_numpy() for _, own in group.groupby(SETTING)]
        low, high = t_interval(sample)
        iqm_low, iqm_high = stratified_bootstrap(strata)
        reasons = []
        if len(sample) < 2:
            reasons.append("one run: no interval")
        elif len(sample) < FEWEST:
            reasons.append(f"{len(sample)} runs: no bootstrap below {FEWEST}")
        elif (least := min(map(len, strata))) < FEWEST_IN_STRATUM:
            rule = f"no bootstrap below {FEWEST_IN_STRATUM}"
            reasons.append(f"a setting of {least} runs: {rule}")
        rows.append(
            {
                **dict(zip(by, key, strict=True)),
                **_strength_of(group, by),
                "num": len(sample),
                "mean": sample.mean(),
                "low": low,
                "high": high,
                "deviation": sample.std(ddof=1) if len(sample) > 1 else math.nan,
                "iqm": float(interquartile_mean(sample)),
                "iqm_low": iqm_low,
                "iqm_high": iqm_high,
                "median": np.median(sample),
                "best": sample.max(),
                "best_run": group["run"].iloc[int(sample.argmax())],
                "least": sample.min(),
                "reason": "; ".join(reasons),
            }
        )
    return pd.DataFrame(rows)


def _strength_of(group: pd.DataFrame, by: Sequence[str]) -> dict[str, float]:
    """The strength of a group of one setting, else nothing."""
    return {"strength": group["strength"].iloc[0]} if "setting" in by else {}


def t_interval(sample: np.ndarray) -> tuple[float, float]:
    """Returns the ends of Student's interval of the mean, NaN for one value."""
    if len(sample) < 2:
        return math.nan, math.nan
    interval = mean_interval(sample.tolist(), confidence=_CONFIDENCE)
    return interval.low, interval.high


def by_setting(table: pd.DataFrame, metric: str, **selected: Any) -> pd.DataFrame:
    """Returns the `summary` of a score for each setting: by method, then strength.

    Args:
        table: Results of a study.
        metric: A score or a term.
        **selected: Options of `values`: data, representation, protocol.
    """
    runs = values(table, metric, **selected)
    found = summary(runs, SETTING)
    order = {method: place for place, method in enumerate(found["method"].unique())}
    place = found["method"].map(order)
    found = found.assign(place=place).sort_values(["place", "strength"], kind="stable")
    return found.drop(columns="place").reset_index(drop=True)


def by_method(table: pd.DataFrame, metric: str, **selected: Any) -> pd.DataFrame:
    """Returns the `summary` of a score for each method, over settings and seeds.

    Args:
        table: Results of a study.
        metric: A score or a term.
        **selected: Options of `values`: data, representation, protocol.

    Returns:
        As `summary`. The t interval treats all runs as one sample; the interval of the
        interquartile mean takes into account that settings differ.
    """
    return summary(values(table, metric, **selected), ["method"])


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Two samples of scores, paired by seed where they can be.

    Attributes:
        num: Seeds that both have.
        seeds: These seeds.
        differences: First less second, for each of them, float64 [num].
        difference: Their mean; NaN without a pair.
        low: Lower end of its BCa bootstrap interval; NaN with fewer than 10 pairs.
        high: Upper end.
        p_value: Of the permutation test, two-sided; NaN with fewer than 10 pairs.
        improvement: Probability that a run of the first is better than one of the
            second, over all pairs of runs, in [0, 1].
        improvement_low: Lower end of its bootstrap interval; NaN with fewer than 10
            runs of either.
        improvement_high: Upper end.
        reason: Why ends are missing, "" if none is.
    """

    num: int
    seeds: tuple[int, ...]
    differences: np.ndarray
    difference: float
    low: float
    high: float
    p_value: float
    improvement: float
    improvement_low: float
    improvement_high: float
    reason: str


def compare(first: Mapping[int, float], second: Mapping[int, float]) -> Comparison:
    """Compares two settings by their scores, of which greater is better.

    Args:
        first: Score by seed, at least one.
        second: The same.

    Raises:
        ArgumentError: If one of them is empty.
    """
    for name, sample in (("first", first), ("second", second)):
        require(len(sample), name, "have the score of a run", NOTHING)
    seeds = tuple(sorted(set(first) & set(second)))
    differences = np.array([first[s] - second[s] for s in seeds], np.float64)
    x, y = (np.array(list(s.values()), np.float64) for s in (first, second))
    low = high = p_value = better_low = better_high = math.nan
    reasons = []
    if len(seeds) >= FEWEST:
        low, high = _bca(differences)
        p_value = _permutation(differences)
    else:
        reasons.append(f"{len(seeds)} paired seeds: no interval below {FEWEST}")
    if min(len(x), len(y)) >= FEWEST:
        better_low, better_high = _improvement_interval(x, y)
    return Comparison(
        num=len(seeds),
        seeds=seeds,
        differences=differences,
        difference=float(differences.mean()) if seeds else math.nan,
        low=low,
        high=high,
        p_value=p_value,
        improvement=probability_of_improvement(x, y),
        improvement_low=better_low,
        improvement_high=better_high,
        reason="; ".join(reasons),
    )


def probability_of_improvement(first: np.ndarray, second: np.ndarray) -> float:
    """Returns P(X > Y) + P(X = Y) / 2 over all pairs: Mann and Whitney's U / (n m)."""
    return float(_wins(first, second).mean())


def _wins(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """1 where a value of the first is greater, 1/2 where equal, [n, m]."""
    return (np.sign(first[:, np.newaxis] - second[np.newaxis, :]) + 1) / 2


def _improvement_interval(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Percentile interval; both samples are drawn again, each by itself."""
    rng = np.random.default_rng(0)
    # How often each value is drawn is all that the mean over pairs depends on.
    often = [
        rng.multinomial(len(sample), np.full(len(sample), 1 / len(sample)), _RESAMPLES)
        for sample in (x, y)
    ]
    often = [counts / counts.shape[1] for counts in often]
    return _percentiles(np.sum(often[0] @ _wins(x, y) * often[1], axis=1))


def _bca(differences: np.ndarray) -> tuple[float, float]:
    """BCa interval of the mean; of equal differences there is only one resample."""
    if np.allclose(differences, differences[0], rtol=1e-12, atol=0):
        return float(differences[0]), float(differences[0])
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=_CONFIDENCE,
        method="BCa",
        rng=0,
    ).confidence_interval
    return float(found.low), float(found.high)


def least_p(num: float) -> float:
    """Returns the least p value that `compare` can give for so many paired seeds."""
    return max(2.0 ** (1 - num), 2 / (_PERMUTATIONS + 1))


def _permutation(differences: np.ndarray) -> float:
    """Two-sided p value: how often random signs give as great a mean."""
    found = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=_PERMUTATIONS,
        batch=10_000,
        vectorized=True,
        rng=0,
    )
    return float(found.pvalue)


def paired_comparisons(
    table: pd.DataFrame,
    metric: str,
    settings: Sequence[tuple[str, str]] | None = None,
    **selected: Any,
) -> pd.DataFrame:
    """Compares settings two by two, paired by seed.

    Args:
        table: Results of a study.
        metric: A score of which greater is better.
        settings: Pairs (method, setting) as `values` names them. None takes the setting
            of each method with the greatest mean. Since it was chosen by the same
            scores, a method with more settings has an advantage.
        **selected: Options of `values`: data, representation, protocol.

    Returns:
        A row for each pair: first and second (methods), first_setting, second_setting,
        and the fields of `Comparison`.

    Raises:
        ArgumentError: If there are fewer than two settings, or one has no run.
    """
    runs = values(table, metric, **selected)
    if settings is None:
        cells = by_setting(table, metric, **selected)
        best = cells.loc[cells.groupby("method", sort=False)["mean"].idxmax()]
        settings = list(best[SETTING].itertuples(index=False, name=None))
    rule, remedy = "have two settings to compare", "Add a method or a value."
    require(len(settings) >= 2, "settings", rule, settings, remedy)
    samples = [_by_seed(runs, *setting) for setting in settings]
    rows = []
    for i, j in itertools.combinations(range(len(settings)), 2):
        found = compare(samples[i], samples[j])
        fields = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
        names = {"first": settings[i][0], "first_setting": settings[i][1]}
        names |= {"second": settings[j][0], "second_setting": settings[j][1]}
        rows.append({**names, **fields})
    return pd.DataFrame(rows)


def _by_seed(runs: pd.DataFrame, method: str, setting: str) -> dict[int, float]:
    """Scores of one setting by seed."""
    own = runs[(runs["method"] == method) & (runs["setting"] == setting)]
    require(len(own), "settings", "have a run each", (method, setting))
    return own.set_index("seed")["value"].to_dict()
