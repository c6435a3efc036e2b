"""Runs killed with SIGKILL and started again end as if they had not been.

Each is a process of its own, and runs the command line.
"""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle.training.checkpoints import find, step_of

SMALL = """
include 'vae.gin'
CorrelatedEllipses.num_images = 500
build_vae.encoder = @mlp_encoder
build_vae.decoder = @mlp_decoder
mlp_encoder.width = 8
mlp_decoder.width = 8
train.steps = {steps}
train.batch_size = 8
train.validation_size = 16
train.seed = {seed}
Intervals.log = {log}
Intervals.evaluate = {log}
Intervals.save = {save}
Intervals.pictures = {pictures}
Intervals.score = {save}
Device.steps_per_execution = 2
train.callbacks = [@EarlyStopping()]
EarlyStopping.monitor = 'val_elbo'
EarlyStopping.mode = '{mode}'
EarlyStopping.patience = 4
factor_vae_score.num_train_votes = 20
factor_vae_score.num_test_votes = 20
"""

# What each process does before it trains: let itself be killed at a moment.
KILL = """
import os, signal, sys, threading
from tf_disentangle import files
from tf_disentangle.cli import main
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.training import checkpoints, loop, reporting, run_folder

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

def at_call(number, owner, name, kill=die):
    "Has `kill` called in place of the `number`-th call of `owner.name`."
    original, calls = getattr(owner, name), []
    def counted(*arguments, **options):
        calls.append(name)
        function = kill if len(calls) == number else original
        return function(*arguments, **options)
    setattr(owner, name, counted)

def at_removal(part):
    "Dies once the first path with `part` in it has been put aside to be removed."
    remove = files.remove
    def aside(path):
        if part not in str(path):
            return remove(path)
        path.rename(path.with_name(f".{path.name}.1.old.tmp"))
        die()
    files.remove = aside

CODE
sys.exit(main.main(sys.argv[1:]))
"""

MOMENTS = {
    "while the data cache is written": """
def half(self, out, progress):
    out[:250] = 1
    die()
CorrelatedEllipses._generate = half
""",
    "while a row is written": """
def half(self, row):
    with open(self.metrics, "a") as file:
        file.write('{"step": 6, "lo')
    die()
at_call(4, run_folder.RunFolder, "append", half)
""",
    "in the middle of a step": """
def begin(self, epoch, logs=None):
    self._start = 0.0
    if epoch == 3:
        threading.Timer(0.01, die).start()
reporting.Speed.on_epoch_begin = begin
""",
    "in a page of the data cache that is gone": """
import pathlib
def begin(self, epoch, logs=None):
    self._start = 0.0
    if epoch == 3:
        for path in pathlib.Path(os.environ["TF_DISENTANGLE_CACHE"]).glob("*.npy"):
            os.truncate(path, 4096)
reporting.Speed.on_epoch_begin = begin
""",
    "while a checkpoint is written": """
at_call(4, checkpoints, "_contents")
""",
    "while an old checkpoint is removed": """
at_removal("checkpoints")
""",
    "while old events are removed": """
at_removal("events.out")
""",
    "while scores are computed": """
at_call(1, loop, "evaluate")
""",
}
# What is left in the run's folder shows that the moment was the one meant.
LEFT = {
    "while a checkpoint is written": "checkpoints/**/.step-*.????????.tmp",
    "while an old checkpoint is removed": "checkpoints/**/.step-*.old.tmp",
    "while old events are removed": "**/.events.out.*.old.tmp",
}
# One of each kind: a file that grows, a folder under its temporary name, a removal,
# and a computation, which here the system kills.
KINDS = (
    "while a row is written",
    "in a page of the data cache that is gone",
    "while a checkpoint is written",
    "while old events are removed",
)


class Runs:
    """Runs training commands of one configuration."""

    def __init__(self, warm, folder, **settings):
        self.warm, self.folder = warm, folder
        self.gin_file = folder / "small.gin"
        settings = {
            "steps": 12,
            "log": 2,
            "save": 4,
            "pictures": 0,
            "seed": 0,
            "mode": "max",
        } | settings
        self.gin_file.write_text(SMALL.format(**settings))

    def options(self, output):
        return ["train", f"--gin_file={self.gin_file}", f"--output={output}"]

    def run(self, output, code="", cache=None):
        """Runs the command, and code before it, to its end or its death."""
        environment = dict(os.environ)
        if cache is not None:
            environment["TF_DISENTANGLE_CACHE"] = str(cache)
        code = KILL.replace("CODE", code)
        return self.warm.run(code, *self.options(output), env=environment)

    def finish(self, output, **options):
        done = self.run(output, **options)
        assert done.returncode == 0, done.stderr

    def start(self, output):
        """Starts the command as its users do."""
        command = [sys.executable, "-m", "tf_disentangle", *self.options(output)]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(command, **silent)


def state(output, which="last"):
    """Everything in a checkpoint: step, weights, optimiser, running means."""
    path = find(output / "checkpoints", which)
    reader = tf.train.load_checkpoint(str(path / "state"))
    names = sorted(reader.get_variable_to_shape_map())
    # Names of objects, and a count of saves: not the run's state.
    skipped = ("_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter")
    return {"step": step_of(path)} | {
        n: np.asarray(reader.get_tensor(n)).tobytes()
        for n in names
        if not n.startswith(skipped)
    }


def rows(output):
    lines = (output / "metrics.jsonl").read_text().splitlines()
    clock = ("wall_time", "images_per_second")
    return [
        {k: v for k, v in json.loads(line).items() if k not in clock} for line in lines
    ]


def assert_same(output, whole):
    for which in ("last", "best"):
        assert state(output, which) == state(whole, which)
    assert rows(output) == rows(whole)
    assert json.loads((output / "run.json").read_text())["status"] == "finished"
    left = [p for p in output.rglob(".*") if p.suffix != ".lock" and p.name != ".lock"]
    assert left == [], "nothing half-written is left"
    pictures = [
        sorted(p.name for p in (o / "pictures").iterdir()) for o in (output, whole)
    ]
    assert pictures[0] == pictures[1]


@pytest.fixture(scope="module")
def runs(warm, tmp_path_factory):
    """EarlyStopping ends them: the ELBO should fall, and does not."""
    runs = Runs(warm, tmp_path_factory.mktemp("kills"), mode="min", steps=40)
    runs.finish(runs.folder / "whole")
    assert len(state(runs.folder / "whole")) > 20, "weights and moments"
    steps = [row["step"] for row in rows(runs.folder / "whole")]
    assert steps == [2, 4, 4, 6, 8, 8, 10, 10], "scores every 4 steps, at the end"
    return runs


def kill_at(moments, runs, folder):
    """Starts one run again and again, killed at one moment after the other."""
    is_gone = False
    for moment in moments:
        cache, code = folder / "cache", MOMENTS[moment]
        killed = runs.run(folder / "run", code=code, cache=cache)
        text = killed.stderr
        assert ("Building it again" in text) == is_gone, f"{moment}: {text}"
        is_gone = "gone" in moment
        # The system kills whoever reads a page that is gone.
        number = signal.SIGBUS if is_gone else signal.SIGKILL
        assert killed.returncode == -number, f"{moment}: {text}"
        if moment in LEFT:
            assert [*(folder / "run").glob(LEFT[moment])], moment
        if "is written" in moment and "cache" in moment:
            final = list(folder.rglob("[!.]*.npy"))
            assert not final, "no half-written array has its final name"


def test_a_run_killed_at_each_kind_of_moment_comes_to_the_same_end(runs, tmp_path):
    kill_at(KINDS, runs, tmp_path)
    runs.finish(tmp_path / "run", cache=tmp_path / "cache")
    assert_same(tmp_path / "run", runs.folder / "whole")


@pytest.mark.slow
def test_a_run_killed_at_every_moment_comes_to_the_same_end(warm, runs, tmp_path):
    drawn = Runs(warm, tmp_path, mode="min", steps=40, pictures=4)
    kill_at(MOMENTS, drawn, tmp_path)
    for _ in range(2):  # To the end, and once more: nothing is left to do.
        drawn.finish(tmp_path / "run", cache=tmp_path / "cache")
        assert_same(tmp_path / "run", runs.folder / "whole")


@pytest.mark.slow
def test_a_loop_over_seeds_killed_twenty_times_at_random(warm, tmp_path):
    """Prints a line for the ledger."""
    rng, kills, seed = np.random.default_rng(0), 0, 0
    reached = []
    while kills < 20:
        folder = tmp_path / str(seed)
        folder.mkdir()
        runs = Runs(warm, folder, steps=600, log=20, save=100, seed=seed)
        started = time.monotonic()
        assert runs.start(folder / "whole").wait() == 0
        seconds = time.monotonic() - started
        for _ in range(7):
            if kills == 20:
                break
            process = runs.start(folder / "run")
            try:
                process.wait(timeout=rng.uniform(0.2, 1.0) * seconds)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                found = (folder / "run" / "metrics.jsonl").exists()
                done = rows_done(folder / "run") if found else 0
                reached.append(done)
        runs.finish(folder / "run")
        assert_same(folder / "run", folder / "whole")
        seed += 1
    print(f"\n{kills} kills over {seed} runs, at rows of steps {reached}: all equal")


def rows_done(output):
    """Step of the last whole row."""
    lines = (output / "metrics.jsonl").read_text().split("\n")[:-1]
    return json.loads(lines[-1])["step"] if lines else 0
