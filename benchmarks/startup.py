"""Seconds from a command to what it is for, and its peak memory, beside the floor.

    .venv/bin/python benchmarks/startup.py [--rounds=3] [--record]

The floor is `import tensorflow` alone. A training counts until the row of its first
step is written. Cold: an empty data cache, so that the 200,000 images are drawn first.
Warm: the cache that the cold one left. Each round takes all in turn. CPU seconds say
more than seconds where other work runs beside.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import performance

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: `bin/train`, which ends where the first row would be written.
FIRST_ROW = """
import os, sys
from tf_disentangle.cli import main, startup
startup.import_tensorflow()
from tf_disentangle.training.run_folder import RunFolder
RunFolder.append = lambda folder, row: os._exit(0)
main.main(sys.argv[1:])
"""
BINDINGS = {
    "train.steps": 1,
    "Intervals.log": 1,
    "Intervals.evaluate": 0,
    "Intervals.pictures": 0,
    "Intervals.save": 0,
    "train.metrics": [],
}


def measured(arguments, cache):
    """Returns (seconds, CPU seconds, peak memory in GB) of one process."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "TF_DISENTANGLE_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{arguments} failed:\n{error.decode()}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def commands(folder):
    """Returns the arguments of Python by what they are; in order, cold before warm."""
    codes = folder / "codes.npz"
    rng = np.random.default_rng(0)
    np.savez(
        codes, codes=rng.random((2000, 6)), factors=rng.integers(4, size=(2000, 3))
    )
    run = ["-m", "tf_disentangle"]
    train = ["-c", FIRST_ROW, "train", "--gin_file=gin/chyvae.gin"]
    train += [f"--output={folder / 'run'}"]
    train += [f"--gin_param={name}={value}" for name, value in BINDINGS.items()]
    return {
        "import tensorflow": ["-c", "import tensorflow"],
        "first step, cold data cache": train,
        "first step, warm data cache": train,
        "list, the first time": [*run, "list"],
        "list": [*run, "list"],
        "train --help": [*run, "train", "--help"],
        "evaluate --codes, MIG of 2,000 rows": [
            *run,
            "evaluate",
            f"--codes={codes}",
            "--metrics=mig",
        ],
    }


def main():
    """Prints one table, and records it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder, cache = pathlib.Path(place), pathlib.Path(place, "cache")
        for _ in range(options.rounds):
            shutil.rmtree(cache, ignore_errors=True)
            for what, arguments in commands(folder).items():
                shutil.rmtree(folder / "run", ignore_errors=True)
                found.setdefault(what, []).append(measured(arguments, cache))
                print(what, *(f"{x:.2f}" for x in found[what][-1]), flush=True)
    seconds, cpu, memory = (
        {what: [one[k] for one in each] for what, each in found.items()}
        for k in range(3)
    )
    floor = statistics.median(cpu["import tensorflow"])
    print(f"\n{'':36}{'seconds':>9}{'CPU s':>9}{'GB':>6}   medians")
    rows = []
    for what in found:
        middle = [statistics.median(x[what]) for x in (seconds, cpu, memory)]
        print(f"{what:36}{middle[0]:9.2f}{middle[1]:9.2f}{middle[2]:6.2f}")
        rows.append(
            performance.Row(
                what,
                round(middle[1], 2),
                "s of CPU",
                range=[round(f(cpu[what]), 2) for f in (min, max)],
                floor=round(floor, 2) if what.startswith("first step") else None,
                note=f"{middle[0]:.2f} s of wall time, {middle[2]:.2f} GB",
            )
        )
    if options.record:
        measurement = performance.Measurement(
            name="Time until a command has done its work",
            text="",
            command=".venv/bin/python benchmarks/startup.py",
            rows=rows,
            floor="`import tensorflow` alone",
            **performance.machine(),
        )
        performance.record("start", measurement)


if __name__ == "__main__":
    main()
