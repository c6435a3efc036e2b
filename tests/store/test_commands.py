"""A published model wherever a command takes a RUN."""

import functools
import json
import os
import pathlib
import subprocess
import sys
import time
import tracemalloc
import webbrowser
import zipfile

import numpy as np
import pytest

import tf_disentangle as td
from tests import undrawn
from tests.store import published
from tests.studies.folders import write_plan
from tf_disentangle import checks, store
from tf_disentangle.cli import compare, encode, main, serve, study_publish
from tf_disentangle.store import index, places


def told(capsys, *options):
    """Runs a command; returns its code and what it printed."""
    code = main.main([str(option) for option in options])
    return code, capsys.readouterr()


@pytest.fixture
def stored(folder, monkeypatch):
    """The published model as one that comes with the library."""
    monkeypatch.setattr(places, "_MODELS", folder.parent)
    return f"{store.PREFIX}{folder.name}"


def state(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_publish_writes_what_load_reads(trained, tmp_path, capsys, data):
    output = tmp_path / "my models" / "given"
    options = (f"--output={output}", "--noexplorer", "--noonnx", "--license=mit")
    code, said = told(capsys, "publish", trained.folder, *options)
    assert (code, said.out) == (0, f"{output}\n")
    assert f"hf upload USER/given '{output}'" in said.err
    assert f"explore '{output}'" in said.err
    images = data.images()[:3]
    loaded = td.load(output)
    np.testing.assert_array_equal(loaded.encode(images), trained.encode(images))
    code, said = told(capsys, "publish", trained.folder, *options)
    assert code == 2 and "--output must be new" in said.err
    code, said = told(capsys, "publish", trained.folder, "--output=x.rar")
    assert code == 2 and "--output must be a folder or end in .zip" in said.err
    options = ("--output=x", "--license=apache")
    code, said = told(capsys, "publish", trained.folder, *options)
    assert code == 2 and "--license must be" in said.err and "Loading" not in said.err
    code, said = told(capsys, "publish", trained.folder)
    assert code == 2 and "--output must be given" in said.err


def test_evaluate_scores_anew_and_adds_nothing(folder, stored, capsys):
    before = state(folder)
    code, said = told(capsys, "evaluate", stored, "--metrics=active_units")
    assert code == 0 and "active_units" in said.out
    assert state(folder) == before


VOTES = {"num_train_votes": 40, "num_test_votes": 30}
OTHER_VOTES = {"num_train_votes": 20, "num_test_votes": 20}


def of_mine(dataset, encode):
    return td.metrics.unsupervised_scores(encode(dataset.images()[:50]))


def test_a_metric_has_the_options_that_the_run_was_scored_with(data, tmp_path, capsys):
    metric = functools.partial(
        td.metrics.factor_vae_score, protocol="chyvae", seed=3, **VOTES
    )
    # What a user's own metric needs may be missing, which is nothing to the others.
    options = {"metrics": [metric, of_mine, "mig"], **published.SETTINGS}
    run = td.train(published.build("chyvae"), data, **options)
    folder = run.publish(tmp_path / "scored", **published.SMALL)
    expected = run.scores["factor_vae"]
    assert expected.protocol == "chyvae, num_train_votes=40, num_test_votes=30"
    for again in (run, td.load(folder)):
        for name in ("factor_vae", "factor_vae_score"):
            score = again.score(name)["factor_vae"]
            assert (score.protocol, score.score) == (expected.protocol, expected.score)
        score = again.score("factor_vae", protocol="dlib", **OTHER_VOTES)["factor_vae"]
        assert score.protocol == "dlib, num_train_votes=20, num_test_votes=20"
    command = ("evaluate", folder, "--metrics=factor_vae")
    code, said = told(capsys, *command)
    assert code == 0 and f"  {expected.protocol}\n" in said.out
    # What is given counts, whichever way.
    others = [f"--gin_param=factor_vae_score.{k}={v}" for k, v in OTHER_VOTES.items()]
    code, said = told(capsys, *command, others[1])
    wanted = "  chyvae, num_train_votes=40, num_test_votes=20\n"
    assert code == 0 and wanted in said.out
    wanted = "  dlib, num_train_votes=20, num_test_votes=20\n"
    for option in ("--protocol=dlib", "--gin_param=factor_vae_score.protocol='dlib'"):
        code, said = told(capsys, *command, option, *others)
        assert code == 0 and wanted in said.out, option


def test_of_a_metric_that_is_named_plainly_first_no_options_are_taken(data, tmp_path):
    small = functools.partial(td.metrics.mig_score, num_train=50)
    options = {"metrics": ["mig", small], "output": tmp_path / "run"}
    options.update(published.SETTINGS)
    model = published.build("chyvae")
    begun = td.train(model, data, dry_run=True, **options)
    assert begun.score("mig")["mig"].protocol == "dlib", "before there is a record"
    run = undrawn.train(model, data, **options)
    for again in (run, td.load(run.folder.path)):
        assert again.score("mig")["mig"].protocol == "dlib"


def test_no_module_is_imported_for_the_name_of_a_metric(data, tmp_path):
    """Options of a published record are made of known parts alone."""
    small = functools.partial(td.metrics.mig_score, num_train=50)
    options = {"metrics": [small], **published.SETTINGS}
    run = td.train(published.build("chyvae"), data, **options)
    folder = run.publish(tmp_path / "hostile", **published.SMALL)
    assert td.load(folder).score("mig")["mig"].protocol == "dlib, num_train=50"

    def hostile(record):
        kwargs = record["training"]["metrics"][0]["kwargs"]
        kwargs["num_bins"] = {"function": "this.s"}

    published.change_record(folder, hostile)
    sys.modules.pop("this", None)
    assert td.load(folder).score("mig")["mig"].protocol == "dlib"
    assert main.main(["evaluate", str(folder), "--metrics=mig"]) == 0
    assert "this" not in sys.modules
    for nonsense in (None, 3, [3], ["nothing"], [{"function": ["this.s"]}]):
        record = {"metrics": nonsense}
        published.change_record(folder, lambda r, m=record: r["training"].update(m))
        assert td.load(folder).score("mig")["mig"].protocol == "dlib", nonsense


def test_of_two_protocols_of_a_metric_its_name_means_the_first(data):
    calls = [
        functools.partial(td.metrics.factor_vae_score, protocol=protocol, **VOTES)
        for protocol in ("chyvae", "dlib")
    ]
    options = {"metrics": calls, **published.SETTINGS}
    run = td.train(published.build("chyvae"), data, **options)
    _, second = run.scores
    assert run.score("factor_vae")["factor_vae"].protocol.startswith("chyvae")
    with pytest.raises(checks.ArgumentError, match="Did you mean factor_vae"):
        run.score(second)


def test_explore_makes_a_page_elsewhere(folder, stored, capsys, monkeypatch):
    shown = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    before = state(folder)
    code, said = told(capsys, "explore", stored, "--server=http://localhost:1")
    page = pathlib.Path(said.out.strip())
    assert code == 0 and shown == [page.as_uri()]
    assert folder not in page.parents and state(folder) == before
    text = page.read_text()
    assert '"name": "model"' in text and "published with the model" in text


def test_export_and_visualize_need_a_place(folder, stored, capsys):
    before = state(folder)
    for command, option in (("export", "--destination"), ("visualize", "--output")):
        code, said = told(capsys, command, stored)
        assert code == 2 and "Loading" not in said.err
        assert f"{option} must be given for a published model" in said.err
        assert f"For example: {option}=" in said.err
    assert state(folder) == before


def test_serve_exports_it_first(stored, trained, capsys, tmp_path, monkeypatch):
    """In a process of its own; here a script stands for it."""
    script = tmp_path / "python"
    script.write_text('#!/bin/sh\nmkdir -p "${5#*=}/model/1"\necho "$@" > "$LOG"\n')
    script.chmod(0o755)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setattr(sys, "executable", str(script))
    seen = []

    def look(values, source):
        assert source in (stored, str(trained.folder))  # Not where it was exported to.
        seen.append(sorted(os.listdir(values.dir)))
        return 0

    monkeypatch.setattr(serve, "_serve", look)
    code, _ = told(capsys, "serve", stored)
    assert code == 0 and seen == [["model"]]
    asked = (tmp_path / "log").read_text().split()
    assert asked[:4] == ["-m", "tf_disentangle", "export", stored]
    assert "--trust" not in asked
    code, _ = told(capsys, "serve", stored, "--trust")
    assert code == 0 and "--trust" in (tmp_path / "log").read_text().split()
    # So it does with a run that was not exported.
    code, _ = told(capsys, "serve", trained.folder)
    assert code == 0 and seen == [["model"]] * 3
    told_last = "Loading x\ntf_disentangle export: a reason"
    script.write_text(f"#!/bin/sh\necho '{told_last}' >&2\nexit 2\n")
    code, said = told(capsys, "serve", stored)
    assert code == 2 and "tf_disentangle serve: a reason" in said.err


def test_serve_ends_with_its_export(tmp_path):
    """SIGTERM leaves neither the process nor the folder that it writes to."""
    script, log = tmp_path / "python", tmp_path / "log"
    script.write_text('#!/bin/sh\necho $$ "${5#*=}" > "$LOG"\nexec sleep 100\n')
    script.chmod(0o755)
    code = (
        "import sys; from tf_disentangle.cli import main\n"
        f"sys.executable = {str(script)!r}\n"
        "sys.argv = ['tf_disentangle', 'serve', 'store:chyvae_ellipses']; main.run()"
    )
    environment = {**os.environ, "LOG": str(log), "PYTHONUTF8": "1"}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        while not (log.exists() and log.read_text().endswith("\n")):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        assert process.wait(60) == 143
    child, folder = log.read_text().split()
    assert not os.path.exists(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)


@pytest.mark.parametrize("command", [compare, encode, serve])
def test_a_models_code_can_be_trusted_by_every_command(command):
    assert "trust" in command.FLAGS


def test_encode_takes_it(stored, data, tmp_path, capsys):
    from PIL import Image

    images = data.images()[:2]
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{number}.png")
    output = tmp_path / "codes.npz"
    files = sorted(tmp_path.glob("*.png"))
    code, _ = told(capsys, "encode", *files, f"--model={stored}", f"--output={output}")
    assert code == 0
    codes = td.load(stored).encode(images)
    np.testing.assert_allclose(np.load(output)["codes"], codes, atol=1e-5)


def test_list_names_what_comes_with_the_library(stored, capsys):
    code, said = told(capsys, "list", "store")
    assert (
        code == 0 and "  store:model\n      A VAE with the objective chyvae" in said.out
    )


def test_a_new_run_starts_from_its_weights(folder, data, tmp_path):
    options = {**published.SETTINGS, "warm_start": folder, "dry_run": True}
    run = td.train(published.build("joint_vae"), data, **options | {"warm_start": None})
    assert run.step == 0
    run = td.train(published.build("chyvae"), data, **options)
    loaded = td.load(folder).model.encoder.weights[0].numpy()
    np.testing.assert_array_equal(run.model.encoder.weights[0].numpy(), loaded)
    message = r"encoder/head/kernel must have shape \[8, 9\]; received \[8, 20\]"
    with pytest.raises(checks.ArgumentError, match=message):
        td.train(published.build("joint_vae"), data, **options)


def test_training_does_not_go_on_in_it(folder, data):
    before = state(folder)
    message = "received '.*model, a published model'.*It can start from these weights"
    with pytest.raises(checks.ArgumentError, match=message):
        td.train(published.build("chyvae"), data, output=folder, **published.SETTINGS)
    loaded = td.load(folder)
    with pytest.raises(checks.ArgumentError, match="run must be a run of train"):
        loaded.start()
    message = "nothing is added to a published model.*warm_start="
    for write in (
        lambda: loaded.folder.append({"step": 1}),
        lambda: loaded.folder.describe(status="x"),
        lambda: loaded.folder.cut(0),
    ):
        with pytest.raises(checks.ArgumentError, match=message):
            write()
    with pytest.raises(checks.ArgumentError, match="be 'last'"):
        td.load(folder, "best")
    assert state(folder) == before


# ---- Studies.


class Plan:
    """As `studies.plan.Plan`: three runs, of which two are done."""

    def __init__(self, folder):
        self.folder = folder
        names = [("chyvae nu=100", 0), ("chyvae nu=100", 1), ("vae", 0)]
        self.runs = [
            type(
                "PlannedRun",
                (),
                {"id": f"{i:012x}", "index": i, "method": m, "seed": s, "data": "e"},
            )
            for i, (m, s) in enumerate(names)
        ]
        write_plan(folder, [(r.id, r.method, None, "e", r.seed) for r in self.runs])

    def folder_of(self, run):
        return self.folder / "runs" / run.id


@pytest.fixture
def plan(trained, tmp_path, monkeypatch):
    plan = Plan(tmp_path / "study")
    for run in plan.runs[:2]:
        target = published.copied(trained.folder.path, plan.folder_of(run))
        (target / "done.json").write_text("{}")
        score = {"score": 0.2 - 0.1 * run.index}
        row = {"step": 1, "codes": "mean", "scores": {"sap": score}}
        with open(target / "metrics.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
    from tf_disentangle.studies import plan as module

    monkeypatch.setattr(module.Plan, "read", lambda folder: plan)
    return plan


def publish_study(*options):
    values = main._parsed(
        study_publish.FLAGS, "study", [str(o) for o in options], ("study",)
    )
    return study_publish.main(values)


def test_the_runs_of_a_study_become_a_store(plan, tmp_path, capsys):
    output = tmp_path / "models"
    options = (f"--output={output}", "--noexplorer", "--noonnx")
    assert publish_study("study", *options) == 0
    names = ["chyvae_nu_100-seed0-000000000000", "chyvae_nu_100-seed1-000000000001"]
    assert sorted(p.name for p in output.iterdir()) == ["README.md", *names]
    assert td.load(output / names[0]).step == 1
    text = (output / "README.md").read_text()
    assert "| model | objective | steps | weights | mig | sap |" in text
    assert f"| [{names[1]}]({names[1]}) | chyvae | 1 | float32 |" in text
    # Again: nothing is written twice.
    before = state(output / names[0])
    assert publish_study("study", *options) == 0
    assert "already there" in capsys.readouterr().err
    assert state(output / names[0]) == before


def test_the_best_of_a_study_in_archives(plan, tmp_path):
    output = tmp_path / "models"
    options = (f"--output={output}", "--noexplorer", "--noonnx", "--archive")
    assert publish_study("study", "--best=sap", *options) == 0
    name = "chyvae_nu_100-seed0-000000000000.zip"
    assert sorted(p.name for p in output.iterdir()) == ["README.md", name]
    text = (output / "README.md").read_text()
    assert "| weights | best by | mig | sap |" in text
    assert f"| [{name}]({name}) | chyvae | 1 | float32 | sap |" in text
    assert "names the metric by which a run was chosen" in text
    with zipfile.ZipFile(output / name) as archive:
        card = archive.read(f"{name.removesuffix('.zip')}/README.md").decode()
    assert "It was chosen as the best of several runs by sap" in card
    for asked, message in (
        (["--best=sapp"], r"--best must be .* Did you mean sap\?"),
        (["2"], "RUNS must be done; received '000000000002'"),
        (["00000000000"], "RUNS must be ids or indices of the plan"),
    ):
        with pytest.raises(checks.ArgumentError, match=message):
            publish_study("study", *asked, *options)


def test_what_is_no_model_is_left_out_of_the_index(folder, tmp_path, caplog):
    published.copied(folder, tmp_path / "one")
    published.zipped(folder, tmp_path / "renamed.zip")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.zip").write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "others.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    (published.copied(folder, tmp_path / "damaged") / "codes.npz").unlink()
    text = index.write(tmp_path).read_text()
    assert text.count("\n| [") == 2
    assert "[one](one)" in text and "[renamed.zip](renamed.zip)" in text
    for name in ("broken.zip", "others.zip", "damaged"):
        assert f"{name} is not listed: " in caplog.text


def test_the_index_reads_no_more_than_load_does(folder, tmp_path, monkeypatch):
    """A small archive of a record that is enormous outside."""
    path = published.copied(folder, tmp_path / "copy")
    (path / "config.json").write_bytes(b" " * 2**25)
    published.write_sums(path)
    (tmp_path / "models").mkdir()
    target = published.zipped(path, tmp_path / "models" / "copy.zip")
    assert target.stat().st_size < 2**21
    tracemalloc.start()
    assert "copy.zip" not in index.write(tmp_path / "models").read_text()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


SCORES = [{"a|b\n# x": {"score": 1.0}}, {"mig": 1.0}, {"mig": {"score": "x"}}, [], "["]


@pytest.mark.parametrize("scores", SCORES, ids=str)
def test_scores_that_are_none_are_not_listed(scores, copy):
    text = scores if isinstance(scores, str) else json.dumps(scores)
    (copy / "scores.json").write_text(text)
    published.write_sums(copy)
    assert "| [" not in index.write(copy.parent).read_text()


def test_an_objective_of_another_kind_is_not_shown(copy):
    published.change_record(copy, lambda r: r["model"]["config"].update(objective=[1]))
    assert (
        f"| [{copy.name}]({copy.name}) |  | 0 |" in index.write(copy.parent).read_text()
    )
