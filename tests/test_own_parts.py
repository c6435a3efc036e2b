"""The parts that the guide's pages on own parts write: their gin files and tests.

A block whose first line is `# name.py` or `# name.gin` is that file. The gin files are
built as `bin/train --check` builds them, on the page's own modules.
"""

import pathlib
import re

import pytest

GUIDE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "guide"
PAGES = [*sorted(GUIDE.glob("own_*.md")), GUIDE / "your_own_parts.md"]

_BUILD = """
import sys
sys.path.insert(0, "")
from tf_disentangle import configuration
for test in sys.argv[1].split(","):
    if test:
        exec(open(test).read(), {})
for file in sys.argv[2:]:
    configuration.parse([file], ["train.steps = 2"])
    run = configuration.build("train", output="run", dry_run=True)
    configuration.drop_unused()
    print(file, run.model.objective.name, type(run.model.latents.prior).__name__)
"""

# The network of the page hands its seed on to Keras's initialisers.
_CRITICS = """
import sys
sys.path.insert(0, "")
import functools
import keras
import numpy as np
from my_networks import residual_encoder
from tf_disentangle import configuration
from tf_disentangle.models import build_infogan, build_vae
from tf_disentangle.networks import mlp_critic
from tf_disentangle.objectives import factor_vae

def of_codes(num_inputs, *, seed, dtype):
    codes = keras.Input((num_inputs,))
    images = keras.layers.Reshape((1, 1, num_inputs))(codes)
    network = residual_encoder((1, 1, num_inputs), 1, seed=seed, dtype=dtype)
    return keras.Model(codes, network(images))

small = functools.partial(residual_encoder, channels=2)
shape, codes = (32, 32, 1), {"latents": 2, "objective": factor_vae()}
for build in (
    functools.partial(build_vae, critic=of_codes, **codes),
    functools.partial(build_infogan, latents=2, critic=small),
):
    one, same, other = (build(shape, seed).critic.weights[0] for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
bindings = ["build_vae.critic = @mlp_critic", "build_vae.objective = @factor_vae()"]
bindings += ["build_vae.latents = 2", "train.seed = 3"]
configuration.parse(["mine.gin"], ["train.model = @build_vae", *bindings])
made = configuration.build("train", output="run", dry_run=True).model.critic
expected = mlp_critic(2, seed=3 + 2**63)
for weights, others in zip(made.weights, expected.weights, strict=True):
    assert np.array_equal(weights, others)
"""


def files_of(page, folder):
    """Writes the blocks that name a file; tests become test_N.py. Returns names."""
    text = page.read_text(encoding="utf-8")
    names = []
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        named = re.match(r"# (\w+\.(?:py|gin))\n", block)
        if named or "\ndef test_" in block:
            names.append(named[1] if named else f"test_{len(names)}.py")
            (folder / names[-1]).write_text(block, encoding="utf-8")
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_gin_files_build_and_its_tests_pass(page, tmp_path, warm):
    names = files_of(page, tmp_path)
    tests = [name for name in names if name.startswith("test_")]
    gins = [name for name in names if name.endswith(".gin")]
    assert gins and (tests or page.stem == "your_own_parts")
    done = warm.run(_BUILD, ",".join(tests), *gins, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == gins
    commands = re.findall(r"--gin_file=(mine\w*\.gin)", page.read_text())
    assert set(commands) <= set(gins)


def test_its_network_is_a_critic_too_and_gin_changes_no_seed(tmp_path, warm):
    files_of(GUIDE / "your_own_parts.md", tmp_path)
    done = warm.run(_CRITICS, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
