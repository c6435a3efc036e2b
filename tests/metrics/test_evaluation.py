"""Several metrics over several seeds."""

import functools
import json
import types

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import metrics
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import ARRAY_METRICS, METRICS, evaluate, evaluate_arrays
from tf_disentangle.metrics.results import as_row, matrices, numbers

SIZES = (4, 4, 4, 4)
SOME = {name: METRICS[name] for name in ("mig_score", "sap_score", "factor_vae_score")}


def middling(images):
    mixing = np.random.default_rng(1).normal(size=(4, 6)) + 0.9 * np.eye(4, 6)
    return known.standardised(images, SIZES) @ mixing


def small(metric):
    """Sizes that keep the sampling scores quick, at a seed of the caller's."""

    def function(dataset, encode, *, seed=0):
        return metric(
            dataset,
            encode,
            seed=seed,
            batch_size=10,
            num_variance_samples=1_000,
            num_train_votes=400,
            num_test_votes=400,
            progress=False,
        )

    return function


def test_seeds_give_mean_and_interval_and_are_each_the_plain_call():
    dataset = known.GridDataset(SIZES)
    found = evaluate(
        dataset,
        middling,
        {"mig_score": METRICS["mig_score"]},
        seeds=(0, 1, 5),
        num_train=700,
        progress=False,
    )["mig_score"]
    each = [
        METRICS["mig_score"](
            dataset, middling, seed=seed, num_train=700, progress=False
        ).score
        for seed in (0, 1, 5)
    ]
    assert [result.score for result in found.results] == each
    assert found.score == pytest.approx(np.mean(each))
    assert found.interval == metrics.mean_interval(each)
    assert found.seeds == (0, 1, 5)
    assert found.protocol == "dlib, num_train=700"


def test_one_seed_has_the_interval_of_an_accuracy_or_none():
    found = evaluate(
        known.GridDataset(SIZES),
        middling,
        {"mig": METRICS["mig_score"], "votes": small(METRICS["factor_vae_score"])},
        progress=False,
    )
    assert found["mig"].interval is None
    interval = found["votes"].interval
    assert interval.method == "wilson"
    assert interval.num == 400
    assert interval.low < found["votes"].score < interval.high


def test_images_are_encoded_once_for_all_metrics_and_seeds():
    seen = []

    def encode(images):
        seen.append(len(images))
        return middling(images)

    evaluate(
        known.GridDataset(SIZES),
        encode,
        {"mig": METRICS["mig_score"], "votes": small(METRICS["factor_vae_score"])},
        seeds=range(3),
        progress=False,
    )
    assert sum(seen) == 256


def test_options_go_where_they_are_taken():
    found = evaluate(
        known.GridDataset(SIZES), middling, SOME, factors=["factor1"], progress=False
    )
    assert all("factors=factor1" in e.protocol for e in found.values())
    with pytest.raises(ArgumentError, match="factr must be an option of one"):
        evaluate(known.GridDataset(SIZES), middling, SOME, factr=3)
    with pytest.raises(ArgumentError, match="seeds must differ"):
        evaluate(known.GridDataset(SIZES), middling, SOME, seeds=(1, 1))


def test_a_users_own_metric_is_called_once():
    calls = []

    def answer(dataset, encode):
        calls.append(dataset)
        return types.SimpleNamespace(score=1.0)

    found = evaluate(
        known.GridDataset(SIZES), middling, {"answer": answer}, seeds=(0, 1)
    )
    assert len(calls) == 1
    assert found["answer"].seeds == ()
    assert numbers(found["answer"].results[0]) == {"score": 1.0}


def arrays(n=900, seed=0):
    factors = np.random.default_rng(seed).integers(SIZES, size=(n, 4))
    images = known.GridDataset(SIZES).render(factors)
    return {"codes": middling(images), "factors": factors}


def test_arrays_with_and_without_a_test_part():
    train, test = arrays(), arrays(300, seed=1)
    given = {**train, **{f"test_{name}": array for name, array in test.items()}}
    some = {name: ARRAY_METRICS[name] for name in ("mig_score", "sap_score")}
    found = evaluate_arrays(given, some, progress=False)
    expected = metrics.sap_score(*given.values())
    assert found["sap_score"].score == expected.score
    assert found["sap_score"].protocol == "dlib"
    held_out = evaluate_arrays(train, some, seeds=(0, 1), progress=False)
    assert held_out["sap_score"].protocol == "dlib, test=random third"
    first, second = held_out["sap_score"].results
    assert first.score != second.score
    assert held_out["sap_score"].score == np.mean([first.score, second.score])
    assert held_out["mig_score"].score == metrics.mig_score(**train).score
    assert held_out["mig_score"].seeds == ()


def test_splits_of_the_same_rows_have_a_spread_and_no_interval():
    """The rows stay, so that an interval of such scores would be too narrow."""
    found = evaluate_arrays(
        arrays(),
        {name: ARRAY_METRICS[name] for name in ("mig_score", "sap_score")},
        seeds=(3, 4, 5),
        progress=False,
    )
    assert found["sap_score"].interval is None
    each = [result.score for result in found["sap_score"].results]
    spread = found["sap_score"].spread
    assert (spread.low, spread.high) == (min(each), max(each))
    assert spread.deviation == pytest.approx(np.std(each, ddof=1))
    assert (spread.num, spread.of) == (3, "splits")
    assert (found["mig_score"].interval, found["mig_score"].spread) == (None, None)


def test_with_a_test_part_only_solvers_are_repeated():
    given = {**arrays(), **{f"test_{k}": a for k, a in arrays(300, seed=1).items()}}
    names = ("mig_score", "sap_score", "explicitness_score", "dci_score")
    calls = dict.fromkeys(names, 0)

    def counting(name):
        metric = ARRAY_METRICS[name]

        @functools.wraps(metric)
        def call(*args, **options):
            calls[name] += 1
            return metric(*args, **options)

        return call

    found = evaluate_arrays(
        given, {name: counting(name) for name in names}, seeds=(0, 1), progress=False
    )
    assert calls == {**dict.fromkeys(names, 1), "dci_score": 2}
    assert [found[name].seeds for name in names] == [(), (), (), (0, 1)]
    assert all(e.interval is None for e in found.values())
    assert found["dci_score"].spread.of == "solver seeds"
    assert found["sap_score"].spread is None


def test_factors_of_arrays_are_chosen_as_those_of_a_set():
    given, names = arrays(), ["a", "b", "c", "d"]
    some = {name: ARRAY_METRICS[name] for name in ("mig_score", "active_units")}
    found = evaluate_arrays(
        given, some, factors=["d", "b"], factor_names=names, progress=False
    )
    expected = metrics.mig_score(given["codes"], given["factors"][:, [1, 3]])
    assert found["mig_score"].score == expected.score
    assert found["mig_score"].protocol == "dlib, factors=b+d"
    assert found["active_units"].protocol == "burda"
    found = evaluate_arrays(given, some, factors="factor2", progress=False)
    assert found["mig_score"].protocol == "dlib, factors=factor2"
    for factors, words in (
        (["b", "b"], "each once"),
        (["e"], "factors must be one of"),
        ([], "at least one"),
    ):
        with pytest.raises(ArgumentError, match=words):
            evaluate_arrays(given, some, factors=factors, factor_names=names)
    turned = {**given, "factors": given["factors"].T}
    with pytest.raises(ArgumentError, match=r"pass factors\.T"):
        evaluate_arrays(turned, some, factors=["b"], factor_names=names)
    with pytest.raises(ArgumentError, match="have factors to choose"):
        evaluate_arrays(
            {"codes": given["codes"]},
            {"active_units": some["active_units"]},
            factors=["b"],
        )


def test_arrays_that_are_missing():
    codes = {"codes": arrays()["codes"]}
    some = {"unsupervised": ARRAY_METRICS["unsupervised_scores"]}
    assert evaluate_arrays(codes, some)["unsupervised"].score > 0
    with pytest.raises(ArgumentError, match="have 'factors' for these metrics"):
        evaluate_arrays(codes, {"mig_score": metrics.mig_score})
    with pytest.raises(ArgumentError, match="both parts of a test"):
        evaluate_arrays(
            {**arrays(), "test_codes": codes["codes"]}, {"mig": metrics.mig_score}
        )


def test_columns_reach_the_metrics_that_ask():
    given = arrays()
    given["codes"] = np.column_stack([given["codes"], given["factors"][:, 0]])
    columns = [CodeColumn(f"z{d}") for d in range(6)] + [CodeColumn("c", "categorical")]
    some = {name: ARRAY_METRICS[name] for name in ("mig_score", "active_units")}
    found = evaluate_arrays(given, some, columns=columns, progress=False)
    assert "categorical" in found["mig_score"].protocol


def test_results_as_numbers_matrices_and_json():
    result = metrics.mig_score(**arrays())
    assert list(numbers(result)) == ["score"]
    assert list(matrices(result, 4)) == ["mutual_information"]
    assert matrices(result, 5) == {}
    other = metrics.unsupervised_scores(np.ones((9, 1)) * np.arange(9)[:, None])
    assert "gaussian_wasserstein" in numbers(other)
    infinite = metrics.unsupervised_scores(np.arange(9.0)[:, None] * [1.0, 2.0])
    row = json.loads(json.dumps(as_row({"x": infinite}), allow_nan=False))
    assert row["x"]["score"] is None
    assert row["x"]["constant"] == [False, False]
