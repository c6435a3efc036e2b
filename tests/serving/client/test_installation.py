"""The client where it alone is installed."""

import pathlib
import shutil
import subprocess
import venv

import pytest

from tests.serving.client import fake

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXTRA = """
from importlib.metadata import requires
for each in requires("tf_disentangle"):
    if each.endswith('extra == "client"'):
        print(each.split(";")[0])
"""
CODE = """
import importlib.util, sys
import numpy as np
import tf_disentangle
for name in ("tensorflow", "keras", "tensorflow_probability", "scipy", "absl"):
    assert importlib.util.find_spec(name) is None, name
for url in sys.argv[1:]:
    with tf_disentangle.serving.Client(url, "tiny") as client:
        print(client.encode(np.full((1, 4, 4, 1), 7, np.uint8)).tolist())
"""


@pytest.mark.slow
def test_in_an_environment_without_tensorflow(tmp_path):
    """Installs the package and its extra `client` from the registry, nothing else."""
    source = tmp_path / "source"  # A copy, since the build leaves folders behind.
    parts = ("tf_disentangle", "gin", "setup.py", "pyproject.toml", "README.md")
    for part in parts:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / part, source / part)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", source], check=True)
    done = subprocess.run([python, "-c", EXTRA], capture_output=True, text=True)
    subprocess.run([*pip, *done.stdout.split()], check=True)
    with fake.by_grpc(fake.Fake()) as url, fake.by_rest() as rest:
        done = subprocess.run(
            [python, "-c", CODE, url, rest.url],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin"},
        )
    assert done.stdout == "[[7.0, 7.0, 7.0, 7.0]]\n" * 2, done.stderr
