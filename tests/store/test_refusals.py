"""What is damaged, or written to do harm, is refused with a message; nothing runs."""

import io
import os
import stat
import struct
import tarfile
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import tf_disentangle as td
from tests.store import published
from tf_disentangle import checks
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
    (record(name="../../x"), "name in config.json .* be a valid name of a file"),
    (record(step="1; import os"), "give the step"),
    (record(training={"num_images": 10**15}), "give the step, and the training"),
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
    refused(target, "x.zip must be an intact .zip or .tar.* Fetch it again")


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


def test_what_macos_adds_to_an_archive_is_passed_over(folder, tmp_path):
    names = ("__MACOSX/model/._config.json", ".DS_Store", "._model")
    extra = [(name, b"x") for name in names]
    assert td.load(published.zipped(folder, tmp_path / "x.zip", extra)).step == 0


def test_a_path_out_of_a_tar_is_refused(folder, tmp_path):
    info = tarfile.TarInfo("model/../../x")
    info.size = 1
    target = tarred(folder, tmp_path / "x.tar", (info, io.BytesIO(b"x")))
    refused(target, "hold files of its own folder only")


def with_long_directory(folder, target):
    """Entries with long comments, of which the directory is all that is read."""
    info = zipfile.ZipInfo("model/x")
    info.comment = b"x" * 60_000
    return published.zipped(folder, target, [(info, b"x")])


def with_long_header(folder, target):
    """A pax header that says that it is longer than the whole archive may be."""
    info = tarfile.TarInfo("model/x")
    info.pax_headers = {"comment": "x" * 60_000}
    return tarred(folder, target, (info,))


@pytest.mark.parametrize("make", [with_long_directory, with_long_header])
def test_the_list_of_an_archive_is_bounded(make, folder, tmp_path, monkeypatch):
    """Before it is read: no more is asked of the file than it may have."""
    target, asked = make(folder, tmp_path / "x"), []
    read = reading._Listed.read

    def told(file, size=-1):
        content = read(file, size)
        asked.append(len(content))
        return content

    monkeypatch.setattr(reading._Listed, "read", told)
    archive = target.rename(tmp_path / "x.zip")
    assert td.load(archive).step == 0  # Four million bytes are enough for it.
    asked.clear()
    monkeypatch.setattr(reading, "_MOST_LISTING", 50_000)
    refused(archive, "list its files in at most 50,000 bytes; received 'more'")
    assert sum(asked) <= 50_000


def test_a_compressed_tar_is_not_read(folder, tmp_path):
    """A few bytes of one can stand for any number."""
    with tarfile.open(tmp_path / "x.tar", "w:gz") as archive:
        archive.add(folder, "model")
    refused(tmp_path / "x.tar", "must be an intact .zip or .tar")
