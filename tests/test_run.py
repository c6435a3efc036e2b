"""One `Run`, whoever started it: trained, scored, drawn, exported, loaded, resumed."""

import base64
import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import tf_disentangle as td
from tests import undrawn
from tf_disentangle import checks

SETTINGS = {"batch_size": 8, "validation_size": 16}


def build(shape=(64, 64, 1), seed=0, **options):
    from functools import partial

    return td.models.build_vae(
        shape,
        seed,
        encoder=partial(td.networks.mlp_encoder, width=8),
        decoder=partial(td.networks.mlp_decoder, width=8),
        **options,
    )


@pytest.fixture(scope="module")
def data():
    return td.datasets.CorrelatedEllipses(num_images=80)


@pytest.fixture(scope="module")
def session(data, tmp_path_factory):
    """The ten lines that a person writes first."""
    folder = tmp_path_factory.mktemp("session") / "run"
    model = build(objective=td.objectives.beta_tcvae(beta=6.0))
    run = td.train(model, data, steps=5, output=folder, metrics=["mig"], **SETTINGS)
    return run


def answer(done):
    """The JSON on the last line that a process printed."""
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


PREAMBLE = "import sys, json, numpy as np, tf_disentangle as td\n"


def in_own_process(warm, code, *arguments, **options):
    """Runs code in another process, which prints JSON."""
    return answer(warm.run(PREAMBLE + code, *arguments, **options))


def from_the_start(code):
    """Runs code in a process that has imported nothing yet."""
    command = [sys.executable, "-c", PREAMBLE + code]
    return answer(subprocess.run(command, capture_output=True, text=True))


def test_the_session_trains_scores_draws_and_exports(session, data, tmp_path):
    images = data.images()[:3]
    codes = session.encode(images)
    assert codes.shape == (3, 10) and session.decode(codes).shape == (3, 64, 64, 1)
    np.testing.assert_array_equal(session.reconstruct(images), session.decode(codes))
    samples = session.sample(2, seed=1)
    assert samples.shape == (2, 64, 64, 1) and 0 <= samples.min() <= samples.max() <= 1
    np.testing.assert_array_equal(samples, session.sample(2, seed=1))
    assert session.step == session.steps == 5 and session.signal is None
    assert 0 <= session.scores["mig"].score <= 1
    assert {"loss", "val_elbo"} <= set(session.terms)
    assert not {"step", "scores", "images_per_second"} & set(session.terms)
    assert [row["step"] for row in session.history] == [5, 5]
    assert "VAE" in repr(session) and "step 5" in repr(session)
    names = {path.name for path in session.draw(tmp_path, values=[-1.0, 0.0, 1.0])}
    assert {"reconstructions.png", "traversals.png", "samples.png"} <= names
    stills = session.draw(tmp_path, ["starts"], ["png"])
    shown = stills._repr_html_()
    assert shown.count("<img ") == len(stills) == 1 and "starts.png" in shown
    assert base64.b64encode(stills[0].read_bytes()).decode() in shown
    table = session._repr_html_()
    for text in ("VAE (beta_tcvae)", "64 x 64 x 1, 64 of them", "5 of 5", "z0, z1"):
        assert text in table
    loss, score = session.terms["loss"], session.scores["mig"].score
    assert f"loss {loss:.2f}" in table and f"mig {score:.4f}" in table
    figure = session.traversals(images[0], values=[-1.0, 0.0, 1.0])
    assert figure.dtype == np.uint8 and figure.ndim == 3
    version = session.export(tmp_path / "served")
    assert version == tmp_path / "served" / "run" / "1"
    assert (version / "saved_model.pb").exists()
    evidence = session.log_evidence(num_images=4, num_samples=10)
    assert np.isfinite(evidence.score) and len(evidence.per_image) == 4


def test_history_is_ready_for_pandas(session):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(session.history)
    assert frame["val_loss"].notna().any() and list(frame["step"]) == [5, 5]


def test_it_is_loaded_and_resumed_bit_for_bit_in_another_process(
    session, data, warm, tmp_path
):
    once = undrawn.train(build, data, steps=6, output=tmp_path / "a", **SETTINGS)
    undrawn.train(build, data, steps=4, output=tmp_path / "b", **SETTINGS)
    code = f"""
run = td.load(sys.argv[1])
told = [run.step, run.encode(run.data.images()[:3]).tolist(), run.model.objective.name,
    sorted(map(int, run.batches.held_out)), run.history[-1]["step"]]
run = td.load(sys.argv[2])
run = td.train(run.model, run.data, steps=6, output=sys.argv[2], **{SETTINGS})
print(json.dumps([told, [w.numpy().tolist() for w in run.model.trainable_variables]]))
"""
    told, resumed = in_own_process(warm, code, session.folder, tmp_path / "b")
    step, codes, objective, held_out, last = told
    assert (step, objective, last) == (5, "beta_tcvae", 5)
    np.testing.assert_array_equal(codes, session.encode(data.images()[:3]).tolist())
    assert held_out == sorted(session.batches.held_out)
    for a, b in zip(once.model.trainable_variables, resumed, strict=True):
        np.testing.assert_array_equal(a.numpy(), np.asarray(b, np.float32))


GIN = """
include 'vae.gin'
CorrelatedEllipses.num_images = 80
build_vae.encoder = @mlp_encoder
build_vae.decoder = @mlp_decoder
mlp_encoder.width = 8
mlp_decoder.width = 8
train.steps = 5
train.batch_size = 8
train.validation_size = 16
train.metrics = []
"""


def test_gin_and_python_give_the_same_bits(data, warm, tmp_path):
    (tmp_path / "small.gin").write_text(GIN)
    code = "from tf_disentangle.cli import main; main.run()"
    options = [f"--gin_file={tmp_path}/small.gin", f"--output={tmp_path}/gin"]
    done = warm.run(code, "train", *options)
    assert done.returncode == 0, done.stderr
    run = undrawn.train(build, data, steps=5, output=tmp_path / "python", **SETTINGS)
    rows = run.history
    ours, theirs = td.load(tmp_path / "python"), td.load(tmp_path / "gin")
    for a, b in zip(ours.model.variables, theirs.model.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    for name in ("loss", "val_elbo"):
        assert rows[-1][name] == theirs.history[-1][name]
    assert (tmp_path / "gin" / "config.gin").exists()
    # The same run, whoever goes on with it.
    undrawn.train(build, data, steps=6, output=tmp_path / "gin", **SETTINGS)


def test_python_runs_one_operation_at_a_time_too():
    code = (
        "td.models.build_vae\nimport tensorflow as tf\n"
        "print(tf.config.threading.get_inter_op_parallelism_threads())"
    )
    command = [sys.executable, "-c", PREAMBLE + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", ""), "TensorFlow's notes are held back"


@pytest.mark.slow
def test_where_tensorflow_runs_already_a_warning_says_what_it_means():
    got = from_the_start(
        "import warnings, tensorflow as tf; tf.zeros(1)\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    td.models, td.training\n"
        "texts = [str(warning.message) for warning in caught]\n"
        "print(json.dumps([text for text in texts if 'bits' in text]))"
    )
    assert len(got) == 1 and "TF_NUM_INTEROP_THREADS=1" in got[0]


def test_the_terms_are_there_while_a_callback_looks_at_them(data):
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(dict(run.terms))
    )
    every = td.training.Intervals(log=2)
    options = {"callbacks": [look], "intervals": every, **SETTINGS}
    run = td.train(build, data, steps=4, dry_run=True, **options)
    run.start()
    assert len(seen) == 2 and all("loss" in terms for terms in seen[1:])


def test_without_an_output_nothing_is_written(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data.images()
    run = td.train(build, data, steps=4, metrics=["mig"], **SETTINGS)
    assert list(tmp_path.rglob("*")) == []
    assert run.folder is None and run.step == 4 and "in memory" in repr(run)
    assert [row["step"] for row in run.history] == [4, 4]
    assert run.terms["val_loss"] and run.scores["mig"].score >= 0
    for method, argument in ((run.draw, "folder"), (run.export, "destination")):
        with pytest.raises(checks.ArgumentError, match=f"{argument} must be given"):
            method()
    folder = undrawn.train(build, data, steps=4, output=tmp_path / "a", **SETTINGS)
    for a, b in zip(run.model.variables, folder.model.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


PARTS = """
import tensorflow as tf
from tf_disentangle.priors import StandardNormalPrior

class MyPrior(StandardNormalPrior):
    pass
"""
SCRIPT = """
from functools import partial
{own}
latents = td.latents.GaussianLatents(3, prior=MyPrior())
build = partial(td.models.build_vae, latents=latents,
    encoder=partial(td.networks.mlp_encoder, width=8),
    decoder=partial(td.networks.mlp_decoder, width=8))
data = td.datasets.CorrelatedEllipses(num_images=80)
run = td.train(build, data, steps=2, output=sys.argv[1], batch_size=8)
print(json.dumps(run.encode(data.images()[:2]).tolist()))
"""


def test_a_class_in_a_module_of_the_users_is_loaded_from_the_runs_copy(warm, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "my_prior.py").write_text(PARTS)
    script = SCRIPT.format(own="sys.path.insert(0, '')\nfrom my_prior import MyPrior")
    codes = in_own_process(warm, script, tmp_path / "run", cwd=own)
    code = """
run = td.load(sys.argv[1])
assert type(run.model.latents.prior).__name__ == "MyPrior"
print(json.dumps(run.encode(run.data.images()[:2]).tolist()))
"""
    assert in_own_process(warm, code, tmp_path / "run", cwd=tmp_path) == codes
    assert (tmp_path / "run" / "modules" / "my_prior.py").read_text() == PARTS


@pytest.mark.slow
def test_a_class_in_a_script_must_be_passed_again(data, warm, tmp_path):
    codes = in_own_process(warm, SCRIPT.format(own=PARTS), tmp_path / "run")
    words = r"model must be given.*load\('.*run', model=model\).*script or notebook"
    with pytest.raises(checks.ArgumentError, match=words):
        td.load(tmp_path / "run")
    model = build(latents=td.latents.GaussianLatents(3))
    td.load(tmp_path / "run", model=lambda shape, seed: model)
    run = td.load(tmp_path / "run", model=model)
    np.testing.assert_array_equal(run.encode(data.images()[:2]).tolist(), codes)
    assert len(run.data) == 80, "the data set is built from its record"


def test_data_of_another_length_are_not_the_runs(session):
    fewer = td.datasets.CorrelatedEllipses(num_images=60)
    with pytest.raises(checks.ArgumentError, match="have the 80 images of the run"):
        td.load(session.folder.path, data=fewer)


def test_a_loaded_run_has_nothing_to_start(session):
    loaded = td.load(session.folder.path)
    assert loaded.signal is None and loaded.scores == {}
    with pytest.raises(checks.ArgumentError, match="dry_run=True"):
        loaded.start()


# test_commands.py has the commands, on a run of bin/train.
@pytest.mark.slow
def test_the_commands_work_on_a_run_from_python(session, warm, tmp_path):
    """The metrics are those of run.json, for there is no config.gin."""
    code = """
from tf_disentangle.cli import main
for command in ("evaluate", "visualize", "export"):
    option = "destination" if command == "export" else "output"
    again = ["--again"] if command == "evaluate" else []
    flags = [f"--{option}={sys.argv[2]}/{command}", *again]
    assert main.main([command, sys.argv[1], *flags]) == 0
print(json.dumps(td.load(sys.argv[1]).history[-1]))
"""
    row = in_own_process(warm, code, session.folder, tmp_path)
    assert row["codes"] == "mean"
    assert row["scores"]["mig"]["score"] == session.scores["mig"].score
    for command in ("evaluate", "visualize", "export"):
        assert list((tmp_path / command).iterdir())


def test_a_loaded_run_is_scored_with_the_metrics_of_its_training(session):
    loaded = td.load(session.folder.path)
    assert loaded.metrics == session.metrics == ["mig"]
    assert loaded.score()["mig"].score == session.scores["mig"].score
    assert loaded.history == session.history, "a score is not recorded"


def test_the_evidence_is_that_of_the_metric(session):
    options = {"num_images": 4, "num_samples": 10}
    by_name = session.score("log_evidence", **options)["log_evidence"]
    assert session.log_evidence(**options).score == by_name.score
