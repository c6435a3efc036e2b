"""What a command's process is told before it starts, and after it died."""

import os
import signal
import subprocess
import sys

import pytest

WATCHED = """
import os, signal, sys
from tf_disentangle.cli import process
process.explain_sudden_death()
"""


@pytest.mark.parametrize(
    ("end", "code", "explained"),
    [
        ("", 0, False),
        ("sys.exit(2)", 2, False),
        ("raise RuntimeError", 1, False),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, True),
        ("os.kill(os.getpid(), signal.SIGBUS)", -signal.SIGBUS, True),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV, True),
    ],
)
def test_only_a_sudden_death_is_explained(end, code, explained):
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + end], capture_output=True, text=True
    )
    assert done.returncode == code
    assert ("the same command goes on" in done.stderr) == explained


def test_another_locale_than_utf8_is_left():
    code = (
        "import sys; from tf_disentangle.cli import process; process.require_utf8()\n"
        "print(sys.getfilesystemencoding(), ascii(sys.argv[1:]))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "LANG"}
    environment |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, "läufe"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.stdout == "utf-8 ['l\\xe4ufe']\n", done.stderr
