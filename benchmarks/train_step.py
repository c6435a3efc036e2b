"""Images per second of the whole training, beside a bare loop in plain PyTorch.

    .venv/bin/python benchmarks/train_step.py --torch_python=/path/with/torch/python

Ours is `train` as bin/train calls it: data pipeline, statistics, progress
bar, metrics.jsonl and TensorBoard included, for the files at gin/'s top in float32,
CHyVAE in mixed bfloat16 too, and FactorVAE with one critic update beside its five.
PyTorch is benchmarks/torch_reference.py and, for FactorVAE, torch_factor_vae.py. Each
contestant is a process that sleeps while the others run; rounds are interleaved. All
of them take 20 GB: name a few with --only. A name there may be a file of gin/ and
bindings after it, as "vae Device.steps_per_execution=20". Mixed bfloat16 is left out
where the machine has to emulate it, which takes minutes for a step.
Printed: the median speed of each, and the median over the rounds of the ratios of an
image's time to the VAE's (of a step's, where batches are equal), and of the speed to
PyTorch's. Use a machine that does nothing else. Where there is none, `--clock=cpu
--threads=1` counts a single thread's seconds, which other work changes little (of
several, some are spent in waiting for each other). A word in capitals is a variable of
that process: "vae TF_NUM_INTEROP_THREADS=2".
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
PLAIN, FACTOR = "torch_reference.py", "torch_factor_vae.py"
FILES = sorted((HERE.parent / "gin").glob("*.gin"))
CONTESTANTS = {  # gin file, bindings, what it is compared with in PyTorch
    **{file.stem: (file.name, [], []) for file in FILES},
    "vae": ("vae.gin", [], [PLAIN]),
    "beta_vae": ("beta_vae.gin", [], [PLAIN]),
    "chyvae": ("chyvae.gin", [], [PLAIN]),
    "chyvae bfloat16": (
        "chyvae.gin",
        ["build_vae.precision='mixed_bfloat16'"],
        [PLAIN],
    ),
    "factor_vae": ("factor_vae.gin", [], [FACTOR, "5"]),
    "factor_vae 1": ("factor_vae.gin", ["CriticTraining.updates=1"], [FACTOR, "1"]),
}


def contestant(name):
    """Returns the gin file, bindings and yardstick of a name given to --only."""
    if name in CONTESTANTS:
        return CONTESTANTS[name]
    file, *words = name.split()
    return f"{file}.gin", [word for word in words if not is_variable(word)], []


def is_variable(word):
    """Whether a word of a name sets a variable of the environment, not a binding."""
    return word.partition("=")[0].isupper()


def environment(name):
    """Returns the environment of a contestant's process."""
    words = [] if name in CONTESTANTS else name.split()
    own = dict(word.split("=", 1) for word in words if is_variable(word))
    return {**os.environ, **own}


def worker(name, steps, rounds, clock, threads):
    """Trains; waits for a line before each interval, answers with its speed."""
    from tf_disentangle.cli import startup

    startup.import_tensorflow()
    import keras
    import tensorflow as tf

    from tf_disentangle import configuration

    tf.config.threading.set_intra_op_parallelism_threads(threads)

    class TakeTurns(keras.callbacks.Callback):
        """The clock runs from one interval's start to the next: logging included."""

        def answer(self):
            images = steps * run.batches.batch_size
            print(images / (clock() - self.start), flush=True)

        def on_epoch_begin(self, epoch, logs=None):
            if epoch:
                self.answer()
            sys.stdin.readline()
            self.start = clock()

        def on_train_end(self, logs=None):
            self.answer()

    gin_file, own, _ = contestant(name)
    with tempfile.TemporaryDirectory() as folder:
        bindings = [
            *own,
            f"train.steps = {steps * (rounds + 1)}",
            f"Intervals.log = {steps}",
            "Intervals.evaluate = 0",
            "Intervals.save = 0",
            "Intervals.pictures = 0",
            "train.metrics = []",
        ]
        configuration.parse([gin_file], bindings)
        turns = {"output": folder, "callbacks": [TakeTurns()]}
        run = configuration.build("train", dry_run=True, **turns)
        run.start()


def start(command, env=None):
    """Starts a contestant's process."""
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def turn(process):
    """Lets a contestant run one interval."""
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"a contestant ended: {' '.join(process.args)}")
    return float(line)


def has_bfloat16():
    """Whether this machine computes in bfloat16; asked in a process of its own."""
    question = (
        "import warnings; from tf_disentangle.models import precision; "
        "warnings.simplefilter('error', UserWarning); "
        "precision.check_precision('mixed_bfloat16')"
    )
    asked = subprocess.run([sys.executable, "-c", question], capture_output=True)
    return asked.returncode == 0


def has_torch(python):
    """Whether that Python can import torch."""
    done = subprocess.run([python, "-c", "import torch"], capture_output=True)
    return done.returncode == 0


def compared(speeds, name, other):
    """Returns the ratio of two contestants' speeds: median and all rounds."""
    if name not in speeds or other not in speeds:
        return "-"
    pairs = zip(speeds[name][1:], speeds[other][1:], strict=True)
    ratios = [a / b for a, b in pairs]
    rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{statistics.median(ratios):.2f} ({rounds})"


def main():
    """Runs the rounds and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch_python", default=sys.executable)
    parser.add_argument("--steps", type=int, default=100, help="per interval")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        clock = CLOCKS[options.clock]
        arguments = (options.steps, options.rounds, clock, options.threads)
        worker(options.worker, *arguments)
        return
    names = ("steps", "rounds", "clock", "threads")
    common = [f"--{name}={getattr(options, name)}" for name in names]
    processes, yardsticks = {}, {}
    torch = has_torch(options.torch_python)
    if not torch:
        print("torch is missing: no yardstick; see --torch_python")
    for name in options.only:
        if "bfloat16" in name and not has_bfloat16():
            print(f"{name}: left out, for this machine would emulate bfloat16")
            continue
        arguments = [*common, "--worker", name]
        command = [sys.executable, __file__, *arguments]
        processes[name] = start(command, environment(name))
        script, *updates = contestant(name)[2] or [None]
        yardsticks[name] = " ".join(["PyTorch", *updates])
        if script and yardsticks[name] not in processes and torch:
            settings = [str(options.steps), str(options.threads), options.clock]
            command = [options.torch_python, str(HERE / script), *settings, *updates]
            processes[yardsticks[name]] = start(command)
    speeds = {name: [] for name in processes}
    for _ in range(options.rounds + 1):  # the first, with compilation, does not count
        for name, process in processes.items():
            speeds[name].append(turn(process))
    width = max(map(len, speeds))
    print(f"{'':{width}} images/s  time of an image, the VAE's 1  speed, PyTorch's 1")
    for name, values in speeds.items():
        cost = compared(speeds, "vae", name)
        speed = compared(speeds, name, yardsticks.get(name))
        median = statistics.median(values[1:])
        print(f"{name:{width}} {median:8.0f}  {cost:30}  {speed}")
    for process in processes.values():
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
