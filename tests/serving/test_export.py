"""The exported version: alone, equal, whole or not there, with what a server needs."""

import concurrent.futures
import functools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.contracts.test_models import FILES, data_for, prepared
from tests.serving.portable import expected, questions
from tf_disentangle import checks, latents, models, networks, objectives, priors
from tf_disentangle.cli.main import main
from tf_disentangle.distributions import Normal
from tf_disentangle.serving import config_files, export, versions, warmup

MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=8),
    "decoder": functools.partial(networks.mlp_decoder, width=8),
}


def full_vae():
    space = latents.GaussianLatents(4, "full", priors.InverseWishartPrior(nu=20.0))
    parts = {
        "encoder": functools.partial(networks.conv_encoder, width=8),
        "decoder": functools.partial(networks.conv_decoder, width=8),
    }
    objective = objectives.chyvae()
    return models.build_vae((32, 32, 1), latents=space, objective=objective, **parts)


def infogan():
    space = latents.JointLatents(
        latents.GaussianLatents(2, "identity"), latents.CategoricalLatents([3])
    )
    critic = functools.partial(networks.mlp_encoder, width=4)
    shape = (8, 8, 3)
    return models.build_infogan(shape, latents=space, num_noise=2, critic=critic, **MLP)


def vectors():
    objective = objectives.beta_vae(1.0, likelihood=Normal(None))
    space = latents.GaussianLatents(2)
    return models.build_vae((1, 1, 3), latents=space, objective=objective, **MLP)


@pytest.fixture(scope="module")
def model():
    return models.build_vae((8, 8, 1), latents=3, **MLP)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return export(model, tmp_path_factory.mktemp("served"), "small")


# ---- Alone, and equal.

_BARE = """
import sys
class Refuse:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("tf_disentangle", "keras", "tensorflow_probability"):
            raise ImportError(name)
import tensorflow as tf, numpy as np
for name in list(sys.modules):
    if name.split(".")[0] in ("keras", "tf_disentangle"):
        del sys.modules[name]
sys.meta_path.insert(0, Refuse())
for folder in sys.argv[1:]:
    loaded = tf.saved_model.load(folder)
    asked = np.load(folder + "/asked.npz")
    answers = {}
    for key in asked.files:
        signature = key.split(".")[0]
        inputs = {k.split(".")[1]: tf.constant(asked[k]) for k in asked.files
                  if k.split(".")[0] == signature}
        for name, value in loaded.signatures[signature](**inputs).items():
            answers[f"{signature}.{name}"] = value.numpy()
    default = loaded.signatures["serving_default"].structured_outputs
    assert set(default) == set(loaded.signatures["encode"].structured_outputs)
    np.savez(folder + "/answers.npz", **answers)
"""


def flat(of_signatures):
    pairs = [(s, n, v) for s, each in of_signatures.items() for n, v in each.items()]
    return {f"{s}.{n}": np.asarray(v) for s, n, v in pairs}


def check_in_a_bare_process(made, tmp_path):
    """Exports models and asks them where this library and Keras are not installed."""
    folders, right = [], []
    for number, each in enumerate(made):
        folder = tmp_path / str(number)
        each.export(folder, verbose=False)
        images = data_for(each, 5)
        codes = each.encode(images)
        drawn = np.concatenate([each.sample(1, seed=seed) for seed in (5, 6)])
        answers = expected(each, images, codes) | {"sample": {"images": drawn}}
        asked = questions(each, images, codes)
        asked["sample"] = {"seed": np.array([[5, 0], [6, 0]], np.int32)}
        right.append(flat(answers))
        np.savez(folder / "asked.npz", **flat(asked))
        folders.append(folder)
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", _BARE, *map(str, folders)]
    options = {"capture_output": True, "text": True, "cwd": tmp_path, "env": env}
    done = subprocess.run(command, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    for folder, values in zip(folders, right, strict=True):
        answers = np.load(folder / "answers.npz")
        assert set(answers.files) == {*values, "sample.sampled_codes"}
        for name, value in values.items():
            scale = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(
                answers[name], value, rtol=1e-5, atol=1e-5 * scale, err_msg=name
            )


# In process, test_exports.py compares the SavedModel with the model.
@pytest.mark.slow
def test_equals_the_model_where_the_library_is_not_installed(tmp_path):
    check_in_a_bare_process([infogan(), vectors()], tmp_path)


@pytest.mark.slow
def test_every_model_of_gin_where_the_library_is_not_installed(tmp_path):
    made = [prepared(file, tmp_path / file.stem)[0].model for file in FILES]
    check_in_a_bare_process([*made, full_vae()], tmp_path)


def test_the_weights_are_there_once(exported, model):
    parts = (model.encoder, model.decoder, model.latents)
    size = sum(v.numpy().nbytes for part in parts for v in part.variables)
    stored = exported / "variables" / "variables.data-00000-of-00001"
    assert size <= stored.stat().st_size < size + 4096


def test_signature_as_the_server_reads_it(exported):
    """Names, types and shapes of the default endpoint, in the file itself."""
    content = (exported / "saved_model.pb").read_bytes()
    saved = saved_model_pb2.SavedModel.FromString(content)
    default = saved.meta_graphs[0].signature_def["serving_default"]
    assert default.method_name == "tensorflow/serving/predict"

    def told(info):
        sizes = [dim.size for dim in info.tensor_shape.dim]
        return tf.as_dtype(info.dtype).name, sizes

    inputs = {name: told(info) for name, info in default.inputs.items()}
    assert inputs == {"images": ("uint8", [-1, 8, 8, 1])}
    outputs = {name: told(info) for name, info in default.outputs.items()}
    assert outputs == dict.fromkeys(("mean", "stddev"), ("float32", [-1, 3]))


# ---- Versions, whole or not there.


def test_versions_count_upwards_and_are_never_overwritten(model, tmp_path):
    for there in ("4", "007", "notes", ".9.1a2b3c4d.tmp"):  # the last of a killed one
        (tmp_path / "m" / there).mkdir(parents=True)
    assert versions(tmp_path / "m") == [4, 7] and versions(tmp_path / "none") == []
    for version, words in ((7, "be new .* the next, 8"), (0, "be at least 1")):
        with pytest.raises(checks.ArgumentError, match=f"version must {words}"):
            export(model, tmp_path, "m", version)
    assert export(model, tmp_path, "m") == tmp_path / "m" / "8"
    names = {path.name for path in (tmp_path / "m").iterdir()}
    assert names == {"4", "007", "8", "notes", ".lock"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a/b"}, "name must be letters, digits"),
        ({"name": "a:b"}, "name must be letters, digits"),
        ({"name": ""}, "name must be letters, digits"),
        ({"precision": "int8"}, "be 'float32' for the .*'savedmodel'.*for litert"),
        ({"variant": "openvino", "precision": "int8"}, "for the variant 'openvino'"),
        ({"variant": "onx"}, "'savedmodel', 'onnx'.*Did you mean onnx"),
    ],
)
def test_what_has_no_meaning(options, words, model, tmp_path):
    with pytest.raises(checks.ArgumentError, match=words):
        export(model, tmp_path, **{"name": "m", **options})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--version=-1"], "--version must be at least 1"),
        (["--name=a/b"], "--name must be letters"),
        (["--variant=openvino", "--precision=int8"], "for the variant 'openvino'"),
        (["--destination=FILE"], "--destination must be writable"),
        (["--destination=FILE/below"], "A part of the path is a file"),
    ],
)
def test_the_command_refuses_before_it_loads(options, words, tmp_path, capsys):
    (tmp_path / "file").touch()
    options = [option.replace("FILE", str(tmp_path / "file")) for option in options]
    assert main(["export", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert re.search(words, error) and "Loading" not in error


def test_a_folder_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(checks.ArgumentError, match="destination must be writable"):
        export(model, tmp_path / "file", "m")


def test_a_failed_export_keeps_the_versions_there_are(model, tmp_path, monkeypatch):
    stand_in(tmp_path, "m")

    def fail(*_):
        raise RuntimeError("failed")

    monkeypatch.setattr(warmup, "replay", fail)
    with pytest.raises(RuntimeError, match="failed"):
        export(model, tmp_path, "m")
    assert {p.name for p in (tmp_path / "m").iterdir()} == {".lock", "1"}
    assert (tmp_path / "m" / "1" / "saved_model.pb").exists()


def test_a_full_disk_leaves_nothing_behind(model, tmp_path):
    """A limit on file sizes stands for it: weights and graph are larger."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(checks.ArgumentError, match="must be writable"):
            export(model, tmp_path, "m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_model_is_not_one_of_the_destination(
    model, tmp_path, monkeypatch
):
    def fail(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(warmup, "replay", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="OOM"):
        export(model, tmp_path, "m")
    assert versions(tmp_path / "m") == []


@pytest.mark.slow
def test_killed_while_it_writes_and_again(model, tmp_path, monkeypatch):
    """What a killed process leaves has no version's name, and the next removes it."""
    code = f"""
import sys, time, functools
sys.path.insert(0, {str(pathlib.Path(__file__).parents[2])!r})
from tf_disentangle import models, networks
from tf_disentangle.serving import export, warmup
def wait(folder, asked):
    print(folder, flush=True)
    time.sleep(60)
warmup.replay = wait
model = models.build_vae((8, 8, 1), latents=3,
    encoder=functools.partial(networks.mlp_encoder, width=8),
    decoder=functools.partial(networks.mlp_decoder, width=8))
export(model, {str(tmp_path)!r}, "m")
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    left = pathlib.Path(process.stdout.readline().decode().strip())
    assert (left / "saved_model.pb").exists() and left.parent == tmp_path / "m"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert versions(tmp_path / "m") == [] and left.exists()
    monkeypatch.setattr(warmup, "replay", lambda *_: None)
    assert export(model, tmp_path, "m").name == "1"
    assert not left.exists()


# ---- What a server needs beside it.


def test_the_warm_up_file_asks_each_signature(exported, model):
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    assert path.exists()
    asked = dict(warmup.read(exported))
    assert set(asked) == set(model.signatures())
    for name, inputs in warmup.requests(model).items():
        assert set(asked[name]) == set(inputs)
        for key, value in inputs.items():
            np.testing.assert_array_equal(asked[name][key], value)


def test_without_tf_servings_messages_there_is_no_warm_up_file(
    model, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(warmup, "is_available", lambda: False)
    version = export(model, tmp_path, "m")
    assert not (version / "assets.extra").exists()
    assert "pip install 'tf_disentangle[serving]'" in caplog.text
    with pytest.raises(checks.ArgumentError, match="tensorflow-serving-api must be"):
        warmup.write(version, "m", {})


def test_a_model_of_nan_is_not_served(tmp_path):
    broken = models.build_vae((8, 8, 1), latents=3, **MLP)
    bias = broken.encoder.weights[-1]
    bias.assign(np.full(bias.shape, np.nan, np.float32))
    with pytest.raises(checks.ArgumentError, match=r"finite numbers.*mean"):
        export(broken, tmp_path, "m")
    assert versions(tmp_path / "m") == []


def stand_in(folder, name):
    """Makes what looks like an exported model."""
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "1" / "saved_model.pb").touch()


def told(folder):
    """The names and paths in models.config, read by TF Serving's own messages."""
    text_format = pytest.importorskip("google.protobuf.text_format")
    api = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text = (folder / "models.config").read_text()
    found = text_format.Parse(text, api.ModelServerConfig()).model_config_list.config
    assert {each.model_platform for each in found} <= {"tensorflow"}
    return {each.name: each.base_path for each in found}


def test_config_files(exported):
    """The models' is read as TF Serving does; the others have no messages to be had."""
    folder = exported.parent.parent
    assert told(folder) == {"small": "/models/small"}
    batching = (folder / "batching.config").read_text()
    sizes = [int(n) for n in re.findall(r"^allowed_batch_sizes: (\d+)", batching, re.M)]
    (largest,) = re.findall(r"max_batch_size { value: (\d+) }", batching)
    assert sizes == sorted(sizes) and sizes[-1] == int(largest)
    monitoring = (folder / "monitoring.config").read_text()
    assert "enable: true" in monitoring and '"/monitoring/prometheus' in monitoring
    command = config_files.docker_command(folder)
    assert f"-v {folder}:/models" in command and "models.config" in command


def test_models_config_names_what_is_there(tmp_path, caplog):
    """Models come and go, two at once, and one is still being written."""
    stand_in(tmp_path, "b")
    stand_in(tmp_path, "a")
    (tmp_path / "c" / ".1.0a1b2c3d.tmp").mkdir(parents=True)
    (tmp_path / "c" / ".1.0a1b2c3d.tmp" / "saved_model.pb").touch()
    for name in ("a", "b"):  # Both were there when the first of them looked.
        config_files.write(tmp_path, name)
    assert told(tmp_path) == {n: f"/models/{n}" for n in "ab"}
    shutil.rmtree(tmp_path / "a")
    stand_in(tmp_path, "d")
    config_files.write(tmp_path, "d")
    assert told(tmp_path) == {n: f"/models/{n}" for n in "bd"}
    assert not caplog.text


EDITED = """\
# Ours.
model_config_list {
  config { name: "production" base_path: "/models/small/" model_platform: "tensorflow" }
  # config { name: "old" base_path: "/models/old" }
}  # the end {}
# of all }
"""


def test_what_someone_edited_stays_and_the_model_is_added(tmp_path, caplog):
    path = tmp_path / "models.config"
    path.write_text(EDITED)
    for name in ("small", "old"):  # Under another name; left out on purpose.
        config_files.write(tmp_path, name)
        assert path.read_text() == EDITED
    for name in ("new", "new", "ol"):
        config_files.write(tmp_path, name)
    known = {"production": "/models/small/"}
    assert told(tmp_path) == known | {n: f"/models/{n}" for n in ("new", "ol")}
    kept = [line in path.read_text() for line in EDITED.splitlines()]
    assert all(kept) and not caplog.text
    path.write_text("# To come.")
    config_files.write(tmp_path, "new")
    assert path.read_text() == "# To come." and "add the model new" in caplog.text


def test_exports_that_end_together_are_all_told(tmp_path):
    names = [f"m{i}" for i in range(8)]
    barrier = threading.Barrier(len(names))

    def finish(name):
        stand_in(tmp_path, name)
        barrier.wait()
        config_files.write(tmp_path, name)

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(finish, names))
    assert sorted(told(tmp_path)) == names
