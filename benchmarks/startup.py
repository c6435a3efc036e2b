"""Seconds from `bin/train` to the first step, and peak memory.

    .venv/bin/python benchmarks/startup.py

Cold: an empty data cache, so that the 200,000 images are made first. Warm: the cache
that the cold run left. Then the peak memory of a run of 200 steps without a score.
"""

import json
import os
import pathlib
import resource
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def first_step(cache, steps=1):
    """Returns (seconds to the end of the first interval, peak memory in GB)."""
    with tempfile.TemporaryDirectory() as folder:
        bindings = {
            "train.steps": steps,
            "Intervals.log": 1,
            "Intervals.evaluate": 0,
            "Intervals.pictures": 0,
            "Intervals.save": 0,
            "train.metrics": [],
        }
        arguments = [f"--gin_param={name}={value}" for name, value in bindings.items()]
        started = time.time()
        subprocess.run(
            [
                str(ROOT / "bin" / "train"),
                "--gin_file=gin/chyvae.gin",
                f"--output={folder}",
                *arguments,
            ],
            cwd=ROOT,
            env={**os.environ, "TF_DISENTANGLE_CACHE": str(cache)},
            check=True,
            capture_output=True,
        )
        row = pathlib.Path(folder, "metrics.jsonl").read_text().splitlines()[0]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    return json.loads(row)["wall_time"] - started, peak


def main():
    """Prints one table."""
    with tempfile.TemporaryDirectory() as cache:
        print(f"{'':24} {'first step':>10}  peak memory so far")
        for name, steps in (("cold cache", 1), ("warm cache", 1), ("200 steps", 200)):
            seconds, peak = first_step(cache, steps)
            print(f"{name:24} {seconds:8.1f} s  {peak:.2f} GB")


if __name__ == "__main__":
    main()
