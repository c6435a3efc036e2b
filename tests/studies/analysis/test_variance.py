"""Shares of variance: planted ones are found, and least squares agrees."""

import numpy as np
import pytest

from tests.studies.tables import planted
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import analysis

ROOMS = {"data": "rooms3d"}
CAUSES = ["objective", "strength", "seed"]


def test_planted_shares_are_found():
    table = planted(objective=0.2, strength=0.1, noise=0.1)
    found = analysis.variance_shares(table, **ROOMS)
    # 0.04, 0.01 and 0.01 of 0.06.
    np.testing.assert_allclose(found.loc["mig", CAUSES].tolist(), [4 / 6, 1 / 6, 1 / 6])
    assert found.loc["mig", "num"] == 45
    nothing = analysis.variance_shares(planted(objective=0.0, strength=0.0), **ROOMS)
    np.testing.assert_allclose(
        nothing.loc["mig", CAUSES].tolist(), [0, 0, 1], atol=1e-12
    )


def r2(design, y):
    """R^2 of least squares with numpy."""
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - np.sum((y - fitted) ** 2) / np.sum((y - y.mean()) ** 2)


def test_unbalanced_tables_against_least_squares():
    table = planted(missing=(45, 46, 47, 48, 61, 70, 71, 89), refused=(55,), seeds=5)
    runs = analysis.values(table, "mig", **ROOMS)
    y = runs["value"].to_numpy()
    methods = np.array([runs["method"] == m for m in runs["method"].unique()]).T
    cells = runs["method"] + runs["setting"]
    both = np.array([cells == c for c in cells.unique()]).T
    one, two = r2(methods.astype(float), y), r2(both.astype(float), y)
    found = analysis.variance_shares(table, **ROOMS).loc["mig"]
    np.testing.assert_allclose(found[CAUSES].tolist(), [one, two - one, 1 - two])
    n, p, q = len(y), 3, both.shape[1]
    assert found["adjusted_objective"] == pytest.approx(
        1 - (1 - one) * (n - 1) / (n - p)
    )
    seed = (1 - two) * (n - 1) / (n - q)
    assert found["adjusted_seed"] == pytest.approx(seed)
    assert found["adjusted_objective"] + found["adjusted_strength"] == pytest.approx(
        1 - seed
    )
    assert (found["num"], found["settings"]) == (n, q)


def test_the_adjusted_share_of_noise_is_zero_on_average():
    rng = np.random.default_rng(0)
    table = planted(seeds=3)
    is_score = table["kind"] == "score"
    found = []
    for _ in range(12):
        table.loc[is_score, "value"] = rng.normal(size=is_score.sum())
        found.append(analysis.variance_shares(table, **ROOMS).mean(numeric_only=True))
    mean = {name: np.mean([row[name] for row in found]) for name in found[0].index}
    # 2 and 8 of 26 degrees of freedom.
    assert mean["objective"] == pytest.approx(2 / 26, abs=0.03)
    assert mean["seed"] == pytest.approx(18 / 26, abs=0.05)
    assert mean["adjusted_objective"] == pytest.approx(0, abs=0.03)
    assert mean["adjusted_strength"] == pytest.approx(0, abs=0.05)


def test_what_cannot_be_told_has_a_reason():
    one = analysis.variance_shares(planted(seeds=1), **ROOMS)
    assert one[CAUSES].isna().all(axis=None)
    assert one["reason"].str.contains("two seeds").all()
    # One setting with two seeds is not enough for the others.
    few = analysis.variance_shares(planted(seeds=2, missing=(18, 20)), **ROOMS)
    assert few[CAUSES].isna().all(axis=None)
    assert (few.loc["mig", "num"], few.loc["mig", "settings"]) == (16, 9)
    table = planted()
    table.loc[table["metric"] == "sap", "value"] = 0.3
    found = analysis.variance_shares(table, **ROOMS)
    assert found.loc["sap", "reason"] == "all runs score the same"
    assert np.isnan(found.loc["sap", "objective"])
    assert found.loc["mig", "reason"] == ""
    with pytest.raises(ArgumentError, match="have a score"):
        analysis.variance_shares(table[table["kind"] == "term"], **ROOMS)


def test_one_method_explains_nothing():
    found = analysis.variance_shares(planted(methods={"vae": (1.0, 2.0)}), **ROOMS)
    assert found.loc["mig", "objective"] == pytest.approx(0, abs=1e-12)
    assert found.loc["mig", "strength"] == pytest.approx(0.5)
