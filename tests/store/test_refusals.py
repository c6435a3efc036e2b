"""What is damaged, or written to do harm, is refused with a message; nothing runs."""

import io
import json
import os
import pathlib
import stat
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import tf_disentangle as td
from tests.store import published
from tf_disentangle import checks, configs, known_parts, store
from tf_disentangle.store import reading


def refused(path, message):
    with pytest.raises(checks.ArgumentError, match=message):
        td.load(path)


# ---- The files.


def cut_short(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    published.write_sums(folder)


def absurd_header(folder):
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:])
    published.write_sums(folder)


def header_of_nonsense(folder):
    content = b'{"a": {"dtype": "F32", "shape": [9, 9], "data_offsets": [0, 4]}}'
    whole = struct.pack("<Q", len(content)) + content + bytes(4)
    (folder / "model.safetensors").write_bytes(whole)
    published.write_sums(folder)


def with_weights(change):
    """Changes the weights, as somebody who writes a right file of others."""

    def changed(folder):
        path = folder / "model.safetensors"
        arrays = safetensors.numpy.load(path.read_bytes())
        change(arrays)
        path.write_bytes(safetensors.numpy.save(arrays))
        published.write_sums(folder)

    return changed


def missing(arrays):
    arrays.pop("encoder/head/bias")


def extra(arrays):
    arrays["encoder/more"] = np.zeros(3, np.float32)


def shape(arrays):
    arrays["encoder/head/bias"] = np.zeros(3, np.float32)


def kind(arrays):
    arrays["encoder/head/bias"] = arrays["encoder/head/bias"].astype(np.int32)


def not_finite(arrays):
    arrays["encoder/head/bias"][0] = np.nan


def wrong_sum(folder):
    with open(folder / "metrics.jsonl", "a") as file:
        file.write("{}")


def no_weights(folder):
    (folder / "model.safetensors").unlink()


def no_sums(folder):
    (folder / "SHA256SUMS").unlink()


def sums_of_a_file_outside(folder):
    with open(folder / "SHA256SUMS", "a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")


def nonsense_sums(folder):
    (folder / "SHA256SUMS").write_text("not a sum\n")


def record_is_no_json(folder):
    (folder / "config.json").write_text("{")
    published.write_sums(folder)


def record_without_end(folder):
    (folder / "config.json").write_text("[" * 100_000)
    published.write_sums(folder)


def record(**values):
    return lambda folder: published.change_record(folder, lambda r: r.update(values))


DAMAGES = [
    (cut_short, "model.safetensors of .* must be a safetensors file of numbers"),
    (absurd_header, r"have a header that fits into its .*one of 4,611,686,018,"),
    (header_of_nonsense, "be a safetensors file of numbers"),
    (with_weights(missing), "no fewer and no others; received 'no encoder/head/bias'"),
    (with_weights(extra), "no fewer and no others; received 'encoder/more'"),
    (with_weights(shape), r"encoder/head/bias must have shape \[\d+\]; received \[3\]"),
    (with_weights(kind), "encoder/head/bias must hold numbers as float32 does"),
    (with_weights(not_finite), "encoder/head/bias must be finite"),
    (wrong_sum, "metrics.jsonl of .* must be the file that was published"),
    (no_weights, "be complete; received 'no model.safetensors'"),
    (no_sums, "be a published model, with SHA256SUMS"),
    (sums_of_a_file_outside, "hold files of its own folder only"),
    (nonsense_sums, "have lines of a SHA-256"),
    (record_is_no_json, "config.json.* must be JSON"),
    (record_without_end, "must"),
    (record(format=99), "have format 1; received 99. It was published by another"),
    (record(schema_version=3), "have schema_version 4"),
    (record(name="../../x"), "name in config.json .* be a name as that of a file"),
    (record(step="1; import os"), "say the step"),
    (record(training={"num_images": 10**15}), "say the step, and of the training"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_damage_is_refused(damage, message, copy):
    damage(copy)
    refused(copy, message)


def test_an_edited_card_is_only_told(copy, caplog):
    (copy / "README.md").write_text("Better words.")
    assert td.load(copy).step == 0
    assert "README.md was edited after publishing" in caplog.text


def test_links_of_a_cache_are_followed(copy, tmp_path):
    """Hugging Face's cache holds links to files elsewhere, of other names."""
    blob = (copy / "config.json").rename(tmp_path / "0a1b")
    (copy / "config.json").symlink_to(blob)
    (copy / ".cache").mkdir()
    (copy / ".cache" / "x").write_text("x")
    assert td.load(copy).folder.name == "model"


# ---- Archives.


def of_name(name, size=1):
    return lambda folder, target: published.zipped(
        folder, target, [(name, b"x" * size)]
    )


def with_link(folder, target):
    info = zipfile.ZipInfo("model/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return published.zipped(folder, target, [(info, b"/etc/passwd")])


def bomb(folder, target):
    """A member that is listed, small in the archive and enormous outside."""
    (folder / "codes.npz").write_bytes(bytes(3 * 2**20))
    published.write_sums(folder)
    return published.zipped(folder, target)


def liar(folder, target):
    """The directory of the archive claims fewer bytes than there are."""
    published.zipped(folder, target)
    content = bytearray(target.read_bytes())
    size = (folder / "model.safetensors").stat().st_size
    place = content.rfind(struct.pack("<I", size))
    content[place : place + 4] = struct.pack("<I", 100)
    target.write_bytes(content)
    return target


ARCHIVES = [
    (of_name("../outside"), "hold files of its own folder only .no '..', no absolute"),
    (of_name("/etc/cron.d/x"), "hold files of its own folder only"),
    (of_name("model\\..\\x"), "hold files of its own folder only"),
    (of_name("C:/x"), "hold files of its own folder only"),
    (with_link, "hold plain files only, no links; received 'model/link'"),
    (bomb, "codes.npz of .* must have at most 1,048,576 bytes"),
    (liar, "must be intact|must be the file that was published"),
]


@pytest.mark.parametrize(("make", "message"), ARCHIVES)
def test_an_archive_that_does_harm_is_refused(
    make, message, copy, tmp_path, monkeypatch
):
    monkeypatch.setitem(reading.LIMITS, "model.safetensors", 2**20)
    before = sorted(os.listdir(tmp_path))
    target = make(copy, tmp_path / "x.zip")
    refused(target, message)
    # Nothing is unpacked.
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "x.zip"])


def test_too_much_in_all_is_refused(folder, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_BYTES", 1000)
    refused(folder, "have at most 1,000 bytes in all")


def test_too_many_files_are_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_FILES", 3)
    refused(folder, "hold at most 3 files")
    refused(published.zipped(folder, tmp_path / "x.zip"), "hold at most 3 files")


@pytest.mark.parametrize("cut", [100, -200])
def test_a_cut_archive_is_refused(cut, folder, tmp_path):
    target = published.zipped(folder, tmp_path / "x.zip")
    target.write_bytes(target.read_bytes()[:cut])
    refused(target, "model must be a .zip or a .tar")


def tarred(folder, target, extra=None):
    with tarfile.open(target, "w") as archive:
        archive.add(folder, "model")
        if extra is not None:
            archive.addfile(*extra)
    return target


def test_a_tar_is_as_good(folder, original, tmp_path, data):
    run = td.load(tarred(folder, tmp_path / "x.tar"))
    images = data.images()[:3]
    np.testing.assert_array_equal(run.encode(images), original.encode(images))
    assert run.examples.images.shape == (16, 64, 64, 1)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(kind, folder, tmp_path):
    info = tarfile.TarInfo("model/x")
    info.type, info.linkname = kind, "/etc/passwd"
    target = tarred(folder, tmp_path / "x.tar", (info,))
    refused(target, "hold plain files only, no links; received 'model/x'")


def test_a_path_out_of_a_tar_is_refused(folder, tmp_path):
    info = tarfile.TarInfo("model/../../x")
    info.size = 1
    target = tarred(folder, tmp_path / "x.tar", (info, io.BytesIO(b"x")))
    refused(target, "hold files of its own folder only")


# ---- The record: it names classes and functions.


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module on the path that says whether it was imported."""
    (tmp_path / "path").mkdir()
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\nclass Model:\n    pass\n"
    (tmp_path / "path" / "evil_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "path")
    yield ran
    assert not ran.exists() and "evil_module" not in sys.modules


def own(name, **config):
    return {"class_name": name, "config": config}


def keras_layer(module, name, **config):
    layer = {"module": module, "class_name": name, "config": config}
    return {"keras": {**layer, "registered_name": None}}


RECORDS = [
    own("evil_module.Model"),
    {"function": "evil_module.Model"},
    {"function": "os.system", "args": ["true"], "kwargs": {}},
    own("subprocess.Popen", args=["true"]),
    own("tf_disentangle.files.os.system"),
    own("tf_disentangle.models.os.path"),
    own("tf_disentangle.models.keras"),
    own("tf_disentangle.models.builders.keras.layers.Lambda"),
    own("tf_disentangle.datasets._hidden"),
    own("tf_disentangle.files.remove"),
    own("tf_disentangle.run.train"),
    own("tf_disentangle.serving.export"),
    own("builtins.eval"),
    {"function": "tf_disentangle.datasets.importlib"},
    {"function": "x.rmtree", "self": {"function": "shutil.rmtree"}},
    keras_layer("keras.layers", "Lambda", function="lambda x: x"),
    keras_layer("keras.layers", "TFSMLayer", filepath="x"),
    keras_layer("keras.layers", "TorchModuleWrapper"),
    keras_layer("evil_module", "Model"),
    keras_layer("keras.utils", "get_file", origin="http://localhost/x"),
    keras_layer("keras.models", "load_model", filepath="x"),
    keras_layer("builtins", "function"),
    {"keras": {"class_name": "Lambda", "config": {}}},
    {"keras": {"class_name": "__lambda__", "config": {"value": "x"}}},
    {"array": ["x"], "dtype": "object"},
    own("tf_disentangle.datasets.ImageFolder", path="/etc"),
    own("tf_disentangle.datasets.CorrelatedEllipses", cache_dir="/etc"),
]


@pytest.mark.parametrize("entry", RECORDS, ids=str)
def test_a_record_cannot_have_anything_imported_or_called(entry, evil):
    for value in (entry, [entry], {"inner": entry}):
        with known_parts.only(), pytest.raises(configs.CannotRebuildError):
            configs.deserialize(json.loads(json.dumps(value)))


def test_a_layer_deep_in_a_network_is_looked_at():
    sequential = {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {"layers": [keras_layer("keras.layers", "Lambda")["keras"]]},
    }
    with known_parts.only(), pytest.raises(configs.CannotRebuildError, match="Lambda"):
        configs.deserialize({"keras": sequential})


def test_another_name_at_keras_is_no_way_around():
    layer = keras_layer("keras.layers", "Dense", units=3)
    layer["keras"]["registered_name"] = "my_package>Evil"
    with known_parts.only(), pytest.raises(configs.CannotRebuildError):
        configs.deserialize(layer)


@pytest.mark.parametrize("part", ["model", "data"])
def test_the_whole_way_refuses_them_too(part, copy, evil):
    published.change_record(copy, lambda r: r.update({part: own("evil_module.Model")}))
    with pytest.raises(checks.ArgumentError, match=f"{part} must be given: the evil"):
        run = td.load(copy)
        assert part == "data" and run.encode(run.examples.images).shape == (16, 4)
        run.score("mig")


def test_metrics_of_a_record_are_not_imported(copy, evil):
    metrics = [{"function": "evil_module.Model"}]
    published.change_record(copy, lambda r: r["training"].update(metrics=metrics))
    with pytest.raises(checks.ArgumentError, match="no public part of this library"):
        td.load(copy).score()


def test_modules_are_not_importable_without_trust(copy, evil):
    (copy / "modules").mkdir()
    (copy / "modules" / "evil_module.py").write_text("raise SystemExit")
    published.change_record(copy, lambda r: r.update(modules=["evil_module.py"]))
    assert td.load(copy).step == 0


@pytest.mark.slow
def test_what_the_library_records_is_known(data):
    """Every kind of model is made again under the same restriction."""
    for kind in ("chyvae", "joint_vae", "factor_vae", "infogan"):
        record = configs.serialize(published.build(kind))
        with known_parts.only():
            again = configs.deserialize(json.loads(json.dumps(record)))
        assert not configs.differences(record, configs.serialize(again))
    record = configs.serialize(data)
    with known_parts.only():
        assert configs.serialize(configs.deserialize(record)) == record


def test_no_pickle_is_read_anywhere():
    """Neither by us nor, with our arguments, by numpy."""
    root = pathlib.Path(store.__file__).parent
    for path in root.glob("*.py"):
        text = path.read_text()
        assert "pickle" not in text.replace("allow_pickle=False", "").replace(
            "Nothing is unpickled", ""
        )
        assert "np.load" not in text and "eval(" not in text.replace(
            "literal_eval(", ""
        )
