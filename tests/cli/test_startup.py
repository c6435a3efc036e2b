"""What happens before a command starts: locale, backend, TensorFlow's import."""

import json
import os
import subprocess
import sys

import pytest

from tf_disentangle import checks
from tf_disentangle.cli import startup


def python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def test_another_locale_than_utf8_is_left():
    code = (
        "import sys; from tf_disentangle.cli import process; process.require_utf8()\n"
        "print(sys.getfilesystemencoding(), ascii(sys.argv[1:]))"
    )
    other = {"LANG": "", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = python(code, "läufe", **other)
    assert done.stdout == "utf-8 ['l\\xe4ufe']\n", done.stderr


NOTE = (
    "import os; from tf_disentangle import quiet\n"
    "with quiet.held_back_stderr(): os.write(2, b'a note of TensorFlow')\n"
)


@pytest.mark.parametrize(("level", "shown"), [("0", True), ("1", True), ("2", False)])
def test_tensorflows_notes_are_held_back_unless_the_user_asks_for_them(level, shown):
    done = python(NOTE, TF_CPP_MIN_LOG_LEVEL=level)
    assert done.returncode == 0
    assert done.stderr == ("a note of TensorFlow" if shown else "")


def test_they_are_shown_where_the_import_may_abort_or_fails():
    without_avx = NOTE.replace("\n", "; quiet.cpu_flags = lambda: {'sse'}\n", 1)
    aborted = without_avx.replace("TensorFlow')", "TensorFlow'); os.abort()")
    assert "a note of TensorFlow" in python(aborted).stderr
    failed = python(NOTE.replace("TensorFlow')", "TensorFlow'); 1 / 0"))
    assert failed.stderr.startswith("a note of TensorFlowTraceback")


@pytest.mark.parametrize(
    "closing", ["sys.stderr.close()", "os.close(2)", "os.close(2); sys.stderr = None"]
)
def test_a_process_without_stderr_holds_nothing_back(closing):
    code = (
        f"import os, sys; from tf_disentangle import quiet; {closing}\n"
        "with quiet.held_back_stderr(): print('imported')\n"
    )
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


def test_so_does_one_that_was_started_without_it():
    code = NOTE.replace("os.write(2, b'a note of TensorFlow')", "print('imported')")
    command = f'exec {sys.executable} -c "{code}" 2>&-'
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, b"imported\n")


def test_garbage_is_collected_again_after_the_import():
    code = (
        "from tf_disentangle.cli import startup; startup.import_tensorflow(); "
        "import gc; print(gc.isenabled(), gc.get_freeze_count() > 100_000)"
    )
    done = python(code)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_of_keras_is_refused_before_keras_is_imported(backend):
    code = (
        "import sys; from tf_disentangle.cli.main import main; sys.exit(main(['list']))"
    )
    done = python(code, KERAS_BACKEND=backend)
    assert done.returncode == 2
    assert done.stderr == (
        "tf_disentangle list: KERAS_BACKEND must be tensorflow, on which the models "
        f"are built; received '{backend}'. Unset it, or set KERAS_BACKEND=tensorflow.\n"
    )


@pytest.mark.parametrize(
    ("settings", "fits"),
    [
        (json.dumps({"backend": "jax"}), False),
        (json.dumps({"backend": "tensorflow"}), True),
        (json.dumps({"floatx": "float32"}), True),
        ("[]", True),
        ("{", True),
        (None, True),
    ],
)
def test_so_is_one_in_kerass_settings_unless_the_environment_says_otherwise(
    settings, fits, tmp_path, monkeypatch
):
    if settings is not None:
        (tmp_path / "keras.json").write_text(settings)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "")
    if fits:
        startup.require_tensorflow_backend()
    else:
        with pytest.raises(checks.ArgumentError, match=r'"backend" in .*keras.json'):
            startup.require_tensorflow_backend()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    startup.require_tensorflow_backend()
