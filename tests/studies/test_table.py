"""The table of a study against rows that were written by hand."""

import collections
import json
import logging
import math
import pathlib
import subprocess
import sys
import types

import numpy as np
import pandas as pd
import pytest

from tests.studies.folders import score, terms, write_plan, write_run
from tests.studies.tables import COLUMNS, planted
from tf_disentangle.checks import ArgumentError
from tf_disentangle.cli import study_publish
from tf_disentangle.studies import run_rows, table

A, B, C = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


@pytest.fixture
def study(tmp_path):
    """Two runs that are done and one that trains."""
    runs = [(A, "vae", None, "rooms", 0), (B, "beta_vae", 4.0, "rooms", 1)]
    runs.append((C, "beta_vae", 4.0, "rooms", 2))
    write_plan(tmp_path, runs, beta_vae__beta=[None, 4.0, 4.0])
    write_run(
        tmp_path,
        A,
        [
            terms(100, 90.0, held_out=91.0, kl=[0.5, 0.02, 0.01]),
            score(100, "mig", 0.1),
            terms(200, 80.0),
            terms(300, 70.0, held_out=71.0, kl=[0.5, 0.009, 0.0]),
            score(300, "mig", 0.2, seed=0),
            score(300, "mig", 0.4, seed=1),
            score(300, "dci", 0.5, completeness=0.6, importance=[[0.1]]),
            score(300, "dci", 0.55, codes="sampled"),
            score(300, "downstream", 0.9, by_size={"10": 0.3, "100": 0.9}),
            {
                "step": 300,
                "codes": "mean",
                "bounds": {
                    "mig": {"noise": 0.01, "untrained": 0.05, "ceiling": 1.0},
                    "dci": {"noise": 0.2, "untrained": None, "ceiling": 0.9},
                },
            },
        ],
    )
    refusal = {"score": None, "name": "sap", "reason": "one value only"}
    unsupervised = {"score": 1.5, "protocol": "dlib"}
    write_run(
        tmp_path,
        B,
        [
            terms(300, 60.0),
            {"step": 300, "scores": {"sap": refusal}, "calls": {"sap": "sap(seed=3)"}},
            {
                "step": 300,
                "call": "unsupervised()",
                "scores": {"unsupervised": unsupervised},
            },
        ],
    )
    write_run(tmp_path, C, [terms(100, 99.0)], done=False)
    return tmp_path


def one(rows, **wanted):
    """The only row with these values."""
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def test_columns_are_as_agreed(study):
    found = table.collect(study)
    assert list(found.columns) == [*COLUMNS, "beta_vae.beta"]
    same = planted(seeds=1).dtypes[COLUMNS].astype(str)
    assert (found.dtypes[COLUMNS].astype(str) == same).all()
    assert table.bindings_of(found) == ["beta_vae.beta"]
    # In the order of the plan, and of runs that are done alone.
    assert list(found["run"].unique()) == [A, B]


def test_terms_of_the_last_step(study):
    found = table.collect(study)
    own = found[found["run"] == A]
    assert (own["step"] == 300).all()
    assert one(own, kind="term", metric="loss")["value"] == 70.0
    assert one(own, kind="held_out", metric="loss")["value"] == 71.0
    assert one(own, kind="held_out", metric="reconstruction")["value"] == 66.0
    # Of [0.5, 0.009, 0] nats one is above 0.01.
    assert one(own, metric="active_latents")["value"] == 1.0
    assert not own["metric"].isin(["wall_time", "images_per_second", "step"]).any()
    assert not ((found["run"] == B) & (found["kind"] == "held_out")).any()


def test_scores_seeds_and_representations_are_apart(study):
    own = table.collect(study).query("run == @A and kind == 'score'")
    migs = own[own["metric"] == "mig"]
    assert dict(zip(migs["metric_seed"], migs["value"], strict=True)) == {
        0: 0.2,
        1: 0.4,
    }
    assert one(own, metric="dci", representation="mean")["value"] == 0.5
    assert one(own, metric="dci", representation="sampled")["value"] == 0.55
    assert one(own, metric="dci.completeness")["value"] == 0.6
    assert one(own, metric="downstream.by_size.10")["value"] == 0.3
    assert not own["metric"].str.contains("importance").any()


def test_floors_and_ceilings(study):
    own = table.collect(study).query("run == @A and representation == 'mean'")
    migs = own[own["metric"] == "mig"]
    assert (migs["floor"] == 0.05).all()  # the greater of noise and untrained networks
    assert (migs["ceiling"] == 1.0).all()
    dci = one(own, metric="dci")
    assert (dci["floor"], dci["ceiling"]) == (0.2, 0.9)
    assert math.isnan(one(own, metric="dci.completeness")["floor"])
    assert math.isnan(one(own, metric="downstream")["floor"])


def test_bounds_of_scores_that_were_kept_from_before(study):
    """`bin/evaluate --bounds` computes no score again that is there."""
    limits = {"mig": {"noise": 0.1, "untrained": 0.0, "ceiling": 1.0}}
    rows = [terms(300, 1.0), score(300, "mig", 0.5), score(300, "dci", 0.5)]
    # The training's own line has no bounds; then come those of the command.
    rows = [rows[0], {k: v for k, v in rows[1].items() if k != "codes"}, rows[2]]
    rows.append({"step": 300, "codes": "mean", "bounds": {"dci": limits["mig"]}})
    rows.append({"step": 300, "codes": "mean", "bounds": limits})
    write_run(study, B, rows)
    assert one(table.collect(study), run=B, metric="mig")["floor"] == 0.1
    # All anew, with others.
    limits = {"mig": {"noise": 0.2, "untrained": 0.0, "ceiling": 1.0}}
    rows += [score(300, "mig", 0.6), {"step": 300, "codes": "mean", "bounds": limits}]
    write_run(study, B, rows)
    row = one(table.collect(study), run=B, metric="mig")
    assert (row["value"], row["floor"]) == (0.6, 0.2)


def test_a_refusal_has_its_reason(study):
    row = one(table.collect(study), run=B, metric="sap")
    assert math.isnan(row["value"])
    assert row["reason"] == "one value only"
    assert row["metric_seed"] == 3


def test_unsupervised_scores_are_told_apart(study):
    row = one(table.collect(study), run=B, metric="unsupervised")
    assert row["kind"] == "unsupervised"
    assert row["representation"] == "mean"


def test_two_protocols_and_two_calls_of_one_protocol(study):
    again = {"score": 0.7, "protocol": "dlib"}
    rows = [
        terms(300, 1.0),
        score(300, "mig", 0.1),
        score(300, "mig", 0.2, protocol="other"),
        {"step": 300, "codes": "mean", "call": "sap(num_train=9, seed=0)",
         "scores": {"sap": {"score": 0.3, "protocol": "dlib"}}},
        {"step": 300, "codes": "mean", "call": "sap(num_train=5, seed=0)",
         "scores": {"sap": {"score": 0.4, "protocol": "dlib"}}},
        score(300, "dci", 0.5),
        {**score(300, "dci", 0.5), "scores": {"dci": again}},
    ]  # fmt: skip
    write_run(study, B, rows)
    own = table.collect(study).query("run == @B")
    assert one(own, metric="mig", protocol="dlib")["value"] == 0.1
    assert one(own, metric="mig", protocol="other")["value"] == 0.2
    assert one(own, protocol="dlib; sap(num_train=9)")["value"] == 0.3
    assert one(own, protocol="dlib; sap(num_train=5)")["value"] == 0.4
    assert one(own, metric="dci")["value"] == 0.7  # the later of one call


def test_curves_have_all_steps_and_runs(study):
    table.collect(study)
    curves = table.read_curves(study)
    loss = curves.query("run == @A and metric == 'loss'")
    trained = loss[loss["kind"] == "term"]
    assert dict(zip(trained["step"], trained["value"], strict=True)) == {
        100: 90.0, 200: 80.0, 300: 70.0,
    }  # fmt: skip
    assert list(loss[loss["kind"] == "held_out"]["value"]) == [91.0, 71.0]
    migs = curves.query("run == @A and metric == 'mig'")["value"]
    assert list(migs) == pytest.approx([0.1, 0.3])  # of two seeds their mean
    assert list(curves.query("run == @C and metric == 'loss'")["value"]) == [99.0]
    assert set(table.read_curves(study, ["loss"])["metric"]) == {"loss"}


def test_curves_are_of_one_call_and_its_last_results(study):
    """The training's own: two seeds, one scored again, and another protocol later."""
    rows = [terms(100, 1.0), score(100, "mig", 0.1, seed=0), terms(200, 1.0)]
    rows += [score(200, "mig", 0.2, seed=0), score(200, "mig", 0.9, seed=1)]
    rows += [score(200, "mig", 0.4, seed=1), score(200, "mig", 0.8, protocol="b")]
    write_run(study, B, rows)
    table.collect(study)
    curve = table.read_curves(study, ["mig"]).query("run == @B")
    assert list(curve["value"]) == pytest.approx([0.1, 0.3])


def test_long_curves_are_thinned_and_keep_their_ends(study):
    rows = [
        terms(s, 1.0 * s, 2.0 * s if s % 100 == 0 else None) for s in range(1, 3001)
    ]
    write_run(study, B, rows)
    table.collect(study)
    own = table.read_curves(study).query("run == @B and metric == 'loss'")
    trained, held_out = (own[own["kind"] == k] for k in ("term", "held_out"))
    assert len(held_out) == 30  # all of them
    assert len(trained) <= run_rows.CURVE_POINTS + 30
    assert {1, 3000} <= set(trained["step"])
    assert (trained["value"] == trained["step"]).all()


def test_only_what_changed_is_read_again(study, monkeypatch):
    read = []
    original = run_rows.add_run
    monkeypatch.setattr(
        run_rows, "add_run", lambda run, *a: (read.append(run), original(run, *a))
    )
    first = table.collect(study)
    assert read == [A, B, C]
    pd.testing.assert_frame_equal(table.collect(study), first)
    assert read == [A, B, C]
    write_run(study, C, [terms(100, 99.0), terms(300, 50.0)])
    found = table.collect(study)
    assert read == [A, B, C, C]
    assert one(found, run=C, metric="loss")["value"] == 50.0
    pd.testing.assert_frame_equal(
        found[found["run"] != C].reset_index(drop=True), first
    )


def test_a_run_in_another_part_is_its_own(study, monkeypatch):
    whole = table.collect(study)
    monkeypatch.setattr(table, "RUNS_PER_PART", 1)
    for path in (study / "results").glob("*.parquet"):
        path.unlink()
    pd.testing.assert_frame_equal(table.collect(study), whole)
    assert len(list((study / "results").glob("results-*.parquet"))) == 3
    # A shorter plan again: parts of the longer one are no part of it.
    monkeypatch.setattr(table, "RUNS_PER_PART", 1_000)
    pd.testing.assert_frame_equal(table.collect(study), whole)
    assert len(list((study / "results").glob("results-*.parquet"))) == 1


def test_a_longer_plan_keeps_what_was_read(study):
    table.collect(study)
    runs = [(A, "vae", None, "rooms", 0), (B, "beta_vae", 4.0, "rooms", 1)]
    write_plan(study, runs, beta_vae__beta=[None, 4.0], train__batch_size=[64, 32])
    found = table.collect(study)
    assert one(found, run=B, metric="loss")["train.batch_size"] == 32
    assert not (found["run"] == C).any()


def test_half_a_line_is_no_error(study):
    with open(study / "runs" / A / "metrics.jsonl", "a") as file:
        file.write('{"step": 400, "loss": 1')
    assert (table.collect(study).query("run == @A")["step"] == 300).all()


@pytest.mark.parametrize(
    "line", ['{"step": 1, "loss": }', '{"loss": 1}', "[1]", '{"step": 1} {"step": 2}']
)
def test_a_damaged_run_is_named_and_left_out(study, caplog, line):
    path = study / "runs" / B / "metrics.jsonl"
    path.write_text(f'{line}\n{{"step": 5, "loss": 1.0}}\n')
    with caplog.at_level(logging.WARNING):
        found = table.collect(study)
    assert set(found["run"]) == {A}
    assert B in caplog.text
    assert "line 1" in caplog.text


def test_what_a_killed_process_left_is_mended(study):
    whole = table.collect(study)
    parts = study / "results"
    (parts / ".results-00000.0123abcd.tmp.parquet").write_bytes(b"half")
    (parts / "results-00000.parquet").write_bytes(b"damaged")
    (study / "results.parquet").unlink()
    pd.testing.assert_frame_equal(table.collect(study), whole)
    assert not list(parts.glob(".*.tmp*"))


@pytest.mark.parametrize("where", ["_write_results", "_write_curves"])
def test_a_collect_that_was_killed_is_made_up_for(study, monkeypatch, where):
    table.collect(study)
    write_run(study, C, [terms(300, 50.0)])
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def killed(*_):
            raise KeyboardInterrupt

        patched.setattr(table, where, killed)
        table.collect(study)
    assert one(table.collect(study), run=C, metric="loss")["value"] == 50.0
    curve = table.read_curves(study, ["loss"]).query("run == @C")
    assert list(curve["value"]) == [50.0]


def test_two_processes_collect_one_after_the_other(study):
    root = pathlib.Path(__file__).parents[2]
    code = f"from tf_disentangle.studies import table; table.collect({str(study)!r})"
    with subprocess.Popen([sys.executable, "-c", code], cwd=root) as other:
        while other.poll() is None:
            assert set(table.collect(study)["run"]) == {A, B}
    assert other.returncode == 0
    assert set(table.read(study)["run"]) == {A, B}


def test_the_best_run_to_publish(study):
    """By one protocol, of mean codes, over the seeds of the metric."""
    Run = collections.namedtuple("Run", "id method data")
    runs = [Run(A, "vae", "rooms"), Run(B, "beta_vae", "rooms")]
    runs.append(Run(C, "beta_vae", "rooms"))
    row = {run.id: [terms(300, 1.0)] for run in runs}
    for run, values in ((A, (0.1, 0.1)), (B, (0.5, 0.6)), (C, (0.9, 0.1))):
        row[run] += [score(300, "mig", v, seed=i) for i, v in enumerate(values)]
    row[C] += [score(300, "mig", 1.0, codes="sampled")]
    row[C] += [score(300, "mig", 1.0, protocol="other")]
    for run in (A, B, C):
        write_run(study, run, row[run])
    plan = types.SimpleNamespace(folder=study)
    assert study_publish.best(plan, runs, "mig") == runs[:2]
    assert study_publish.best(plan, runs[2:], "mig") == runs[2:]
    with pytest.raises(ArgumentError, match="Did you mean mig"):
        study_publish.best(plan, runs, "mgi")


def test_the_benchmark_leaves_real_studies_alone(study):
    (study / "study.json").write_text("{}")
    root = pathlib.Path(__file__).parents[2]
    command = [sys.executable, root / "benchmarks/studies.py", f"--folder={study}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "must not be a real study" in done.stderr
    assert (study / "runs" / A / "done.json").exists()


def test_reading_and_its_errors(study, tmp_path_factory):
    with pytest.raises(ArgumentError, match="collect"):
        table.read(study)
    table.collect(study)
    assert list(table.read(study, ["run", "value"]).columns) == ["run", "value"]
    with pytest.raises(ArgumentError, match="plan"):
        table.collect(tmp_path_factory.mktemp("none"))


def test_a_study_without_results(tmp_path):
    write_plan(tmp_path, [(A, "vae", 1.0, "rooms", 0)])
    assert len(table.collect(tmp_path)) == 0
    assert len(table.read_curves(tmp_path)) == 0


def test_rows_of_no_single_run(study):
    rows = run_rows.Results()
    rows.add(A, 300, "unsupervised", "udr", value=0.5, representation="mean")
    rows.add("of no plan", 300, "unsupervised", "udr", value=0.1)
    table.add_rows(study, "udr", rows, {"about": "x"})
    assert one(table.collect(study), metric="udr")["value"] == 0.5
    added, notes = table.read_added(study, "udr")
    assert added.num_rows == 2
    assert notes["about"] == "x"


def test_the_rows_of_a_real_run():
    """Every line of a file that the library wrote is understood."""
    own = pathlib.Path(__file__).parents[1] / "golden"
    lines = (own / "run_rows.jsonl").read_text().splitlines()
    rows = list(map(json.loads, lines))
    results, curves = run_rows.Results(), run_rows.Curves()
    run_rows.add_run("x", own / "run_rows.jsonl", results, curves)
    found = results.table().to_pandas()
    last = rows[-1]["step"]
    ends = {k: v for row in rows for k, v in row.items() if row["step"] == last}
    for name, value in ends.items():
        if isinstance(value, float) and name not in ("wall_time", "images_per_second"):
            kind = "held_out" if name.startswith("val_") else "term"
            row = one(found, kind=kind, metric=name.removeprefix("val_"))
            assert row["value"] == value
    assert (
        one(found, metric="factor_vae")["value"]
        == ends["scores"]["factor_vae"]["score"]
    )
    assert one(found, metric="factor_vae")["protocol"] == "chyvae"
    assert one(found, metric="factor_vae.train_score")["metric_seed"] == 0
    steps = sorted(row["step"] for row in rows if "loss" in row)
    own = curves.table().to_pandas().query("metric == 'loss' and kind == 'term'")
    assert list(own["step"]) == steps


def test_not_finite_values(study):
    rows = [terms(300, math.nan), score(300, "mig", None), score(300, "dci", math.inf)]
    write_run(study, B, rows)
    own = table.collect(study).query("run == @B")
    assert np.isnan(one(own, metric="mig")["value"])
    assert np.isinf(one(own, metric="dci")["value"])
    assert np.isnan(one(own, metric="loss", kind="term")["value"])
