"""A score with another number, on tables whose answers are known."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.studies.tables import planted, planted_curves
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import analysis

ROOMS = {"data": "rooms3d"}


def test_score_against_reconstruction():
    table = planted(missing=(45,), refused=(46,))
    found = analysis.score_against(table, "mig", **ROOMS)
    assert len(found.runs) == 43
    mig = analysis.values(table, "mig", **ROOMS).set_index("run")["value"]
    error = analysis.values(table, "reconstruction", **ROOMS).set_index("run")["value"]
    assert found.runs["y"].tolist() == mig.tolist()
    assert found.runs["x"].tolist() == error[mig.index].tolist()
    expected = stats.spearmanr(mig, error[mig.index]).statistic
    assert found.correlation == pytest.approx(expected)
    last = found.cells.iloc[-1]
    own = mig[found.runs[found.runs["strength"] == 1000]["run"]]
    ends = stats.t.interval(0.95, 4, own.mean(), stats.sem(own))
    assert (last["method"], last["strength"], last["num"]) == ("chyvae", 1000.0, 5)
    assert (last["y_low"], last["y_high"]) == pytest.approx(ends)
    assert last["best"] == own.max()


def test_one_seed_has_no_interval():
    cells = analysis.score_against(planted(seeds=1), "mig", **ROOMS).cells
    assert cells[["x_low", "x_high", "y_low", "y_high"]].isna().all(axis=None)
    assert cells["num"].tolist() == [1] * 9


def test_total_correlation_of_mean_and_sampled_codes():
    found = analysis.total_correlation(planted(), **ROOMS)
    own = found[found["method"] == "chyvae"].set_index(["representation", "strength"])
    assert own["mean"].loc["mean"].tolist() == [1.0, 1.5, 2.0]
    assert own["mean"].loc["sampled"].tolist() == [3.0, 2.5, 2.0]
    with pytest.raises(ArgumentError, match="--sampled"):
        table = planted()
        analysis.total_correlation(table[table["metric"] != "unsupervised"], **ROOMS)


def test_efficiency():
    table = planted(collapsed=(45,))
    found = analysis.efficiency(table, "mig", **ROOMS)
    assert len(found.runs) == 44  # the collapsed run was not classified
    # The accuracies are 0.4 + 0.2 s and 0.8 + 0.2 s, and MIG is 0.5 + 0.8 (s - 0.5).
    s = 0.5 + (found.runs["x"] - 0.5) / 0.8
    np.testing.assert_allclose(found.runs["y"], (0.4 + 0.2 * s) / (0.8 + 0.2 * s))
    assert found.correlation == pytest.approx(1.0)
    ten = analysis.efficiency(table, "mig", sizes=(10, 100), **ROOMS)
    s = 0.5 + (ten.runs["x"] - 0.5) / 0.8
    np.testing.assert_allclose(ten.runs["y"], (0.2 + 0.2 * s) / (0.4 + 0.2 * s))
    with pytest.raises(ArgumentError, match=r"by_size\.7"):
        analysis.efficiency(table, "mig", sizes=(7, 100), **ROOMS)
    assert list(found.cells["num"]) == [4, *[5] * 8]
    assert found.runs["setting"].iloc[-1] == "chyvae.strength=1000.0"


def test_a_sweep_of_one_binding():
    table = planted()
    name = "chyvae.strength"
    found = analysis.sweep(table, name, ["mig", "reconstruction"], **ROOMS)
    assert found["binding"].tolist() == [100.0, 200.0, 1000.0] * 2
    assert set(found["method"]) == {"chyvae"}
    cells = analysis.by_setting(table, "mig", **ROOMS)
    expected = cells[cells["method"] == "chyvae"]["mean"].tolist()
    assert found[found["metric"] == "mig"]["mean"].tolist() == expected
    with pytest.raises(ArgumentError, match="one that varies"):
        analysis.sweep(table, "nu", ["mig"], **ROOMS)


def test_a_sweep_tells_the_other_bindings_apart():
    table = planted(methods={"vae": (1.0, 2.0)}, seeds=4)
    table["Prior.gamma"] = (table["seed"] % 2).astype(float)
    found = analysis.sweep(table, "vae.strength", ["mig"], **ROOMS)
    assert found["others"].tolist() == ["gamma=0.0", "gamma=1.0"] * 2
    assert found["num"].tolist() == [2] * 4


def test_a_sweep_leaves_out_what_does_not_vary_and_wants_numbers():
    table = planted(methods={"vae": (1.0, 2.0)}, seeds=2, data=("d",))
    table["Net.steps"], table["Net.channels"] = 1000, "[8, 8]"
    found = analysis.sweep(table, "vae.strength", ["mig"])
    assert found["others"].tolist() == ["", ""]
    with pytest.raises(ArgumentError, match="values are numbers"):
        analysis.sweep(table, "Net.channels", ["mig"])


def test_methods_at_their_best_strength_with_collapsed_runs_named():
    # Of CHyVAE's best strength two runs collapse, of FactorVAE's worst strength one.
    table = planted(collapsed=(88, 89, 60))
    found = analysis.scores_of_methods(table, "mig", **ROOMS)
    rows = found.methods.set_index("method")
    assert rows["strength"].tolist() == [16.0, 100.0, 1000.0]
    own = analysis.values(table, "mig", **ROOMS).set_index("index")["value"]
    assert rows.loc["chyvae", "mean"] == pytest.approx(own[[85, 86, 87]].mean())
    assert rows.loc["chyvae", "num"] == 3
    assert rows.loc["chyvae", "num_collapsed"] == 2
    whole = own[[85, 86, 87, 88, 89]].mean()
    assert rows.loc["chyvae", "mean_with_collapsed"] == pytest.approx(whole)
    assert rows.loc["factor_vae", "num_collapsed"] == 0
    assert found.collapsed["index"].tolist() == [60, 88, 89]
    assert found.rule.startswith("3 of 45 runs left out")


def test_a_method_all_of_whose_runs_collapsed():
    table = planted(collapsed=range(75, 90))
    rows = analysis.scores_of_methods(table, "mig", **ROOMS).methods.set_index("method")
    assert rows.loc["chyvae", "num"] == 0
    assert math.isnan(rows.loc["chyvae", "mean"])
    assert rows.loc["chyvae", "reason"] == "every run collapsed"
    assert rows.loc["chyvae", "num_collapsed"] == 15
    assert rows.loc["beta_vae", "num"] == 5


def test_nothing_but_collapsed_runs():
    found = analysis.scores_of_methods(planted(collapsed=range(90)), "mig", **ROOMS)
    assert found.methods["mean"].isna().all()
    assert found.methods["num"].tolist() == [0, 0, 0]
    assert len(found.collapsed) == 45


def test_curves():
    table = planted()
    curves = planted_curves(table)
    every = analysis.mean_curves(table, curves, "mig", every_setting=True, **ROOMS)
    cells = analysis.by_setting(table, "mig", **ROOMS)
    ends = every[every["step"] == 3000].set_index(["method", "strength"])
    cells = cells.set_index(["method", "strength"]).loc[ends.index]
    for name in ("mean", "low", "high", "num"):
        np.testing.assert_allclose(ends[name], cells[name])
    half = every[every["step"] == 600].set_index(["method", "strength"])
    np.testing.assert_allclose(half["mean"], 0.2 * ends["mean"])
    best = analysis.mean_curves(table, curves, "mig", **ROOMS)
    assert set(best["strength"]) == {16.0, 100.0, 1000.0}
    term = analysis.mean_curves(table, curves, "loss", **ROOMS)
    assert set(term["strength"]) == {1.0, 16.0, 10.0, 100.0, 1000.0}
    with pytest.raises(ArgumentError, match="curve"):
        analysis.mean_curves(table, curves, "no_such", **ROOMS)


def test_a_curve_is_the_mean_of_the_same_runs_all_along():
    table = planted(methods={"vae": (1.0,)}, seeds=5, data=("d",))
    curves = planted_curves(table)
    short = curves["run"] == table["run"].iloc[0]
    own = analysis.mean_curves(table, curves[~short | (curves["step"] <= 1200)], "mig")
    assert own["step"].tolist() == [600, 1200]
    # One run of five goes further than the others.
    far = analysis.mean_curves(table, curves[short | (curves["step"] <= 1200)], "mig")
    assert far["step"].tolist() == [600, 1200]


def test_curves_without_a_strength():
    table = planted(methods={"vae": (1.0,)}, seeds=2, data=("d",))
    table["strength"] = np.nan
    found = analysis.mean_curves(table, planted_curves(table), "mig")
    assert found["num"].tolist() == [2] * 5


def test_selectors_against_the_oracle():
    table = planted()
    found = analysis.selection_without_labels(table, "mig", **ROOMS)
    rows = found.set_index(["method", "selector"])
    own = analysis.values(table, "mig", **ROOMS)
    own = own[own["method"] == "chyvae"].set_index("run")["value"]
    udr = rows.loc["chyvae", "udr"]
    assert udr["selected"] == udr["oracle"] == own.max()
    assert udr["selected_run"] == own.idxmax()
    assert udr["random"] == pytest.approx(own.mean())
    assert (udr["share"], udr["correlation"]) == (1.0, pytest.approx(1.0))
    # The total correlation is the least for the greatest strength, whatever the seed.
    tc = rows.loc["chyvae", "total_correlation"]
    assert tc["selected"] == pytest.approx(own.iloc[10:].mean())
    assert 0 < tc["share"] < 1
    # All have the same KL: it selects all of them, which is chance.
    kl = rows.loc["chyvae", "kl_term"]
    assert kl["share"] == pytest.approx(0.0)
    assert math.isnan(kl["correlation"])


def test_a_selector_that_is_misled():
    table = planted(methods={"vae": (1.0,)}, seeds=4, data=("d",))
    turned = table["metric"] == "udr"
    table.loc[turned, "value"] *= -1
    row = analysis.selection_without_labels(table, "mig", selectors=["udr"]).iloc[0]
    own = analysis.values(table, "mig")["value"]
    assert row["selected"] == own.min()
    assert row["share"] < 0
    assert row["correlation"] == pytest.approx(-1.0)


def test_chance_and_oracle_are_of_all_runs_with_a_score():
    table = planted(methods={"vae": (1.0,)}, seeds=4, data=("d",))
    own = analysis.values(table, "mig").set_index("run")["value"]
    best = (table["metric"] == "udr") & (table["run"] == own.idxmax())
    row = analysis.selection_without_labels(table[~best], "mig", selectors=["udr"])
    row = row.iloc[0]
    assert (row["num"], row["scored"]) == (3, 4)
    assert (row["oracle"], row["random"]) == (own.max(), pytest.approx(own.mean()))
    assert row["selected"] == own.nlargest(2).min() and row["share"] < 1


def test_selectors_that_know_nothing():
    table = planted(collapsed=range(75, 90))  # no UDR of a collapsed run
    found = analysis.selection_without_labels(table, "mig", **ROOMS)
    row = found.set_index(["method", "selector"]).loc["chyvae", "udr"]
    assert (row["num"], row["scored"]) == (0, 15)
    assert row["oracle"] == pytest.approx(0.1) and math.isnan(row["selected"])
    assert row["reason"] == "no run has both the selector and the score"
    row = found.set_index(["method", "selector"]).loc["chyvae", "reconstruction"]
    assert row["reason"] == "all runs score the same"
    assert math.isnan(row["share"])
    with pytest.raises(ArgumentError, match="be one of the scores"):
        analysis.selection_without_labels(table, "no_such", **ROOMS)
    with pytest.raises(ArgumentError, match="selectors"):
        analysis.selection_without_labels(table, "mig", selectors=["mig"], **ROOMS)
