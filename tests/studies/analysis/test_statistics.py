"""Statistics against scipy, closed forms and enumeration."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.studies.tables import planted
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import analysis

ROOMS = {"data": "rooms3d"}


def frame(values, **others):
    """Runs of one setting with these values."""
    count = len(values)
    columns = {
        "run": [f"r{i}" for i in range(count)],
        "method": ["vae"] * count,
        "setting": ["vae.beta=1.0"] * count,
        "seed": range(count),
        "value": values,
    }
    return pd.DataFrame({**columns, **others})


def test_the_interquartile_mean_cuts_a_quarter_off_each_end():
    assert analysis.interquartile_mean([100, 1, 2, 3, 4, 5, 6, -50]) == 3.5
    # A quarter of 5 is 1.25: one value at each end.
    assert analysis.interquartile_mean([0, 1, 2, 6, 90]) == 3.0
    assert analysis.interquartile_mean([7.0]) == 7.0
    assert math.isnan(analysis.interquartile_mean([]))


def test_the_summary_against_scipy():
    values = np.random.default_rng(3).normal(size=12)
    (row,) = analysis.summary(frame(values), ["method"]).to_dict("records")
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    assert row["num"] == 12
    assert row["mean"] == pytest.approx(values.mean())
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert row["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert row["median"] == pytest.approx(np.median(values))
    assert row["best"] == values.max()
    assert row["best_run"] == f"r{values.argmax()}"
    assert row["least"] == values.min()
    assert row["iqm"] == pytest.approx(np.sort(values)[3:9].mean())
    assert row["iqm_low"] < row["iqm"] < row["iqm_high"]
    assert row["reason"] == ""


def test_few_runs_get_no_interval_but_a_reason():
    (one,) = analysis.summary(frame([0.5]), ["method"]).to_dict("records")
    assert (one["mean"], one["best"], one["num"]) == (0.5, 0.5, 1)
    assert all(math.isnan(one[k]) for k in ("low", "high", "deviation", "iqm_low"))
    assert one["reason"] == "one run: no interval"
    (nine,) = analysis.summary(frame(np.arange(9.0)), ["method"]).to_dict("records")
    assert nine["low"] < nine["mean"] < nine["high"]
    assert math.isnan(nine["iqm_low"])
    assert "9 runs" in nine["reason"]
    (ten,) = analysis.summary(frame(np.arange(10.0)), ["method"]).to_dict("records")
    assert ten["iqm_low"] < ten["iqm"]


def test_the_bootstrap_of_one_stratum_is_scipys():
    values = np.random.default_rng(0).gamma(2.0, size=40)
    found = analysis.stratified_bootstrap([values], np.mean)
    other = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert found == pytest.approx((other.low, other.high), abs=0.03)


def test_the_bootstrap_keeps_its_strata():
    strata = [np.zeros(10), np.full(10, 8.0)]
    assert analysis.stratified_bootstrap(strata, np.mean) == (4.0, 4.0)
    low, high = analysis.stratified_bootstrap([np.concatenate(strata)], np.mean)
    assert high - low > 2.0
    assert all(map(math.isnan, analysis.stratified_bootstrap([[1.0] * 4, [2.0] * 5])))
    # Strata of one or two runs would give an interval that is far too narrow.
    for size in (1, 2):
        strata = np.linspace(0, 1, 24).reshape(-1, size)
        assert all(map(math.isnan, analysis.stratified_bootstrap(strata)))
    low, high = analysis.stratified_bootstrap(np.linspace(0, 1, 24).reshape(-1, 3))
    assert low < 0.5 < high


def test_settings_of_one_seed_have_no_bootstrap_but_a_reason():
    table = planted({"vae": tuple(map(float, range(12)))}, seeds=1, data=("d",))
    (row,) = analysis.by_method(table, "mig").to_dict("records")
    assert math.isnan(row["iqm_low"]) and math.isnan(row["iqm_high"])
    assert row["reason"] == "a setting of 1 runs: no bootstrap below 3"


@pytest.mark.parametrize("levels", [3, 1000])  # with and without ties
def test_the_probability_of_improvement_is_mann_and_whitneys(levels):
    rng = np.random.default_rng(5)
    x, y = rng.integers(levels, size=13) + 1, rng.integers(levels, size=9)
    statistic = stats.mannwhitneyu(x, y).statistic
    found = analysis.probability_of_improvement(x, y)
    assert found == pytest.approx(statistic / (13 * 9))


def test_a_comparison_worked_by_hand():
    first = {0: 0.5, 1: 0.7, 2: 0.4, 7: 0.9}
    second = {0: 0.4, 1: 0.7, 2: 0.6, 5: 0.1}
    found = analysis.compare(first, second)
    assert found.seeds == (0, 1, 2)
    np.testing.assert_allclose(found.differences, [0.1, 0.0, -0.2])
    assert found.difference == pytest.approx(-0.1 / 3)
    # Of 16 pairs: 0.5 beats 0.4, 0.1; 0.7 beats 0.4, 0.6, 0.1 and ties with 0.7; 0.4
    # beats 0.1 and ties with 0.4; 0.9 beats all four.
    assert found.improvement == pytest.approx((2 + 3.5 + 1.5 + 4) / 16)
    for name in ("low", "high", "p_value", "improvement_low", "improvement_high"):
        assert math.isnan(getattr(found, name))
    assert found.reason == "3 paired seeds: no interval below 10"


def test_settings_without_a_common_seed():
    found = analysis.compare({0: 1.0}, {1: 0.0})
    assert found.num == 0
    assert math.isnan(found.difference)
    assert found.improvement == 1.0
    with pytest.raises(ArgumentError, match="second"):
        analysis.compare({0: 1.0}, {})


def test_the_permutation_test_against_enumeration():
    rng = np.random.default_rng(1)
    differences = rng.normal(0.4, 1.0, size=10)
    signs = np.array(list(itertools.product((1, -1), repeat=10)))
    means = (signs * differences).mean(axis=1)
    # Twice the smaller tail, as scipy has it.
    tails = [np.mean(means >= differences.mean() - 1e-12)]
    tails.append(np.mean(means <= differences.mean() + 1e-12))
    found = analysis.compare(
        dict(enumerate(differences)), dict.fromkeys(range(10), 0.0)
    )
    assert found.p_value == pytest.approx(2 * min(tails))


def test_ten_wins_of_ten():
    found = analysis.compare(
        dict.fromkeys(range(10), 1.0), dict.fromkeys(range(10), 0.5)
    )
    assert found.p_value == pytest.approx(2 / 2**10)
    assert (found.difference, found.low, found.high) == (0.5, 0.5, 0.5)
    assert (found.improvement, found.improvement_low) == pytest.approx((1.0, 1.0))
    assert found.reason == ""


def bca(values, num, rng):
    """Efron's interval of the mean, from his equations (2.3) and (6.6)."""
    draws = np.sort(rng.choice(values, (num, len(values))).mean(axis=1))
    z0 = stats.norm.ppf(np.mean(draws < values.mean()))
    left_out = np.array([np.delete(values, i).mean() for i in range(len(values))])
    gap = left_out.mean() - left_out
    a = np.sum(gap**3) / (6 * np.sum(gap**2) ** 1.5)
    ends = z0 + stats.norm.ppf([0.025, 0.975])
    return np.quantile(draws, stats.norm.cdf(z0 + ends / (1 - a * ends)))


def test_the_paired_interval_is_efrons():
    rng = np.random.default_rng(2)
    first = dict(enumerate(rng.gamma(1.0, size=15)))
    second = {seed: 0.1 * seed for seed in first}
    found = analysis.compare(first, second)
    low, high = bca(found.differences, 50_000, rng)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)


def test_planted_cells():
    table = planted(seeds=12)
    cells = analysis.by_setting(table, "factor_vae", **ROOMS)
    assert list(cells["strength"]) == [1, 4, 16, 10, 35, 100, 100, 200, 1000]
    # The objective's and the strength's effects, -1.2247, 0 and 1.2247 deviations.
    step = math.sqrt(1.5)
    effects = [0.1 * step * m + 0.05 * step * k for m in (-1, 0, 1) for k in (-1, 0, 1)]
    np.testing.assert_allclose(cells["mean"], 0.5 + 0.9 * np.array(effects))
    np.testing.assert_allclose(cells["deviation"], 0.045 * math.sqrt(12 / 11))
    methods = analysis.by_method(table, "factor_vae", **ROOMS)
    assert list(methods["num"]) == [36, 36, 36]
    np.testing.assert_allclose(
        methods["mean"], 0.5 + 0.09 * step * np.array([-1, 0, 1])
    )


def test_planted_comparisons_take_the_best_strengths():
    found = analysis.paired_comparisons(planted(seeds=12), "mig", **ROOMS)
    assert len(found) == 3
    row = found.iloc[1]
    best = ("beta_vae", "beta_vae.strength=16.0")
    assert (row["first"], row["first_setting"]) == best
    best = ("chyvae", "chyvae.strength=1000.0")
    assert (row["second"], row["second_setting"]) == best
    assert row["difference"] == pytest.approx(-0.8 * 0.2 * math.sqrt(1.5))
    assert row["low"] < row["difference"] < row["high"] < 0
    assert row["improvement"] < 0.05
    own = analysis.paired_comparisons(
        planted(),
        "mig",
        [("beta_vae", f"beta_vae.strength={x}") for x in (1.0, 4.0)],
        **ROOMS,
    )
    assert own["num"].item() == 5
    with pytest.raises(ArgumentError, match="two settings"):
        one = planted(methods={"vae": (1.0,)})
        analysis.paired_comparisons(one, "mig", **ROOMS)
    with pytest.raises(ArgumentError, match="a run each"):
        analysis.paired_comparisons(
            planted(),
            "mig",
            [("beta_vae", "beta_vae.strength=1.0"), ("vae", "")],
            **ROOMS,
        )
