"""Seconds of each metric of `bin/evaluate RUN --metrics=all`, and memory so far.

    .venv/bin/python benchmarks/evaluation.py RUN [--metrics=all]

The metrics share codes and fits as in `bin/evaluate`, so the first that asks for an
image or a fit pays for it. Nothing is added to the run's records.
"""

import argparse
import os
import resource
import time

import tf_disentangle
from tf_disentangle import metrics
from tf_disentangle.cli import evaluate
from tf_disentangle.models.encoder import ModelEncoder

ROW = "{:26}{:9.1f}{:9.1f}{:8.2f}{:12.6f}"


def main():
    """Prints one row per metric, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--metrics", default="all")
    options = parser.parse_args()
    run = tf_disentangle.load(options.run)
    names = evaluate.choose(options.metrics.split(","), metrics.METRICS)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start")
    print(f"{'':26}{'seconds':>9}{'CPU s':>9}{'GB':>8}{'score':>12}", flush=True)
    first = last = (time.perf_counter(), time.process_time())

    def show(name, seed, result, call):
        nonlocal last
        score = getattr(result, "score", float("nan"))  # Some refuse.
        print(ROW.format(name, *_since(last), score), flush=True)
        last = (time.perf_counter(), time.process_time())

    encoder = ModelEncoder(run.model)
    metrics.evaluate(run.data, encoder, names, on_result=show, progress=False)
    print(ROW.format("all", *_since(first), float("nan")))
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _since(clocks):
    """Returns seconds and CPU seconds since then, and the peak of memory in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return time.perf_counter() - clocks[0], time.process_time() - clocks[1], peak


if __name__ == "__main__":
    main()
