"""Seconds of each metric of `bin/evaluate RUN --metrics=all`.

    .venv/bin/python benchmarks/evaluation.py RUN [--metrics=all]

The metrics share codes and fits as in `bin/evaluate`, so the first that asks for an
image or a fit pays for it. Nothing is added to the run's records.
"""

import argparse
import functools
import os
import time

import tf_disentangle
from tf_disentangle import metrics
from tf_disentangle.cli import evaluate

ROW = "{:26}{:9.1f}{:9.1f}{:12.6f}"


def timed(name, metric):
    """Returns the metric, which now prints what a call took."""

    @functools.wraps(metric)
    def call(*args, **options):
        started, busy = time.perf_counter(), time.process_time()
        result = metric(*args, **options)
        seconds = time.perf_counter() - started, time.process_time() - busy
        print(ROW.format(name, *seconds, result.score), flush=True)
        return result

    return call


def main():
    """Prints one row per metric, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--metrics", default="all")
    given = parser.parse_args()
    run = tf_disentangle.load(given.run)
    names = given.metrics.split(",")
    chosen = evaluate.choose(names, evaluate.metrics_of(run, names))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start")
    print(f"{'':26}{'seconds':>9}{'CPU s':>9}{'score':>12}", flush=True)
    started, busy = time.perf_counter(), time.process_time()
    metrics.evaluate(
        run.dataset,
        run.encode,
        {name: timed(name, metric) for name, metric in chosen.items()},
        columns=run.model.latents.columns,
    )
    seconds = time.perf_counter() - started, time.process_time() - busy
    print(ROW.format("all", *seconds, float("nan")))
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
