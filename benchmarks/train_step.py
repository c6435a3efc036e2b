"""Images per second of the whole training, beside a bare loop in plain PyTorch.

    .venv/bin/python benchmarks/train_step.py --torch_python=/path/with/torch/python

Ours is `Experiment.run` as bin/train calls it: data pipeline, statistics, progress
bar, metrics.jsonl and TensorBoard included, for each model of gin/ in float32 and for
CHyVAE in mixed bfloat16 too. PyTorch is benchmarks/torch_reference.py. Each
contestant is a process that sleeps while the others run; rounds are interleaved.
Printed: the median of each, and the median over the rounds of the ratios to PyTorch
(or, without PyTorch, to the VAE). Use a machine that does nothing else.
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
CONTESTANTS = {
    "vae": ("vae.gin", "float32"),
    "beta_vae": ("beta_vae.gin", "float32"),
    "chyvae": ("chyvae.gin", "float32"),
    "chyvae bfloat16": ("chyvae.gin", "mixed_bfloat16"),
}


def worker(gin_file, precision, steps, rounds):
    """Trains; waits for a line before each interval, answers with its speed."""
    from tf_disentangle.cli import quiet

    quiet.import_tensorflow()
    import keras

    from tf_disentangle import configuration

    class TakeTurns(keras.callbacks.Callback):
        """The clock runs from one interval's start to the next: logging included."""

        def answer(self):
            speed = steps * 50 / (time.perf_counter() - self.start)
            print(speed, flush=True)

        def on_epoch_begin(self, epoch, logs=None):
            if epoch:
                self.answer()
            sys.stdin.readline()
            self.start = time.perf_counter()

        def on_train_end(self, logs=None):
            self.answer()

    with tempfile.TemporaryDirectory() as folder:
        bindings = [
            f"vae.precision = '{precision}'",
            f"train.steps = {steps * (rounds + 1)}",
            f"Cadence.log = {steps}",
            "Cadence.evaluate = 0",
            "Cadence.save = 0",
            "Cadence.pictures = 0",
            "train.metrics = []",
        ]
        configuration.parse([gin_file], bindings)
        configuration.build("train", output=folder, callbacks=[TakeTurns()]).run()


def start(command):
    """Starts a contestant's process."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def turn(process):
    """Lets a contestant run one interval."""
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def has_torch(python):
    """Whether that Python can import torch."""
    done = subprocess.run([python, "-c", "import torch"], capture_output=True)
    return done.returncode == 0


def main():
    """Runs the rounds and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch_python", default=sys.executable)
    parser.add_argument("--steps", type=int, default=100, help="per interval")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(CONTESTANTS))
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*options.worker, options.steps, options.rounds)
        return
    common = [f"--steps={options.steps}", f"--rounds={options.rounds}"]
    processes = {}
    if has_torch(options.torch_python):
        reference = [str(HERE / "torch_reference.py"), str(options.steps)]
        threads = str(os.cpu_count())
        processes["PyTorch"] = start([options.torch_python, *reference, threads])
    else:
        print("torch is missing: no yardstick; see --torch_python")
    for name in options.only:
        arguments = [*common, "--worker", *CONTESTANTS[name]]
        processes[name] = start([sys.executable, __file__, *arguments])
    speeds = {name: [] for name in processes}
    for _ in range(options.rounds + 1):  # the first, with compilation, does not count
        for name, process in processes.items():
            speeds[name].append(turn(process))
    base = "PyTorch" if "PyTorch" in speeds else next(iter(speeds))
    print(f"{'':18} {'images/s':>9}  ratio to {base} (median of rounds; all rounds)")
    for name, values in speeds.items():
        ratios = [a / b for a, b in zip(values[1:], speeds[base][1:], strict=True)]
        rounds = " ".join(f"{ratio:.2f}" for ratio in ratios)
        speed, ratio = statistics.median(values[1:]), statistics.median(ratios)
        print(f"{name:18} {speed:9.0f}  {ratio:.2f}   ({rounds})")
    for process in processes.values():
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
