"""Which values an analysis takes, and which runs it leaves out."""

import math

import numpy as np
import pandas as pd
import pytest

from tests.studies.tables import planted
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import analysis

ROOMS = {"data": "rooms3d"}


def test_one_value_for_each_run():
    table = planted(missing=(46,), refused=(47,))
    found = analysis.values(table, "mig", **ROOMS)
    assert list(found["index"]) == [45, *range(48, 90)]
    assert len(analysis.values(table, "dci", **ROOMS)) == 44
    assert set(found["data"]) == {"rooms3d"}
    assert found["setting"].iloc[0] == "beta_vae.strength=1.0"


def test_seeds_of_the_metric_count_with_their_mean():
    table = planted(seeds=1)
    again = table[table["metric"] == "mig"].copy()
    again["metric_seed"], again["value"] = 1, again["value"] + 0.2
    both = analysis.values(pd.concat([table, again]), "mig", **ROOMS)
    one = analysis.values(table, "mig", **ROOMS)
    np.testing.assert_allclose(both["value"], one["value"] + 0.1)
    assert len(both) == len(one)


def test_held_out_terms_go_before_those_of_training():
    table = planted()
    table.loc[table["kind"] == "term", "value"] = -1.0
    assert (analysis.values(table, "loss", **ROOMS)["value"] > 0).all()
    only = table[table["kind"] != "held_out"]
    assert (analysis.values(only, "loss", **ROOMS)["value"] == -1).all()


def test_what_is_not_clear_is_asked():
    table = planted()
    with pytest.raises(ArgumentError, match="several data sets"):
        analysis.values(table, "mig")
    with pytest.raises(ArgumentError, match="rooms3d"):
        analysis.values(table, "mig", data="room")
    with pytest.raises(ArgumentError, match="Did you mean mig"):
        analysis.values(table, "mih", **ROOMS)
    with pytest.raises(ArgumentError, match="sampled"):
        one = planted(representations=("sampled",))
        analysis.values(one, "mig", **ROOMS)
    other = table[table["metric"] == "mig"].assign(protocol="other", value=0.0)
    both = pd.concat([table, other])
    with pytest.raises(ArgumentError, match="protocol"):
        analysis.values(both, "mig", **ROOMS)
    assert (analysis.values(both, "mig", protocol="other", **ROOMS)["value"] == 0).all()
    names = analysis.scores(both, **ROOMS).columns
    assert {"mig (dlib)", "mig (other)", "dci"} <= set(names)
    assert "mig" not in names
    with pytest.raises(ArgumentError, match="finite"):
        analysis.values(planted(refused=range(90)), "mig", **ROOMS)
    with pytest.raises(ArgumentError, match="results"):
        analysis.values(table[:0], "mig")


def test_scores_side_by_side():
    table = planted(missing=(45,), refused=(46,))
    wide = analysis.scores(table, **ROOMS)
    assert len(wide) == 44
    assert wide.index.names == ["run", "method", "setting", "seed"]
    assert math.isnan(wide["mig"].iloc[0])
    assert wide["dci"].notna().all()
    assert not [name for name in wide.columns if "." in name]


def test_settings_of_several_bindings_have_words():
    table = planted(methods={"vae": (1.0, 2.0)}, seeds=2).rename(
        columns={"vae.strength": "Net.width"}
    )
    table["strength"], table["Other.rate"] = np.nan, 0.5
    found = analysis.values(table, "mig", **ROOMS)
    assert list(found["setting"].unique()) == [
        "Net.width=1.0, Other.rate=0.5",
        "Net.width=2.0, Other.rate=0.5",
    ]
    shares = analysis.variance_shares(table, **ROOMS)
    assert shares.loc["mig", "strength"] == pytest.approx(0.5)


def two_bindings(**columns):
    """Runs of one method whose parts varied another binding each."""
    table = planted(methods={"vae": (1.0, 2.0)}, seeds=3, data=("d",), **columns)
    first = table["strength"] == 1.0
    table["a.width"] = table["vae.strength"].where(first)
    table["b.width"] = table["vae.strength"].where(~first).replace(2.0, 1.0)
    return table.drop(columns="vae.strength").assign(strength=1.0)


def test_one_strength_of_two_bindings_is_two_settings():
    table = two_bindings()
    names = list(analysis.values(table, "mig")["setting"].unique())
    assert names == ["a.width=1.0", "b.width=1.0"]
    cells = analysis.by_setting(table, "mig")
    assert (list(cells["setting"]), list(cells["num"])) == (names, [3, 3])
    assert analysis.variance_shares(table).loc["mig", "seed"] < 1
    close = table.assign(**{"a.width": table["index"] + 1_234_567, "b.width": np.nan})
    assert analysis.values(close, "mig")["setting"].nunique() == 6


def test_settings_without_a_strength_are_kept_apart():
    """Two numbers vary: every analysis sees four settings of three seeds."""
    table = planted(methods={"vae": (1.0, 2.0, 3.0, 4.0)}, seeds=3, data=("d",))
    value = table.pop("vae.strength")
    table["strength"] = np.nan
    table["a.beta"], table["b.width"] = value % 2, (value > 2).astype(int)
    assert list(analysis.by_setting(table, "mig")["num"]) == [3] * 4
    assert list(analysis.score_against(table, "mig").cells["num"]) == [3] * 4
    (best,) = analysis.scores_of_methods(table, "mig").methods.to_dict("records")
    assert (best["num"], best["setting"]) == (3, "a.beta=0.0, b.width=1")
    pairs = [
        ("vae", name) for name in ("a.beta=0.0, b.width=1", "a.beta=1.0, b.width=0")
    ]
    (row,) = analysis.paired_comparisons(table, "mig", pairs).to_dict("records")
    assert row["num"] == 3 and row["difference"] > 0


def test_collapsed_runs_are_named_and_counted():
    table = planted(collapsed=(50, 3))
    found = analysis.exclude(table)
    assert list(found.runs["index"]) == [3, 50]
    assert set(found.runs["reason"]) == {"no latent is active"}
    assert found.runs["setting"].iloc[0] == "beta_vae.strength=1.0"
    assert found.rule.startswith("2 of 90 runs left out, in which no latent is active")
    assert set(table["index"]) - set(found.table["index"]) == {3, 50}
    nothing = analysis.exclude(planted())
    assert nothing.rule.startswith("0 of 90")
    assert len(nothing.runs) == 0


def test_bounds_over_runs():
    table = planted()
    of_mig = table["metric"] == "mig"
    table.loc[(table["index"] == 45) & of_mig, "floor"] = 0.05
    found = analysis.bounds(table, "mig", **ROOMS)
    assert found.loc["floor"].tolist() == [0.05, 0.1]
    assert found.loc["ceiling"].tolist() == [1.0, 1.0]
    assert analysis.bounds(table, "udr", **ROOMS) is None


def test_bounds_are_of_one_kind_and_protocol():
    table = planted(seeds=1)
    other = table[table["metric"] == "mig"].assign(protocol="other", floor=-9.0)
    both = pd.concat([table, other])
    with pytest.raises(ArgumentError, match="protocol"):
        analysis.bounds(both, "mig", **ROOMS)
    found = analysis.bounds(both, "mig", protocol="dlib", **ROOMS)
    assert found.loc["floor"].tolist() == [0.1, 0.1]
    term = both.assign(kind=both["kind"].where(both["protocol"] != "other", "term"))
    found = analysis.bounds(term, "mig", **ROOMS)
    assert found.loc["floor"].tolist() == [0.1, 0.1]


def test_scores_of_models_with_and_without_categories_are_compared():
    table = planted(seeds=1)
    said = (table["method"] == "chyvae") & (table["metric"] == "mig")
    table.loc[said, "protocol"] = "dlib, categorical=as is"
    assert len(analysis.values(table, "mig", **ROOMS)) == 9
    assert analysis.scores(table, **ROOMS)["mig"].notna().all()
    # Two ways of taking them differ, and it is not known with which the others go.
    one = table["strength"] == 200
    table.loc[said & one, "protocol"] = "dlib, categorical=one-hot"
    with pytest.raises(ArgumentError, match="protocol"):
        analysis.values(table, "mig", **ROOMS)


def test_a_refused_run_makes_no_metric_of_its_own():
    table = planted(refused=(46,))
    twice = table[table["metric"] == "mig"].assign(protocol="dlib, num_bins=10")
    table = pd.concat([table, twice[twice["reason"] == ""]], ignore_index=True)
    wide = analysis.scores(table, data="rooms3d")
    names = [name for name in wide if name.startswith("mig")]
    assert names == ["mig (dlib)", "mig (dlib, num_bins=10)"]
    assert wide["mig (dlib)"].isna().sum() == 1
