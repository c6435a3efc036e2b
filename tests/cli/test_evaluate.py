"""bin/evaluate: on files of codes, without TensorFlow, and on runs."""

import dataclasses
import json
import pathlib
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import checks, metrics
from tf_disentangle.cli import codes_file, evaluate, main, score_table
from tf_disentangle.metrics import results
from tf_disentangle.metrics.results import summary_rows
from tf_disentangle.training.run_folder import RunFolder

SIZES = (4, 4, 3)


def to_codes(n, seed):
    factors = np.random.default_rng(seed).integers(SIZES, size=(n, 3))
    images = known.GridDataset(SIZES).render(factors)
    return known.perfect(SIZES)(images), factors


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("codes") / "codes.npz"
    codes, factors = to_codes(600, 0)
    test_codes, test_factors = to_codes(300, 1)
    np.savez(
        path,
        codes=codes,
        factors=factors,
        test_codes=test_codes,
        test_factors=test_factors,
        factor_names=["shape", "scale", "x"],
    )
    return path


def run(*arguments):
    return main.main(["evaluate", *map(str, arguments)])


def test_scores_a_file_without_tensorflow(path, tmp_path):
    code = (
        "import sys; from tf_disentangle.cli.main import main; "
        f"code = main(['evaluate', '--codes={path}', '--metrics=mig,sap', "
        f"'--output={tmp_path}']); sys.exit(code or int('tensorflow' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if "names" not in name}
    expected = metrics.sap_score(*arrays.values()).score
    assert f"{expected:.4f}" in done.stdout
    assert (tmp_path / "mig_mutual_information.png").exists()
    _, row = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert row["scores"]["sap"]["score"] == expected
    assert (row["file"], row["call"]) == (str(path), "sap()")


def test_seeds_factors_and_protocol(path, tmp_path, capsys):
    options = ["--metrics=sap,mig", "--factors=x,scale", "--protocol=dlib-verbatim"]
    assert run(f"--codes={path}", *options) == 0
    text = capsys.readouterr().out
    assert "dlib-verbatim, factors=scale+x\n" in text
    assert not list(tmp_path.iterdir())
    plain = tmp_path / "plain.npz"
    codes, factors = to_codes(600, 0)
    np.savez(plain, codes=codes + 0.3 * np.sin(99 * codes[::-1]), factors=factors)
    assert run(f"--codes={plain}", "--metrics=sap", "--seeds=3") == 0
    text = capsys.readouterr().out
    assert "rows split 2:1" in text
    head, line = text.splitlines()[:2]
    assert "least..greatest of splits" in head
    assert ".." in line and "interval" not in text


def test_codes_without_factors_have_unsupervised_scores_only(tmp_path, capsys):
    path = tmp_path / "codes.npz"
    np.savez(path, codes=np.random.default_rng(0).normal(size=(100, 3)))
    assert run(f"--codes={path}") == 0
    text = capsys.readouterr().out
    assert "unsupervised" in text
    assert "mig" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics=mgi"], "Did you mean mig"),
        (["--metrics=log_evidence"], "no arrays besides those in the file"),
        (["--metrics=mig", "--protocol=dlbi"], "Did you mean dlib"),
        (["--metrics=mig", "--factors=shpe"], "Did you mean shape"),
        (["--metrics=mig", "--factors=x,x"], "name at least one factor, and each once"),
        (["--metrics=mig", "--seeds=0"], "--seeds must be at least 1"),
        (["--sampled"], "--sampled must not be given together with --codes"),
        (["--checkpoint=best"], "--checkpoint must not be given together with --codes"),
        (["--again"], "--again must not be given together with --codes"),
        (["--trust"], "--trust must not be given together with --codes"),
        (["--gin_param=x=1"], "--gin_param must not be given together with --codes"),
        (["runs/x"], "RUN must not be given together with --codes"),
    ],
)
def test_mistakes(path, arguments, words, capsys):
    assert run(f"--codes={path}", *arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["a/run", "b/run"], ["a-run", "b-run"]),
        (["run", "b/run"], ["run", "b-run"]),
        (["/run", "x/y/run", "/y/run"], ["-run", "x-y-run", "-y-run"]),
        (["store:x", "y"], ["x", "y"]),
        (["a/x", "a/x"], ["x", "x"]),
        (["models/x.zip", "y"], ["x", "y"]),
        (["."], [pathlib.Path.cwd().name]),
        (["..", "b"], [pathlib.Path.cwd().parent.name, "b"]),
    ],
)
def test_each_run_has_a_folder_of_pictures_of_its_own(runs, names):
    assert evaluate._distinct_names(runs) == names


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"hello", "must be an .npz file that numpy.savez wrote"),
        (b"", "Write it with numpy.savez(path, codes=codes"),
        (b"PK\x03\x04" + bytes(60), "The archive is damaged"),
        ({"factors": np.zeros((3, 2))}, "must hold codes"),
        ({"code": np.zeros((3, 2))}, "Did you mean codes"),
        ({"arr_0": np.zeros((3, 2))}, "Write it with numpy.savez(path, codes=codes"),
        ({"codes": np.zeros(3)}, "codes must have shape [N, L]"),
        ({"codes": np.zeros(3)}, "codes[:, numpy.newaxis]"),
        ({"codes": np.zeros((0, 3))}, "codes must have at least 2 rows"),
        ({"codes": np.full((9, 2), 1e200)}, "codes must be at most 1e+60 in size"),
        ({"codes": np.zeros((9, 2), complex)}, "must hold real numbers"),
        (
            {"codes": np.zeros((9, 2), object)},
            "Write it with codes=codes.astype(numpy.float32)",
        ),
        (
            {"codes": np.zeros((9, 2)), "factor_names": np.array(["a"], object)},
            "Write it with factor_names=factor_names.astype(str)",
        ),
        ({"codes": np.zeros((9, 2)), "factor_names": ["a"]}, "The file has no factors"),
        (
            {"codes": np.zeros((9, 2)), "factors": np.zeros((3, 9), int)},
            "factors look transposed",
        ),
        (
            {
                "codes": np.zeros((9, 2)),
                "factors": np.zeros((9, 3), int),
                "factor_names": ["a", "b"],
            },
            "factor_names must name each of the 3",
        ),
        (
            {
                "codes": np.zeros((9, 2)),
                "factors": np.zeros((3, 9), int),
                "factor_names": ["a", "b", "c"],
            },
            "The factors look transposed: pass factors.T.",
        ),
        (
            {"codes": np.zeros((2, 900)), "column_kinds": ["continuous"] * 2},
            "They look transposed: pass codes.T",
        ),
        (
            {"codes": np.zeros((9, 2)), "column_kinds": ["continuous", "discrete"]},
            "column_kinds must be one of",
        ),
        ({"codes": np.full((9, 2), np.nan)}, "NaN or infinity in z0, z1"),
    ],
)
def test_files_that_are_something_else(tmp_path, content, words, capsys):
    path = tmp_path / "codes.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    assert run(f"--codes={path}") == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_other_files_of_numpy_and_archives_of_other_things(tmp_path, capsys):
    path = tmp_path / "codes.npy"
    np.save(path, np.zeros((9, 2)))
    assert run(f"--codes={path}") == 2
    error = capsys.readouterr().err
    assert "received 'the one array" in error
    assert "Traceback" not in error
    path = tmp_path / "codes.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("codes.npy", "1, 2, 3")
    assert run(f"--codes={path}") == 2
    assert "of other files" in capsys.readouterr().err
    np.savez_compressed(path, codes=np.random.default_rng(0).normal(size=(99, 4)))
    content = bytearray(path.read_bytes())
    content[300:310] = bytes(10)
    path.write_bytes(content)
    assert run(f"--codes={path}") == 2
    assert "The archive is damaged" in capsys.readouterr().err


def test_categorical_columns_are_read(tmp_path):
    path = tmp_path / "codes.npz"
    np.savez(path, codes=np.zeros((9, 2)), column_kinds=["continuous", "categorical"])
    kinds = [column.kind for column in codes_file.read(path).columns]
    assert kinds == ["continuous", "categorical"]


def test_names_of_metrics():
    table = {"mig": 1, "unsupervised": 2, "active_units": 3}
    assert evaluate.choose(["mig", "mig_score"], table) == ["mig"]
    assert evaluate.choose(["unsupervised_scores"], table) == ["unsupervised"]
    assert evaluate.choose(["active_units", "mig"], table) == ["active_units", "mig"]
    assert evaluate.choose(["all"], table) == list(table)
    assert evaluate.choose(["study"], table) == ["mig", "unsupervised"]
    with pytest.raises(checks.ArgumentError, match="Did you mean active_units"):
        evaluate.choose(["active_unit"], table)


def test_one_metric_that_refuses_leaves_the_others(tmp_path, capsys):
    path = tmp_path / "codes.npz"
    np.savez(path, codes=np.zeros((5, 2)), factors=np.arange(5)[:, None] % 2)
    assert run(f"--codes={path}", "--metrics=mig,sap", f"--output={tmp_path}") == 0
    text = capsys.readouterr().out
    assert "no score: codes must have at least 6 rows" in text
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    mig, sap = (json.loads(line)["scores"] for line in lines)
    assert mig["mig"]["score"] == 0
    assert "6 rows" in sap["sap"]["reason"]
    assert run(f"--codes={path}", "--metrics=sap") == 2


def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    tmp_path, monkeypatch, capsys
):
    path, blocked = tmp_path / "codes.npz", tmp_path / "file"
    np.savez(path, codes=np.zeros((9, 2)), factors=np.arange(9)[:, None] % 2)
    blocked.write_text("")

    def score(*args, **options):
        raise AssertionError("it began to score")

    monkeypatch.setattr(metrics, "evaluate_arrays", score)
    assert run(f"--codes={path}", "--metrics=mig", f"--output={blocked}/scores") == 2
    assert "--output must be writable" in capsys.readouterr().err


def test_each_result_of_a_file_is_written_as_it_ends(tmp_path, monkeypatch):
    path = tmp_path / "codes.npz"
    np.savez(path, codes=np.zeros((9, 2)), factors=np.arange(9)[:, None] % 2)

    def killed(*args, **options):
        raise KeyboardInterrupt

    broken = dataclasses.replace(metrics.METRICS["sap"], function=killed)
    monkeypatch.setitem(metrics.METRICS, "sap", broken)
    assert run(f"--codes={path}", "--metrics=mig,sap", f"--output={tmp_path}") == 130
    (row,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(row)["call"] == "mig()"


def test_text_factors_votes_and_bounds_of_a_file(tmp_path, capsys):
    path = tmp_path / "codes.npz"
    codes, factors = to_codes(300, 0)
    text = np.array(["red", "green", "blue", "grey"])[factors]
    np.savez(path, codes=codes, factors=text)
    options = ["--metrics=factor_vae,mig", "--bounds", "--protocol=chyvae"]
    assert run(f"--codes={path}", *options) == 0
    text = capsys.readouterr().out
    head, first, *_ = text.splitlines()
    assert "floor" in head and "ceiling" in head and "place" in head
    assert first.startswith("factor_vae") and "fixed=rows, rows split 2:1" in first
    assert "1.00" in first


def test_rows_of_seeds_spreads_and_bounds():
    codes, factors = to_codes(300, 0)
    table = metrics.evaluate_arrays(
        codes, factors, ["mig", "sap"], seeds=(0, 1), bounds=True, progress=False
    )
    rows = summary_rows(table, step=7)
    assert [row["step"] for row in rows] == [7] * len(rows)
    (spreads,) = [row["spreads"] for row in rows if "spreads" in row]
    assert spreads["sap"]["num"] == 2
    (bounds,) = [row["bounds"] for row in rows if "bounds" in row]
    assert bounds["mig"]["ceiling"] > 0.9 and bounds["mig"]["untrained"] is None
    assert not any("intervals" in row for row in rows)
    json.dumps(rows, allow_nan=False)


def test_results_that_a_file_has_already():
    about = {"step": 7, "codes": "mean"}
    rows = [
        {"step": 7, "loss": 3.0},
        {"step": 7, "call": "mig()", "scores": {"mig": {"score": 0.5}}},
        {**about, "call": "dci()", "scores": {"dci": {"score": 0.7}}},
        {**about, "call": "sap()", "scores": {"sap": {"reason": "too few rows"}}},
        {**about, "codes": "sampled", "call": "x()", "scores": {"x": {"score": 0}}},
        {**about, "step": 8, "call": "dci()", "scores": {"dci": {"score": 0.1}}},
        {"step": 7, "scores": {"units": {"score": 3}}},
    ]
    expected = {"mig()": {"score": 0.5}, "dci()": {"score": 0.7}}
    assert results.results_by_call(rows, 7, "mean") == expected
    assert results.results_by_call(rows, 7, "sampled") == {"x()": {"score": 0}}


def test_several_runs_in_one_table():
    codes, factors = to_codes(90, 0)
    tables = {
        name: metrics.evaluate_arrays(codes, factors, chosen, progress=False)
        for name, chosen in (("runs/a", ["mig"]), ("runs/long", ["mig", "irs"]))
    }
    head, first, second = score_table.side_by_side(tables).splitlines()
    assert head.split() == ["run", "mig", "irs"]
    assert first.split() == ["runs/a", f"{tables['runs/a']['mig'].score:.4f}", "-"]
    assert len(head) == len(first) == len(second)


def test_terms_are_those_up_to_the_step():
    rows = [
        {"step": 2, "val_elbo": -9.0, "val_kl": 4.0},
        {"step": 4, "loss": 3.0},
        {"step": 6, "val_elbo": -5.0, "val_kl": 2.0},
    ]
    assert "Held out at step 2, nats per image: elbo -9, kl 4" in score_table.terms(
        rows, 4
    )
    assert "elbo -5" in score_table.terms(rows, 6)
    assert "No held-out terms" in score_table.terms(rows, 1)


def test_metrics_of_a_run_with_gins_bindings_and_of_the_users_module(
    tmp_path, monkeypatch
):
    (tmp_path / "my_scores_module.py").write_text(
        "import gin\n\n@gin.register\ndef my_score(data, encoder, scale=1):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = tmp_path / "config.gin"
    config.write_text(
        "import my_scores_module\n"
        "train.metrics = [@mig_score, @factor_vae_score]\n"
        "mig_score.num_train = 300\n"
        "factor_vae_score.protocol = 'chyvae'\n"
    )
    (tmp_path / "run.json").write_text("{}")  # It is a run's own file.
    run = types.SimpleNamespace(folder=RunFolder(tmp_path))

    def calls(names=(), protocol=None, gin_param=()):
        values = types.SimpleNamespace(
            metrics=list(names), protocol=protocol, gin_param=list(gin_param)
        )
        return metrics.calls_of(evaluate._metrics_of(run, values))

    mig, votes = calls()
    assert (mig.name, dict(mig.options)) == ("mig", {"num_train": 300})
    assert (votes.name, dict(votes.options)) == ("factor_vae", {"protocol": "chyvae"})
    mig, mine = calls(["mig", "my_score"], gin_param=["mig_score.num_train = 5"])
    assert dict(mig.options) == {"num_train": 5}
    assert mine.metric is None and mine.name == "my_score"
    (votes,) = calls(["factor_vae"], protocol="dlib")
    assert dict(votes.options) == {"protocol": "dlib"}
    with pytest.raises(checks.ArgumentError, match="Did you mean mig"):
        calls(["mgi"])
    for bound in ("train.metrics = []\n", "train.steps = 5\n"):
        config.write_text(bound)
        with pytest.raises(checks.ArgumentError, match="--metrics=all"):
            calls()
