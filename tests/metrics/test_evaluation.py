"""Several metrics over several seeds."""

import functools
import json
import math
import types
import xml.etree.ElementTree

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import metrics
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import METRICS, Refusal, evaluate, evaluate_arrays
from tf_disentangle.metrics.results import as_row, from_row, matrices, scalars

SIZES = (4, 4, 4, 4)
VOTES = functools.partial(
    metrics.factor_vae_score,
    batch_size=10,
    num_variance_samples=1_000,
    num_train_votes=400,
    num_test_votes=400,
)


def middling(images):
    mixing = np.random.default_rng(1).normal(size=(4, 6)) + 0.9 * np.eye(4, 6)
    return known.standardised(images, SIZES) @ mixing


def test_seeds_give_mean_and_interval_and_are_each_the_plain_call():
    dataset = known.GridDataset(SIZES)
    found = evaluate(
        dataset, middling, ["mig"], seeds=(0, 1, 5), num_train=700, progress=False
    )["mig"]
    each = [
        METRICS["mig"]
        .on_data(dataset, middling, seed=seed, num_train=700, progress=False)
        .score
        for seed in (0, 1, 5)
    ]
    assert [result.score for result in found.results] == each
    assert found.score == pytest.approx(np.mean(each))
    assert found.interval == metrics.mean_interval(each)
    assert found.seeds == (0, 1, 5)
    assert found.protocol == "dlib, num_train=700"


def test_a_notebook_shows_the_table_that_is_printed():
    dataset = known.GridDataset(SIZES)
    table = evaluate(
        dataset,
        middling,
        {"mig": metrics.mig_score, "<no>": metrics.log_evidence, "votes": VOTES},
        seeds=(0, 1),
        num_train=200,
        progress=False,
    )
    shown = table._repr_html_()
    root = xml.etree.ElementTree.fromstring(f"<div>{shown}</div>")
    rows = [[cell.text.strip() for cell in row] for row in root.iter("tr")]
    assert rows[0] == ["metric", "score", "95% interval", "protocol"]
    printed = repr(table).split("\n\n")[0].splitlines()
    assert [" ".join(row).split() for row in rows] == [x.split() for x in printed]
    (votes,) = [block.text for block in root.iter("pre")]
    assert votes == table["votes"].results[0].table()


def test_the_table_names_the_level_that_was_asked_for():
    table = evaluate(
        known.GridDataset(SIZES),
        middling,
        ["mig"],
        seeds=(0, 1),
        confidence=0.5,
        num_train=200,
        progress=False,
    )
    assert "50% interval" in repr(table)


def test_one_seed_has_the_interval_of_an_accuracy_or_none():
    found = evaluate(
        known.GridDataset(SIZES),
        middling,
        {"mig": metrics.mig_score, "votes": VOTES},
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
        {"mig": metrics.mig_score, "votes": VOTES},
        seeds=range(3),
        progress=False,
    )
    assert sum(seen) == 256


def test_options_go_where_they_are_taken():
    data, some = known.GridDataset(SIZES), ["mig", "sap_score", VOTES]
    found = evaluate(data, middling, some, factors=["factor1"], progress=False)
    assert list(found) == ["mig", "sap", "factor_vae"]
    assert all("factors=factor1" in e.protocol for e in found.values())
    words = "factr must be an option of evaluate, or of a .*mean factors"
    with pytest.raises(ArgumentError, match=words):
        evaluate(data, middling, some, factr=3)
    with pytest.raises(ArgumentError, match="mean num_bins"):
        evaluate_arrays(np.zeros((9, 2)), np.zeros((9, 2)), some, num_bin=3)
    with pytest.raises(ArgumentError, match="seeds must differ"):
        evaluate(data, middling, some, seeds=(1, 1))
    with pytest.raises(ArgumentTypeError, match=r"evaluate_arrays\(codes, factors"):
        evaluate(np.zeros((9, 2)), middling, some)


def test_a_users_own_metric_is_called_once():
    calls = []

    def answer(data, encoder):
        calls.append(data)
        return types.SimpleNamespace(score=1.0)

    found = evaluate(
        known.GridDataset(SIZES), middling, [answer], seeds=(0, 1), progress=False
    )
    assert len(calls) == 1
    assert found["answer"].seeds == ()
    assert scalars(found["answer"].results[0]) == {"score": 1.0}


def test_one_metric_that_refuses_or_fails_leaves_the_others_alone(capsys):
    def broken(data, encoder, *, columns):
        raise ZeroDivisionError("by zero")

    columns = [CodeColumn(f"c{d}", "categorical") for d in range(4)]
    found = evaluate(
        known.GridDataset(SIZES),
        known.factors_of,
        [broken, "strong_downstream", "log_evidence", "mig"],
        columns=columns,
        seeds=(0, 1),
        num_train=200,
    )
    assert found["mig"].score > 0.9
    assert found["broken"].reason == "ZeroDivisionError: by zero"
    assert "take `columns`" in found["strong_downstream"].reason
    assert "PosteriorEncoder" in found["log_evidence"].reason
    assert all(math.isnan(e.score) for e in found.values() if isinstance(e, Refusal))
    lines = capsys.readouterr().err
    assert "mig, seed 1: 0.9" in lines and "broken: no score" in lines


def test_results_are_handed_over_as_they_end_and_not_computed_again():
    data, rows = known.GridDataset(SIZES), {}

    def keep(name, seed, result, call):
        rows[call] = json.loads(json.dumps(as_row({name: result})[name]))
        if len(rows) == 3:
            raise KeyboardInterrupt

    options = {"seeds": (0, 1), "num_train": 60, "on_result": keep, "progress": False}
    names = ["mig", "unified", "dci"]
    with pytest.raises(KeyboardInterrupt):
        evaluate(data, middling, names, **options)
    assert list(rows) == [
        f"{name}(num_train=60, seed=0)" for name in ("mig", "unified", "dci")
    ]
    done, calls = {**rows, "mig(num_train=61, seed=1)": None}, []
    options["on_result"] = lambda name, seed, result, call: calls.append((name, seed))
    found = evaluate(data, middling, names, done=done, **options)
    assert calls == [(name, 1) for name in names], "only the second seed is computed"
    whole = evaluate(data, middling, names, **options)
    for name in names:
        assert found[name].score == whole[name].score
        assert found[name].protocol == whole[name].protocol
    first = whole["unified"].results[0]
    assert found["unified"].results[0].table() == first.table()


@pytest.mark.parametrize("name", METRICS)
def test_results_come_back_from_json(name):
    metric = METRICS[name]
    if metric.input is metrics.Input.ENCODER:
        pytest.skip("made by the encoder")
    codes, factors = arrays(90)["codes"], arrays(90)["factors"]
    options = {"num_train": 60, "num_test": 30, "num_experiments": 1}
    options = {k: v for k, v in options.items() if k in metric.options}
    codes[:, 0] = 0.0  # NaN where there is no number
    taken = (codes,) if metric.input is metrics.Input.CODES else (codes, factors)
    result = metric(*taken, **options)
    row = json.loads(json.dumps(as_row({name: result})[name], allow_nan=False))
    again = from_row(type(result), row)
    assert as_row({name: again}) == as_row({name: result})
    assert scalars(again).keys() == scalars(result).keys()


def arrays(n=900, seed=0):
    factors = np.random.default_rng(seed).integers(SIZES, size=(n, 4))
    images = known.GridDataset(SIZES).render(factors)
    return {"codes": middling(images), "factors": factors}


def test_arrays_with_and_without_a_test_part():
    train, test = arrays(), arrays(300, seed=1)
    some = ["mig", "sap"]
    given = {f"test_{name}": array for name, array in test.items()}
    found = evaluate_arrays(**train, metrics=some, **given, progress=False)
    expected = metrics.sap_score(*train.values(), *test.values())
    assert found["sap"].score == expected.score
    assert found["sap"].protocol == "dlib"
    split = evaluate_arrays(**train, metrics=some, seeds=(0, 1), progress=False)
    assert split["sap"].protocol == "dlib, rows split 2:1"
    first, second = split["sap"].results
    assert first.score != second.score
    assert first.score == metrics.sap_score(**train).score
    assert second.score == metrics.sap_score(**train, seed=1).score
    assert split["sap"].score == np.mean([first.score, second.score])
    assert split["mig"].score == metrics.mig_score(**train).score
    assert split["mig"].seeds == ()


def test_splits_of_the_same_rows_have_a_spread_and_no_interval():
    """The rows stay, so that an interval of such scores would be too narrow."""
    found = evaluate_arrays(
        **arrays(), metrics=["mig", "sap"], seeds=(3, 4, 5), progress=False
    )
    assert found["sap"].interval is None
    each = [result.score for result in found["sap"].results]
    spread = found["sap"].spread
    assert (spread.low, spread.high) == (min(each), max(each))
    assert spread.deviation == pytest.approx(np.std(each, ddof=1))
    assert (spread.num, spread.of) == (3, "splits")
    assert (found["mig"].interval, found["mig"].spread) == (None, None)


def test_with_a_test_part_only_solvers_are_repeated():
    test = {f"test_{k}": a for k, a in arrays(300, seed=1).items()}
    names = ("mig", "sap", "explicitness", "dci")
    found = evaluate_arrays(
        **arrays(), metrics=names, **test, seeds=(0, 1), progress=False
    )
    assert [found[name].seeds for name in names] == [(), (), (), (0, 1)]
    assert all(e.interval is None for e in found.values())
    assert found["dci"].spread.of == "solver seeds"
    assert found["sap"].spread is None


def test_the_names_of_factors_stand_in_the_table_of_votes():
    given, names = arrays(), ["shape", "scale", "x", "y"]
    small = {"num_train_votes": 40, "num_test_votes": 20, "progress": False}
    call = {**given, "metrics": ["factor_vae"], "factor_names": names, **small}
    votes = evaluate_arrays(**call)["factor_vae"].results[0]
    assert votes.factor_names == tuple(names)
    assert votes.table().splitlines()[0].split()[1:5] == names
    some = evaluate_arrays(**call, scored=["x", "shape"])["factor_vae"].results[0]
    assert some.factor_names == ("shape", "x")
    frame = pytest.importorskip("pandas").DataFrame(given["factors"], columns=names)
    call |= {"factors": frame, "factor_names": None}
    assert evaluate_arrays(**call)["factor_vae"].results[0].table() == votes.table()
    call |= {"factor_names": ["shape"]}
    assert "be 4 names" in evaluate_arrays(**call)["factor_vae"].reason


def test_factors_of_arrays_are_chosen_as_those_of_a_set():
    given, names = arrays(), ["a", "b", "c", "d"]
    some = ["mig", "active_units"]
    found = evaluate_arrays(
        **given, metrics=some, scored=["d", "b"], factor_names=names, progress=False
    )
    expected = metrics.mig_score(given["codes"], given["factors"][:, [1, 3]])
    assert found["mig"].score == expected.score
    assert found["mig"].protocol == "dlib, factors=b+d"
    assert found["active_units"].protocol == "burda"
    found = evaluate_arrays(**given, metrics=some, scored="factor2", progress=False)
    assert found["mig"].protocol == "dlib, factors=factor2"
    for scored, words in (
        (["b", "b"], "each once"),
        (["e"], "factors must be one of"),
        ([], "at least one"),
    ):
        with pytest.raises(ArgumentError, match=words):
            evaluate_arrays(**given, metrics=some, scored=scored, factor_names=names)
    turned = {**given, "factors": given["factors"].T}
    with pytest.raises(ArgumentError, match=r"pass factors\.T"):
        evaluate_arrays(**turned, metrics=some, scored=["b"], factor_names=names)
    with pytest.raises(ArgumentError, match="be given to choose from"):
        evaluate_arrays(given["codes"], None, some, scored=["b"])


def test_arrays_that_are_missing():
    codes = arrays()["codes"]
    table = evaluate_arrays(codes, None, ["unsupervised", "mig"], progress=False)
    assert table["unsupervised"].score > 0
    assert "factors must be given for mig" in table["mig"].reason
    table = evaluate_arrays(**arrays(), metrics="mig", test_codes=codes, progress=False)
    assert table["mig"].score > 0
    table = evaluate_arrays(**arrays(), metrics="sap", test_codes=codes, progress=False)
    assert "both or neither" in table["sap"].reason
    table = evaluate_arrays(**arrays(), metrics="log_evidence", progress=False)
    assert "needs a data set" in table["log_evidence"].reason


def test_columns_reach_the_metrics_that_ask():
    given = arrays()
    given["codes"] = np.column_stack([given["codes"], given["factors"][:, 0]])
    columns = [CodeColumn(f"z{d}") for d in range(6)] + [CodeColumn("c", "categorical")]
    some = ["mig", "active_units"]
    found = evaluate_arrays(**given, metrics=some, columns=columns, progress=False)
    assert "categorical" in found["mig"].protocol


def test_results_as_scalars_matrices_and_json():
    result = metrics.mig_score(**arrays())
    assert list(scalars(result)) == ["score"]
    assert list(matrices(result, 4)) == ["mutual_information"]
    assert matrices(result, 5) == {}
    other = metrics.unsupervised_scores(np.ones((9, 1)) * np.arange(9)[:, None])
    assert "gaussian_wasserstein" in scalars(other)
    infinite = metrics.unsupervised_scores(np.arange(9.0)[:, None] * [1.0, 2.0])
    row = json.loads(json.dumps(as_row({"x": infinite}), allow_nan=False))
    assert row["x"]["score"] is None
    assert row["x"]["constant"] == [False, False]
