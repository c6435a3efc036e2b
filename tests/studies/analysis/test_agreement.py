"""Rank correlations against scipy, with ties, missing runs and constants."""

import numpy as np
import pytest
from scipy import stats

from tests.studies.tables import planted
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import analysis

ROOMS = {"data": "rooms3d"}


def shuffled(levels=None, **options):
    """A table in which every score is a draw of its own."""
    table = planted(**options)
    rng = np.random.default_rng(4)
    is_score = table["kind"].isin(["score", "unsupervised", "held_out"])
    draws = rng.random(is_score.sum())
    if levels:
        draws = np.floor(draws * levels) / levels
    table.loc[is_score, "value"] = draws
    table.loc[table["reason"] != "", "value"] = np.nan
    return table


@pytest.mark.parametrize("levels", [None, 3])
def test_metrics_against_scipy(levels):
    table = shuffled(levels)
    found = analysis.metric_correlations(table, **ROOMS)
    rows = table[(table["data"] == "rooms3d") & (table["representation"] == "mean")]
    mig, dci = (rows[rows["metric"] == name]["value"] for name in ("mig", "dci"))
    expected = stats.spearmanr(mig, dci).statistic
    assert found.loc["mig", "dci"] == pytest.approx(expected)
    assert found.loc["dci", "mig"] == pytest.approx(expected)
    assert abs(expected) < 0.9
    assert (np.diag(found) == 1).all()


def test_planted_metrics_agree_but_one():
    found = analysis.metric_correlations(planted(), **ROOMS)
    assert found.loc["mig", "sap"] == pytest.approx(1.0)
    assert found.loc["mig", "modularity"] == pytest.approx(-1.0)


def test_runs_that_lack_one_of_both_take_no_part():
    table = shuffled(missing=(45,), refused=(46, 47))
    found = analysis.metric_correlations(table, **ROOMS)
    wide = analysis.scores(table, **ROOMS)[["mig", "dci"]].dropna()
    assert len(wide) == 42
    expected = stats.spearmanr(wide["mig"], wide["dci"]).statistic
    assert found.loc["mig", "dci"] == pytest.approx(expected)


def test_a_constant_score_correlates_with_nothing():
    table = planted()
    table.loc[table["metric"] == "sap", "value"] = 0.5
    found = analysis.metric_correlations(table, **ROOMS)
    assert found["sap"].isna().all()
    assert found.loc["mig", "dci"] == pytest.approx(1.0)


def test_too_little_for_a_correlation():
    with pytest.raises(ArgumentError, match="at least 3 runs"):
        two = planted(methods={"vae": (1.0,)}, seeds=2)
        analysis.metric_correlations(two, **ROOMS)
    with pytest.raises(ArgumentError, match="two metrics"):
        table = planted()
        analysis.metric_correlations(table[table["metric"] == "mig"], **ROOMS)
    # With 3 runs of which 2 have the score there is none for it.
    few = planted(methods={"vae": (1.0,)}, seeds=3, refused=(3,))
    assert analysis.metric_correlations(few, **ROOMS)["mig"].isna().all()


def test_unsupervised_scores():
    table = planted()
    found = analysis.unsupervised_correlations(table, **ROOMS)
    assert list(found.index) == [
        *("reconstruction", "total_correlation", "kl_term"),
        *("gaussian_total_correlation", "udr"),
    ]
    assert found.loc["udr", "mig"] == pytest.approx(1.0)
    assert found.loc["udr", "modularity"] == pytest.approx(-1.0)
    assert found.loc["kl_term"].isna().all()  # the same in all runs
    rows = table[(table["data"] == "rooms3d")]
    error = rows[(rows["metric"] == "reconstruction") & (rows["kind"] == "held_out")]
    mig = analysis.values(table, "mig", **ROOMS)
    expected = stats.spearmanr(error["value"], mig["value"]).statistic
    assert found.loc["reconstruction", "mig"] == pytest.approx(expected)
    # The Gaussian total correlation is of sampled codes, which falls with the strength.
    assert found.loc["gaussian_total_correlation", "mig"] < 0
    only = planted(representations=("mean",))
    own = analysis.unsupervised_correlations(only, **ROOMS)
    assert own.loc["gaussian_total_correlation", "mig"] > 0


def test_downstream_tasks():
    table = shuffled(missing=(46,))
    found = analysis.downstream_correlations(table, **ROOMS)
    sizes = ["10 samples", "100 samples", "1000 samples", "10000 samples"]
    assert list(found.index) == [*sizes, "efficiency"]
    assert "statistical_efficiency" not in found
    few, many, mig = (
        analysis.values(table, name, **ROOMS)["value"]
        for name in ("downstream.by_size.100", "downstream.by_size.10000", "mig")
    )
    for row, values in (("100 samples", few), ("efficiency", few / many)):
        expected = stats.spearmanr(values, mig).statistic
        assert found.loc[row, "mig"] == pytest.approx(expected)
    only = table[table["metric"] != "downstream.by_size.100"]
    other = analysis.downstream_correlations(only, **ROOMS).loc["efficiency", "mig"]
    ten = analysis.values(table, "downstream.by_size.10", **ROOMS)["value"]
    assert other == pytest.approx(stats.spearmanr(ten / many, mig).statistic)
    with pytest.raises(ArgumentError, match="--metrics=downstream"):
        none = table[~table["metric"].str.startswith("downstream")]
        analysis.downstream_correlations(none, **ROOMS)


def test_without_unsupervised_scores():
    table = planted()
    with pytest.raises(ArgumentError, match="unsupervised"):
        analysis.unsupervised_correlations(table[table["kind"] == "score"], **ROOMS)
    with pytest.raises(ArgumentError, match="factors"):
        analysis.unsupervised_correlations(table[table["kind"] != "score"], **ROOMS)


def test_settings_of_two_data_sets():
    table = shuffled(missing=(3,))
    found = analysis.transfer_across_data(table, "mig")
    means = [
        analysis.values(table, "mig", data=name)
        .groupby(["method", "strength"])["value"]
        .mean()
        for name in ("correlated_ellipses", "rooms3d")
    ]
    expected = stats.spearmanr(*means).statistic
    assert found.iloc[0, 1] == pytest.approx(expected)
    with pytest.raises(ArgumentError, match="two data sets"):
        analysis.transfer_across_data(planted(data=("a",)), "mig")
    with pytest.raises(ArgumentError, match="no_such on two"):
        analysis.transfer_across_data(table, "no_such")


def test_settings_by_two_metrics():
    found = analysis.transfer_across_metrics(planted(), **ROOMS)
    assert found.loc["mig", "modularity"] < -0.9
    table = shuffled()
    means = [
        analysis.values(table, name, **ROOMS)
        .groupby(["method", "strength"])["value"]
        .mean()
        for name in ("mig", "dci")
    ]
    found = analysis.transfer_across_metrics(table, **ROOMS)
    expected = stats.spearmanr(*means).statistic
    assert found.loc["mig", "dci"] == pytest.approx(expected)


def test_udr_of_methods_with_and_without_kls_is_one_selector():
    """Of an InfoGAN no KL is known, so that its UDR has another protocol."""
    table = planted()
    is_udr = table["metric"] == "udr"
    table.loc[is_udr & (table["method"] == "chyvae"), "protocol"] += ", every latent"
    assert analysis.unsupervised(table, **ROOMS)["udr"].notna().all()
    found = analysis.selection_without_labels(table, "mig", selectors=["udr"], **ROOMS)
    assert (found["num"] == 15).all()
