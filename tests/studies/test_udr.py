"""UDR over the runs of a study: what `metrics.udr_score` says of the same codes."""

import math

import numpy as np
import pytest

from tests.studies.folders import terms, write_plan, write_run
from tf_disentangle import metrics
from tf_disentangle.checks import ArgumentError
from tf_disentangle.cli import study_udr
from tf_disentangle.studies import table, udr

KL = [1.0, 1.0, 0.5, 0.001]


@pytest.fixture
def study(tmp_path):
    """Aligned codes at strength 1, rotated ones at 2, one run alone at 3."""
    rng = np.random.default_rng(0)
    z = rng.uniform(-1, 1, (300, 4))
    runs, codes = [], {}
    for strength, seeds in ((1.0, 3), (2.0, 3), (3.0, 1)):
        for seed in range(seeds):
            run = f"{int(strength)}{seed}"
            runs.append((run, "vae", strength, "rooms", seed))
            turned = np.linalg.qr(rng.normal(size=(4, 4)))[0]
            aligned = np.eye(4)[rng.permutation(4)] * rng.choice([-1, 1], 4)
            codes[run] = z @ (aligned if strength == 1 else turned)
            codes[run] = codes[run].astype(np.float32)
            place = write_run(tmp_path, run, [terms(10, 1.0, 1.0, KL), terms(20, 1.0)])
            write_codes(place, codes[run])
    write_plan(tmp_path, runs, vae__beta=[run[2] for run in runs])
    return tmp_path, codes


def write_codes(place, codes, indices=None):
    indices = np.arange(len(codes)) if indices is None else indices
    np.savez(place / "codes.npz", codes=codes, factors=codes, indices=indices)


def scores_of(rows, metric="udr"):
    return rows[rows["metric"] == metric].set_index("run")["value"]


def test_seeds_are_compared_as_the_metric_does(study):
    folder, codes = study
    rows = udr.rank_runs(folder, progress=False)
    found = scores_of(rows)
    for strength in "12":
        names = [f"{strength}{seed}" for seed in range(3)]
        expected = metrics.udr_score([codes[n] for n in names], [np.array(KL)] * 3)
        assert found[names].tolist() == expected.model_scores.tolist()
        assert set(rows["protocol"]) >= {expected.protocol}
    assert found[["10", "11", "12"]].min() > found[["20", "21", "22"]].max()


def test_a_run_alone_has_a_reason(study):
    row = udr.rank_runs(study[0], progress=False).set_index("run").loc["30"]
    assert math.isnan(row["value"])
    assert row["reason"] == "no other run to compare it with"


def test_rows_are_in_the_table_of_results(study):
    folder, _ = study
    rows = udr.rank_runs(folder, progress=False)
    found = table.read(folder)
    own = found[found["metric"] == "udr"]
    assert len(own) == len(rows) == 7
    assert set(own["kind"]) == {"unsupervised"}
    assert set(own["representation"]) == {"mean"}
    assert set(own["step"]) == {20}
    assert (found["kind"] == "term").any()


def test_all_strengths_of_a_method(study):
    folder, codes = study
    rows = udr.rank_runs(folder, all_strengths=True, progress=False)
    expected = metrics.udr_score(list(codes.values()), [np.array(KL)] * 7)
    found = scores_of(rows, "udr_all_strengths")
    assert found[list(codes)].tolist() == expected.model_scores.tolist()
    assert len(scores_of(rows)) == 7
    # They stay when only the others are asked for.
    assert len(udr.rank_runs(folder, progress=False)) == 7
    assert scores_of(table.read(folder), "udr_all_strengths").equals(found)


def test_without_the_kl_every_latent_counts(study):
    folder, codes = study
    write_run(folder, "11", [terms(20, 1.0)])
    rows = udr.rank_runs(folder, similarity="spearman", progress=False)
    expected = metrics.udr_score(
        [codes[n] for n in ("10", "11", "12")], similarity="spearman"
    )
    assert (
        scores_of(rows)[["10", "11", "12"]].tolist() == expected.model_scores.tolist()
    )
    protocols = rows.set_index("run")["protocol"]
    assert protocols["10"] == "udr, spearman, every latent"
    assert protocols["20"] == "udr, spearman"


def test_what_cannot_be_compared_has_its_reason(study):
    folder, codes = study
    (folder / "runs/10/codes.npz").unlink()
    (folder / "runs/20/codes.npz").write_bytes(b"damaged")
    write_codes(folder / "runs/22", codes["22"], np.arange(300) + 1)
    rows = udr.rank_runs(folder, progress=False).set_index("run")
    assert rows.loc["10", "reason"] == "it has no codes.npz"
    assert "cannot be read" in rows.loc["20", "reason"]
    assert rows.loc["22", "reason"] == "its codes are of other images"
    assert rows.loc["21", "reason"] == "no other run to compare it with"
    assert rows.loc[["11", "12"], "value"].notna().all()


def test_a_first_run_of_other_images_does_not_take_the_others_along(study):
    folder, codes = study
    write_codes(folder / "runs/10", codes["10"], np.arange(300) + 1)
    rows = udr.rank_runs(folder, progress=False).set_index("run")
    assert rows.loc["10", "reason"] == "its codes are of other images"
    assert rows.loc[["11", "12"], "value"].notna().all()


def test_only_new_groups_are_computed(study, monkeypatch):
    folder, codes = study
    first = udr.rank_runs(folder, progress=False)
    computed = []

    def counting(codes, *arguments, **options):
        computed.append(len(codes))
        return metrics.udr_score(codes, *arguments, **options)

    monkeypatch.setattr(udr, "udr_score", counting)
    assert udr.rank_runs(folder, progress=False).equals(first)
    assert computed == []
    write_codes(folder / "runs/21", codes["21"] * 2.0)
    udr.rank_runs(folder, progress=False)
    assert computed == [3]
    udr.rank_runs(folder, similarity="spearman", progress=False)
    assert computed == [3, 3, 3]


def test_what_was_computed_before_a_stop_is_kept(study, monkeypatch):
    folder, _ = study
    whole = scores_of(udr.rank_runs(folder, progress=False))
    (folder / "results" / "added-udr.parquet").unlink()
    calls = []

    def stopped(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return metrics.udr_score(*arguments, **options)

    monkeypatch.setattr(udr, "udr_score", stopped)
    with pytest.raises(KeyboardInterrupt):
        udr.rank_runs(folder, progress=False)
    kept = scores_of(table.read(folder))
    assert set(kept.index) == {"10", "11", "12"}
    again = scores_of(udr.rank_runs(folder, progress=False))
    assert len(calls) == 3  # the first group was not computed again
    assert again.equals(whole)


def test_a_stop_takes_no_scores_of_before_along(study, monkeypatch):
    """Nor does another similarity under way make old scores look new."""
    folder, _ = study
    whole = scores_of(udr.rank_runs(folder, progress=False))
    calls = []

    def stopped(*arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return metrics.udr_score(*arguments, **options)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(udr, "udr_score", stopped)
        udr.rank_runs(folder, similarity="spearman", progress=False)
    rows = table.read(folder).query("metric == 'udr'").set_index("run")
    first = rows["protocol"].str.contains("spearman")
    assert set(rows[first].index) == {"10", "11", "12"}
    assert rows["value"][~first].equals(whole[~first])
    assert scores_of(udr.rank_runs(folder, progress=False)).equals(whole)


def test_a_study_of_which_nothing_is_done(tmp_path):
    write_plan(tmp_path, [("10", "vae", 1.0, "rooms", 0)])
    with pytest.raises(ArgumentError, match="a run that is done"):
        udr.rank_runs(tmp_path)


def test_the_command(study, capsys):
    folder, _ = study
    values = study_udr.FLAGS
    values(["study_udr", f"--study={folder}", "--all_strengths"])
    assert study_udr.main(values) == 0
    text = capsys.readouterr().out
    assert "udr: 6 of 7 runs" in text
    assert "rooms vae vae.beta=1.0: mean" in text
    assert "1 without a score: no other run to compare it with" in text
    assert "udr_all_strengths: 7 of 7 runs" in text
