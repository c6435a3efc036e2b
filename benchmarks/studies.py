"""What the table of a study costs: made-up run folders, collected and read.

    python benchmarks/studies.py --runs=12600
    python benchmarks/studies.py --runs=100000 --folder=/tmp/fake_study

The folders are what runs leave: a metrics.jsonl with terms at each logging interval,
held-out terms at some, nine scores of the study (with their matrices) on mean and
sampled codes, and bounds; a done.json; a plan.parquet. It prints the seconds and the
peak memory of each pass in a process of its own: the first, one with nothing new, one
with one new run, reading, and the analyses of the 2019 study.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Stands for a number that each run has of its own.
_MARK = 0.123456789

_PASS = """
import resource, sys, time
sys.path.insert(0, {root!r})
from tf_disentangle.studies import table
from tf_disentangle.studies import analysis
began, cpu = time.perf_counter(), time.process_time()
{code}
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{{seconds:8.1f}} {{cpu:8.1f}} {{peak:8.0f}}   {name}{{note}}")
"""
PASSES = {
    "first pass": "t = table.collect({folder!r}); note = f', {{len(t):,}} rows'",
    "nothing new": "t = table.collect({folder!r}); note = ''",
    "one new run": (
        "import pathlib; p = pathlib.Path({folder!r}); "
        "(next((p / 'runs').iterdir()) / 'done.json').touch(); "
        "t = table.collect(p); note = ''"
    ),
    "read": "t = table.read({folder!r}); note = ''",
    "read and analyse": (
        "t = table.read({folder!r}); names = t.data.unique(); note = ''; "
        "[f(t, data=d) for d in names for f in (analysis.metric_correlations, "
        "analysis.unsupervised_correlations, analysis.variance_shares)]; "
        "analysis.transfer_of_settings(t)"
    ),
}


def main() -> None:
    """Makes the folders, then prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=12_600)
    parser.add_argument("--intervals", type=int, default=60, help="logged, per run")
    parser.add_argument("--folder", type=pathlib.Path, help="new, or of before; kept")
    options = parser.parse_args()
    folder = options.folder or pathlib.Path(tempfile.mkdtemp(prefix="study-"))
    if (folder / "study.json").exists():
        parser.error("--folder must not be a real study, which would be changed")
    try:
        if not (folder / "plan.parquet").exists():
            began = time.perf_counter()
            make(folder, options.runs, options.intervals)
            print(f"made {options.runs} folders in {time.perf_counter() - began:.0f} s")
        print(f"{'s':>8} {'CPU s':>8} {'MB':>8}")
        for name, code in PASSES.items():
            code = code.format(folder=str(folder))
            program = _PASS.format(root=str(ROOT), code=code, name=name)
            subprocess.run([sys.executable, "-c", program], check=True)
        for name in ("results.parquet", "curves.parquet"):
            print(f"{(folder / name).stat().st_size / 1e6:.1f} MB  {name}")
    finally:
        if options.folder is None:
            shutil.rmtree(folder)


def make(folder: pathlib.Path, runs: int, intervals: int) -> None:
    """Writes a study of made-up runs."""
    import pandas as pd

    rng = np.random.default_rng(0)
    # Each run has numbers of its own, put into one text.
    pieces = _rows(rng, intervals).split(json.dumps(_MARK))
    print(f"{sum(map(len, pieces)) / 1e3:.0f} kB a metrics.jsonl")
    rows = []
    for index in range(runs):
        cell, seed = divmod(index, 50)
        data, setting = divmod(cell, 36)
        method, strength = divmod(setting, 6)
        run = f"{index:012x}"
        place = folder / "runs" / run
        place.mkdir(parents=True)
        numbers = np.char.mod("%.6g", rng.random(len(pieces)) * 100).tolist()
        text = "".join(map("".join, zip(pieces, [*numbers[1:], ""], strict=True)))
        (place / "metrics.jsonl").write_text(text)
        (place / "done.json").write_text("{}")
        rows.append(
            {
                "id": run,
                "index": index,
                "method": f"method{method}",
                "strength": float(strength + 1),
                "data": f"data{data}",
                "seed": seed,
                "files": "[]",
                "settings": "{}",
                f"method{method}.strength": float(strength + 1),
            }
        )
    pd.DataFrame(rows).to_parquet(folder / "plan.parquet")


def _rows(rng: np.random.Generator, intervals: int) -> str:
    """A metrics.jsonl as runs of the 2019 study write it."""

    def numbers(*shape: int) -> list:
        return rng.random(shape).tolist()

    def own(names: tuple[str, ...], prefix: str = "") -> dict[str, float]:
        return {f"{prefix}{k}": _MARK for k in names}

    terms = ("elbo", "kl_term", "loss", "reconstruction", "total_correlation_penalty")
    held_out = (*terms, "mutual_information", "total_correlation", "dimension_kl")
    lines = []
    for at in range(1, intervals + 1):
        row = {"step": 5000 * at, **own(terms), "images_per_second": 900.0}
        if at % 10 == 0:
            row |= own(held_out, "val_")
            row["kl_per_latent"] = numbers(10)
        lines.append({**row, "wall_time": 1.7e9})
    step = 5000 * intervals
    scores = {
        "beta_vae": {"score": _MARK, "train_score": _MARK},
        "dci": {
            "score": _MARK,
            "completeness": _MARK,
            "informativeness_train": _MARK,
            "informativeness_test": _MARK,
            "importance": numbers(10, 5),
            "latent_scores": numbers(10),
        },
        "explicitness": {"score": _MARK, "factor_scores": numbers(5)},
        "factor_vae": {
            "score": _MARK,
            "train_score": _MARK,
            "votes": rng.integers(100, size=(10, 5)).tolist(),
            "test_votes": rng.integers(100, size=(10, 5)).tolist(),
        },
        "irs": {"score": _MARK, "robustness": numbers(10, 5)},
        "mig": {"score": _MARK, "mutual_information": numbers(10, 5)},
        "modularity": {"score": _MARK, "mutual_information": numbers(10, 5)},
        "sap": {"score": _MARK, "predictability": numbers(10, 5)},
        "unsupervised": {
            "score": _MARK,
            "gaussian_wasserstein": _MARK,
            "gaussian_wasserstein_normalised": _MARK,
            "mutual_information_score": _MARK,
            "latent_information": numbers(10, 10),
        },
        "downstream": {
            "score": _MARK,
            "by_size": dict.fromkeys((10, 100, 1000, 10000), _MARK),
            "test_accuracy": numbers(4, 5),
        },
    }
    limits = {"noise": 0.1, "untrained": 0.2, "ceiling": 1.0}
    for codes in ("mean", "sampled"):
        about = {"step": step, "codes": codes}
        for name, result in scores.items():
            call, result = f"{name}(seed=0)", {**result, "protocol": "dlib"}
            lines.append({**about, "call": call, "scores": {name: result}})
        lines.append({**about, "bounds": dict.fromkeys(scores, limits)})
    return "".join(json.dumps(line) + "\n" for line in lines)


if __name__ == "__main__":
    main()
