"""Seconds of each metric of `bin/evaluate RUN --metrics=all`.

    .venv/bin/python benchmarks/evaluation.py RUN [--metrics=all]

The metrics share codes and fits as in `bin/evaluate`, so the first that asks for an
image or a fit pays for it. Nothing is added to the run's records.
"""

import argparse
import os
import time

import tf_disentangle
from tf_disentangle import metrics
from tf_disentangle.cli import evaluate
from tf_disentangle.models.encoder import ModelEncoder

ROW = "{:26}{:9.1f}{:9.1f}{:12.6f}"


def main():
    """Prints one row per metric, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--metrics", default="all")
    options = parser.parse_args()
    run = tf_disentangle.load(options.run)
    names = evaluate.choose(options.metrics.split(","), metrics.METRICS)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start")
    print(f"{'':26}{'seconds':>9}{'CPU s':>9}{'score':>12}", flush=True)
    first = last = (time.perf_counter(), time.process_time())

    def show(name, seed, result, call):
        nonlocal last
        now = (time.perf_counter(), time.process_time())
        print(ROW.format(name, now[0] - last[0], now[1] - last[1], result.score))
        last = now

    encoder = ModelEncoder(run.model)
    metrics.evaluate(run.data, encoder, names, on_result=show, progress=False)
    print(ROW.format("all", last[0] - first[0], last[1] - first[1], float("nan")))
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
