"""Arrays generated once: what survives faults, and what is built again."""

import errno
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tf_disentangle import files
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import CACHE_HELP, cache, cache_dir

SHAPE = (1000, 8)
NO_SPACE = "have 3.2e-05 GB free"
PREAMBLE = """
import os, signal, sys, time
from tf_disentangle.datasets import cache

def build(generate):
    return cache.cached_array("a", (1000, 8), "int32", generate, directory=sys.argv[1])
"""


class Generator:
    """Fills with 0, 1, ... and counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, out, progress):
        self.calls += 1
        out[...] = np.arange(out.size).reshape(out.shape)
        progress(len(out))


@pytest.fixture
def generate():
    return Generator()


@pytest.fixture
def array(tmp_path, generate):
    """Opens the array called "a" below tmp_path."""

    def open_array(**changes):
        arguments = {"key": "a", "shape": SHAPE, "dtype": np.int32}
        arguments |= {"generate": generate, "directory": tmp_path}
        return cache.cached_array(**arguments | changes)

    return open_array


def expected():
    return np.arange(8000, dtype=np.int32).reshape(SHAPE)


def names(folder):
    """All but the lock, which is empty and stays, and the note of a check."""
    left = (".a.lock", ".a.verified")
    return sorted(p.name for p in folder.iterdir() if p.name not in left)


def child(code, folder, **options):
    """Starts a process that runs `code` after the preamble."""
    root = pathlib.Path(__file__).parents[2]
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), str(folder)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=root, **pipes, **options)


def test_built_once_and_read_only(array, generate, tmp_path, capsys):
    first, second = array(), array()
    assert generate.calls == 1
    assert isinstance(first, np.memmap)
    assert not first.flags.writeable
    # Nor is the file: it must not shrink under a map.
    assert (tmp_path / "a.npy").stat().st_mode & 0o777 == 0o444
    assert_array_equal(first, expected())
    assert_array_equal(second, expected())
    assert names(tmp_path) == ["a.npy", "a.npy.json"]
    # A plain .npy file for everybody else; a quick one shows no bar.
    assert_array_equal(np.load(tmp_path / "a.npy"), expected())
    assert capsys.readouterr() == ("", "")


def test_a_slow_generation_shows_progress_on_stderr(array, capsys, monkeypatch):
    real = cache.progress_bar
    shown = {"delay": 0, "mininterval": 0}
    monkeypatch.setattr(cache, "progress_bar", lambda **kw: real(**kw | shown))
    array()
    out, err = capsys.readouterr()
    assert out == ""
    assert "a: 100%" in err
    assert "1000/1000" in err


def rewritten(change):
    return lambda path, sidecar: path.write_bytes(change(path.read_bytes()))


def recorded(change):
    return lambda path, sidecar: sidecar.write_text(change(sidecar.read_text()))


flip = rewritten(lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
damage_header = rewritten(lambda data: b"\0" * 64 + data[64:])
cut = rewritten(lambda data: data[:-100])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip, "checksum is wrong"),
        (damage_header, "checksum is wrong"),
        (cut, "bytes, not"),
        (rewritten(lambda data: b""), "it has 0 bytes"),
        (lambda path, sidecar: sidecar.unlink(), "a.npy.json is missing"),
        (recorded(lambda text: text[:30]), "a.npy.json is damaged"),
        (recorded(lambda text: "[]"), "a.npy.json is damaged"),
        (recorded(lambda text: text.replace("crc32", "crc")), "a.npy.json is damaged"),
        (
            recorded(lambda text: text.replace('_version": 1', '_version": 2')),
            "schema_version is 2, not 1",
        ),
    ],
)
def test_damage_is_told_and_built_again(
    array, generate, tmp_path, caplog, damage, reason
):
    array()
    damage(tmp_path / "a.npy", tmp_path / "a.npy.json")
    assert_array_equal(array(), expected())
    assert generate.calls == 2
    assert str(tmp_path / "a.npy") in caplog.text
    assert reason in caplog.text
    caplog.clear()
    array()
    assert generate.calls == 2
    assert not caplog.text


@pytest.fixture
def readings(monkeypatch):
    """The files that were read whole; notes of that are trusted at once."""
    read, checksum = [], files.checksum
    monkeypatch.setattr(cache, "_TICK", 0)
    monkeypatch.setattr(
        files, "checksum", lambda path: read.append(path) or checksum(path)
    )
    return read


def test_the_file_is_read_once_after_each_change(array, tmp_path, readings):
    array()
    readings.clear()
    time.sleep(0.02)  # Longer than a tick of the file system's clock.
    for _ in range(3):
        array()
    assert readings == [tmp_path / "a.npy"]
    os.utime(tmp_path / "a.npy")
    for _ in range(2):
        array()
    assert len(readings) == 2
    # A copy that keeps all times is another file, which nobody has read.
    shutil.copytree(tmp_path, tmp_path / "copy")
    for _ in range(2):
        array(directory=tmp_path / "copy")
    assert len(readings) == 3


@pytest.mark.parametrize("damage", [flip, damage_header, cut])
def test_damage_after_the_file_was_found_whole(
    array, generate, tmp_path, readings, caplog, damage
):
    """Also by a program that sets the old time of writing again."""
    array()
    array()
    assert (tmp_path / ".a.verified").exists()
    before = (tmp_path / "a.npy").stat()
    time.sleep(0.02)
    damage(tmp_path / "a.npy", None)
    os.utime(tmp_path / "a.npy", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert_array_equal(array(), expected())
    assert generate.calls == 2
    assert "Building it again" in caplog.text


def test_a_note_is_not_trusted_within_a_tick(array, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_TICK", 10**15)
    array()
    array()
    assert not (tmp_path / ".a.verified").exists()


def test_the_message_reaches_stderr_without_any_logging_set_up(array, tmp_path):
    array()
    flip(tmp_path / "a.npy", None)
    process = child("build(lambda out, progress: None)", tmp_path)
    _, err = process.communicate()
    assert process.returncode == 0
    assert "a.npy: its checksum is wrong" in err


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": (500, 8)}, "shape is"),
        ({"dtype": np.uint8}, "dtype is"),
        ({"description": {"seed": 1}}, "description is"),
    ],
)
def test_another_array_under_the_same_name_is_built_again(
    array, generate, caplog, changes, reason
):
    array()
    again = array(**changes)
    assert generate.calls == 2
    assert reason in caplog.text
    assert again.shape == changes.get("shape", SHAPE)
    assert again.dtype == changes.get("dtype", np.int32)


def test_missing_array_beside_its_sidecar_is_built(array, generate, tmp_path):
    array()
    (tmp_path / "a.npy").unlink()
    assert_array_equal(array(), expected())


def test_an_open_map_outlives_the_rebuilding(array, tmp_path):
    first = array()
    (tmp_path / "a.npy.json").unlink()
    array()
    assert_array_equal(first, expected())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_a_failing_generator_leaves_nothing(array, tmp_path, error):
    def fail(out, progress):
        out[0] = 1
        raise error("mine")

    with pytest.raises(error, match="mine"):
        array(generate=fail)
    assert names(tmp_path) == []
    assert_array_equal(array(), expected())


def test_a_killed_process_leaves_no_final_name_and_is_cleaned_up(array, tmp_path):
    code = "build(lambda out, progress: os.kill(os.getpid(), signal.SIGKILL))"
    process = child(code, tmp_path)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (left,) = names(tmp_path)
    assert left.startswith(".a.")
    (tmp_path / ".a.b.12345678.tmp.npy").touch()  # of another array
    array()
    assert names(tmp_path) == [".a.b.12345678.tmp.npy", "a.npy", "a.npy.json"]


BUILD = """
def generate(out, progress):
    print("generating", flush=True)
    sys.stdin.readline()
    out[...] = 7
print(build(generate).sum())
"""


@pytest.fixture
def pair(tmp_path):
    """A process that builds, and one that says that it waits for the first."""
    first = child(BUILD, tmp_path, stdin=subprocess.PIPE)
    assert first.stdout.readline() == "generating\n"
    second = child(BUILD, tmp_path, stdin=subprocess.PIPE)
    assert "is being built by another process" in second.stderr.readline()
    return first, second


def test_of_two_processes_one_builds_and_the_other_waits_and_shares(pair, tmp_path):
    assert len(names(tmp_path)) == 1
    for process in pair:
        out, err = process.communicate("\n")
        assert (process.returncode, err) == (0, "")
        assert int(out) == 7 * 8000, "the second has not generated"
    assert names(tmp_path) == ["a.npy", "a.npy.json"]


def test_who_waits_for_a_killed_builder_builds(pair, tmp_path):
    first, second = pair
    first.kill()
    first.communicate()
    out, err = second.communicate("\n")
    assert (second.returncode, out, err) == (0, "generating\n56000\n", "")
    assert names(tmp_path) == ["a.npy", "a.npy.json"]


def test_ctrl_c_ends_the_waiting(pair):
    first, second = pair
    second.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in second.communicate()[1]
    assert first.communicate("\n")[0] == "56000\n"


def assert_refused(array, folder, reason, rule="be writable"):
    with pytest.raises(ArgumentError) as caught:
        array(directory=folder)
    text = str(caught.value)
    assert f"{folder} must {rule}" in text
    assert reason in text
    # The folder was given by name: the variable is not the matter.
    assert "$TF_DISENTANGLE_CACHE" not in text


def test_the_usual_folder_is_changed_by_its_variable(array, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "file"))
    rule = r"the cache folder, \$TF_DISENTANGLE_CACHE, must be writable"
    with pytest.raises(ArgumentError, match=rule):
        array(directory=None)


def test_too_little_space_is_refused_before_starting(
    array, generate, tmp_path, monkeypatch
):
    usage = cache.shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage)
    assert_refused(array, tmp_path, "No space left", NO_SPACE)
    assert generate.calls == 0
    assert names(tmp_path) == []


def reserving_fails(monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cache.os, "posix_fallocate", fail)


def test_full_disk_while_reserving_leaves_nothing(array, tmp_path, monkeypatch):
    reserving_fails(monkeypatch, errno.ENOSPC)
    assert_refused(array, tmp_path, "No space left", NO_SPACE)
    assert names(tmp_path) == []


def test_file_size_limit_of_the_system(tmp_path):
    code = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        build(lambda out, progress: None)
    except ValueError as error:
        print(error)
    """
    out, err = child(code, tmp_path).communicate()
    assert "3.2e-05 GB free" in out, err
    assert "File too large" in out
    assert names(tmp_path) == []


def test_file_systems_without_reservation(array, generate, monkeypatch):
    reserving_fails(monkeypatch, errno.EOPNOTSUPP)
    assert_array_equal(array(), expected())
    array()
    assert generate.calls == 1


def test_a_folder_that_cannot_be_made(array, tmp_path):
    (tmp_path / "file").write_text("")
    assert_refused(array, tmp_path / "file" / "below", "Not a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(array, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    assert_refused(array, folder, "Permission denied")


def test_wrong_keys_and_shapes(array):
    for key in ("", "../a", "a/b", ".a"):
        with pytest.raises(ArgumentError, match="key must"):
            array(key=key)
    with pytest.raises(ArgumentError, match="shape must be at least 1"):
        array(shape=(0, 3))


def test_cache_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TF_DISENTANGLE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_dir() == tmp_path / ".cache" / "tf_disentangle"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / ".cache" / "tf_disentangle"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "tf_disentangle"
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", "~/mine")
    assert cache_dir() == tmp_path / "mine"
    for name in ("$TF_DISENTANGLE_CACHE", "$XDG_CACHE_HOME", "~/.cache"):
        assert name in CACHE_HELP


def test_default_folder_is_made(array, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "new" / "cache"))
    array(directory=None)
    assert names(tmp_path / "new" / "cache") == ["a.npy", "a.npy.json"]
