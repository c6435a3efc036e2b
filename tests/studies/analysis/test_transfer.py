"""Transfer of settings: counted one by one."""

import math

import numpy as np
import pytest

from tests.studies.tables import planted
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import analysis


def cell(found, chosen, tried):
    """The row of two places."""
    keys = ["chosen_data", "chosen_metric", "tried_data", "tried_metric"]
    row = found.set_index(keys).loc[(*chosen, *tried)]
    return row["probability"], row["num"]


def counted(table, chosen, tried):
    """The same by loops over seeds and settings."""

    def known(place):
        runs = analysis.values(table, place[1], data=place[0])
        return {
            (row.method, row.strength, row.seed): row.value for row in runs.itertuples()
        }

    source, target = known(chosen), known(tried)
    settings = sorted({key[:2] for key in source | target})
    seeds = sorted({key[2] for key in source | target})
    total, pairs = 0.0, 0
    for s in seeds:
        here = {k: source[*k, s] for k in settings if (*k, s) in source}
        if len(here) < 2:
            continue
        best = [k for k in here if here[k] == max(here.values())]
        for t in seeds:
            if t == s:
                continue
            means = []
            for k in best:
                others = [r for r in settings if r != k and (*r, t) in target]
                if (*k, t) not in target or not others:
                    continue
                own = target[*k, t]
                wins = [
                    (own > target[*r, t]) + (own == target[*r, t]) / 2 for r in others
                ]
                means.append(np.mean(wins))
            if means:
                total, pairs = total + np.mean(means), pairs + 1
    return (total / pairs if pairs else math.nan), pairs


@pytest.mark.parametrize("ties", [False, True])
def test_against_counting(ties):
    table = planted(
        methods={"vae": (1.0, 2.0), "chyvae": (1.0, 3.0)},
        seeds=4,
        metrics=("mig", "dci"),
        missing=(1, 5, 22),
        refused=(7, 30),
    )
    is_score = table["kind"] == "score"
    draws = np.random.default_rng(7).random(is_score.sum())
    table.loc[is_score, "value"] = np.round(draws, 1 if ties else 9)
    table.loc[table["reason"] != "", "value"] = np.nan
    found = analysis.transfer_of_settings(table)
    for chosen in (("rooms3d", "mig"), ("correlated_ellipses", "dci")):
        for tried in (("rooms3d", "mig"), ("rooms3d", "dci")):
            assert cell(found, chosen, tried) == pytest.approx(
                counted(table, chosen, tried)
            )


def test_by_hand():
    """Two settings, two seeds: chosen with one seed, tried with the other."""
    table = planted({"vae": (1.0, 2.0)}, seeds=2, data=("d",), metrics=("mig",))
    table = table[table["metric"] == "mig"]

    def probability(first, second):
        values = dict(zip(range(4), (*first, *second), strict=True))
        own = table.assign(value=table["index"].map(values))
        return cell(analysis.transfer_of_settings(own), ("d", "mig"), ("d", "mig"))

    assert probability([0.9, 0.8], [0.1, 0.2]) == (1.0, 2)
    assert probability([0.9, 0.1], [0.1, 0.9]) == (0.0, 2)
    # Seed 0 ties: each of both is chosen half. Seed 1 chooses the first.
    assert probability([0.5, 0.8], [0.5, 0.2]) == (0.5, 2)


def test_noise_alone_is_one_half():
    table = planted(seeds=20)
    is_score = table["kind"] == "score"
    draws = np.random.default_rng(3).random(is_score.sum())
    table.loc[is_score, "value"] = draws
    found = analysis.transfer_summary(analysis.transfer_of_settings(table))
    np.testing.assert_allclose(found, 0.5, atol=0.04)


def test_planted_settings_carry_over():
    table = planted(metrics=("mig", "dci"), noise=0.0)
    table = table[table["metric"].isin(["mig", "dci"])]
    found = analysis.transfer_summary(analysis.transfer_of_settings(table))
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found, 1.0)


def test_one_data_set_and_one_seed():
    one = analysis.transfer_of_settings(planted(data=("d",)))
    found = analysis.transfer_summary(one)
    assert found.loc["same data set", "same metric"] > 0.5
    assert found.loc["other data set"].isna().all()
    single = analysis.transfer_of_settings(planted(seeds=1))
    assert single["probability"].isna().all()
    assert (single["reason"] == "no other seed to try the setting with").all()
    with pytest.raises(ArgumentError, match="two settings"):
        analysis.transfer_of_settings(planted(methods={"vae": (1.0,)}))
