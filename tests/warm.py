"""Processes of their own that start at once: forked from one that has TensorFlow.

An import takes five seconds, a fork none. TensorFlow cannot be forked once it has run
an operation: the process that is forked here has imported it and run nothing. What a
process imports, and how it starts, is tested with real ones: tests/cli/test_commands.py
and tests/cli/test_startup.py.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Reads a line for each process: what it is to run, where, with which environment.
_FORKED = """
import json, os, sys
sys.argv = [""]
from tf_disentangle.cli import startup
startup.import_tensorflow()
import tf_disentangle
from tests import undrawn
from tf_disentangle import datasets, latents, metrics, models, networks, objectives
from tf_disentangle import priors, training
from tf_disentangle.cli import train
from tensorboard.plugins import projector  # What a run imports when it first needs it.
from tensorboard.plugins.custom_scalar import summary
from tensorboard.plugins.hparams import api
from matplotlib.backends import backend_agg
from tensorflow.python.eager import context
if context.context()._initialized:
    sys.exit("TensorFlow has run something: it cannot be forked")
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if not child:
        break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, flush=True)
else:
    os._exit(0)
for number in (0, 1, 2):
    os.dup2(os.open(os.devnull if not number else asked["said"][number - 1],
                    os.O_RDONLY if not number else os.O_WRONLY | os.O_APPEND), number)
os.chdir(asked["cwd"])
os.environ.clear()
os.environ.update(asked["env"])
sys.argv[1:] = asked["arguments"]
exec(compile(asked["code"], "<code>", "exec"), {"__name__": "__main__"})
"""


class Warm:
    """Runs code in forks of one process, which the first of them starts."""

    def __init__(self):
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process is not None:
            self._process.communicate()

    def run(self, code, *arguments, cwd=ROOT, env=None):
        """Runs code to its end; returns what `subprocess.run` does, as text."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _FORKED],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        with (
            tempfile.NamedTemporaryFile("r") as out,
            tempfile.NamedTemporaryFile("r") as err,
        ):
            asked = {
                "code": code,
                "arguments": [*map(str, arguments)],
                "cwd": str(cwd),
                "env": dict(os.environ if env is None else env),
                "said": [out.name, err.name],
            }
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(code, status, out.read(), err.read())
