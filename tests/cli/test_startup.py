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
