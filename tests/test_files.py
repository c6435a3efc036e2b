"""Files appear whole or not at all."""

import os
import subprocess
import sys
import threading
import time

import pytest

from tf_disentangle import checks, files


def test_replaces_at_once(tmp_path):
    path = tmp_path / "new" / "a.json"
    files.write_json(path, {"a": 1})
    files.write_json(path, {"a": 2})
    assert path.read_text() == '{\n  "a": 2\n}\n'
    assert os.listdir(path.parent) == ["a.json"]


def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_at_once(tmp_path):
    with files.replacing(tmp_path / "1") as temporary:
        temporary.mkdir()
        (temporary / "x").write_text("x")
        assert not (tmp_path / "1").exists()
    assert (tmp_path / "1" / "x").read_text() == "x"


def test_a_folder_takes_the_place_of_another(tmp_path):
    for content in ("old", "new"):
        with files.replacing(tmp_path / "1") as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content)
    assert os.listdir(tmp_path) == ["1"]
    assert os.listdir(tmp_path / "1") == ["new"]


def test_remove_and_remove_temporaries(tmp_path):
    for name in (".a.7.tmp", ".step-2.7.old.tmp", "keep", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
    files.write_text(tmp_path / "gone", "x")
    files.remove(tmp_path / "gone")
    files.remove_temporaries(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "keep"]


def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path):
    code = (
        "import os, signal; from tf_disentangle import files\n"
        f"with files.replacing({str(tmp_path / 'a')!r}) as t:\n"
        "    t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code])
    assert not (tmp_path / "a").exists()


def test_full_disk_is_explained(tmp_path):
    code = (
        "import resource, signal; from tf_disentangle import files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"files.write_text({str(tmp_path / 'a')!r}, 'x' * 5000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ArgumentError: output must be writable" in done.stderr
    assert "ulimit -f" in done.stderr
    assert os.listdir(tmp_path) == []


def test_path_through_a_file_is_explained(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(checks.ArgumentError, match="part of the path is a file"):
        files.write_text(tmp_path / "file" / "a", "x")


def test_a_lock_keeps_another_process_out_and_falls_with_it(tmp_path):
    code = (
        "import sys; from tf_disentangle import files\n"
        f"with files.locked({str(tmp_path / 'lock')!r}) as held:\n"
        "    print(held, flush=True); sys.stdin.readline()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", code], **pipes)
    assert other.stdout.readline() == "True\n"
    rule = "run must not be in use by another process"
    lock = files.locked(tmp_path / "lock", "run")
    with pytest.raises(checks.ArgumentError, match=rule), lock:
        raise AssertionError
    other.kill()
    other.communicate()
    with files.locked(tmp_path / "lock", "run") as held:
        assert held


def test_waiting_for_a_lock_is_told(tmp_path, caplog):
    def later():
        with files.locked(tmp_path / "lock", notice="waiting for it"):
            done.append(2)

    done, other = [], threading.Thread(target=later)
    with files.locked(tmp_path / "lock"):
        other.start()
        time.sleep(0.3)
        done.append(1)
    other.join()
    assert done == [1, 2]
    assert "waiting for it" in caplog.text


def test_a_checksum_is_that_of_the_content(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"123456789")
    assert files.checksum(path) == 0xCBF43926  # the check value of CRC-32
