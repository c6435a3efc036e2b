"""Floors and ceilings of the metrics: the table of docs/protocols.md.

    .venv/bin/python benchmarks/bounds.py DSprites [--keep=bounds.jsonl]
    .venv/bin/python benchmarks/bounds.py CorrelatedEllipses --metrics=dci,downstream

For each metric the scores of noise, of untrained networks (the mean of `--networks`)
and of the factors themselves, with the default protocols and sizes but for `FEWER`.
What `--keep` holds is not computed again, so that the command can be interrupted.
"""

import argparse
import json
import pathlib

import numpy as np

import tf_disentangle as td
from tf_disentangle import datasets, metrics
from tf_disentangle.metrics import FactorCodes, Noise
from tf_disentangle.metrics.encoding import EncodedFactors
from tf_disentangle.models.encoder import UntrainedEncoder

NUM_LATENTS = 10
#: Name of a row, with its metric, its options, and which number of the result it shows.
ROWS = {
    "mig": ("mig", {}, "score"),
    "sap": ("sap", {}, "score"),
    "dci": ("dci", {}, "score"),
    "dci, informativeness_test": ("dci", {}, "informativeness_test"),
    "modularity": ("modularity", {}, "score"),
    "irs": ("irs", {}, "score"),
    "explicitness": ("explicitness", {}, "score"),
    "factor_vae, dlib": ("factor_vae", {"protocol": "dlib"}, "score"),
    "factor_vae, chyvae": ("factor_vae", {"protocol": "chyvae"}, "score"),
    "beta_vae": ("beta_vae", {}, "score"),
    "unsupervised": ("unsupervised", {}, "score"),
    "hoyer_sparsity": ("hoyer_sparsity", {}, "score"),
    "unified": ("unified", {}, "score"),
    "downstream": ("downstream", {}, "score"),
    "statistical_efficiency": ("statistical_efficiency", {}, "score"),
    "strong_downstream": ("strong_downstream", {}, "score"),
}
#: Votes in place of 15,000 and 1,600 where each image passes a network, and samples in
#: place of 15,000 where many classifiers are fitted.
VOTES = {"num_train_votes": 600, "num_test_votes": 600}
FEWER = {
    "unified": {"num_train": 1_000, "num_test": 500},
    "downstream": {"sizes": (10, 100, 1_000), "num_test": 500},
    "statistical_efficiency": {"large": 1_000, "num_test": 500},
    "strong_downstream": {"num_train": 1_000, "num_test": 500},
}


def main():
    """Prints each score as it ends, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="name of a data set that needs no download")
    parser.add_argument(
        "--metrics", default=",".join(dict.fromkeys(r[0] for r in ROWS.values()))
    )
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--keep", type=pathlib.Path, help="file of the scores so far")
    options = parser.parse_args()
    data = getattr(datasets, options.data)()
    names = options.metrics.split(",")
    rows = {row: of for row, of in ROWS.items() if of[0] in names}
    model = td.models.build_vae(data, latents=NUM_LATENTS)
    encoders = {"noise": Noise(NUM_LATENTS), "factors": FactorCodes(data.factor_sizes)}
    for seed in range(options.networks):
        encoders[f"untrained {seed}"] = EncodedFactors(
            data, UntrainedEncoder(model, seed)
        )
    kept = _read(options.keep)
    found = {row: {} for row in rows}
    for row, (name, own, shown) in rows.items():
        for of, encoder in encoders.items():
            calls = {**own, **FEWER.get(name, {})}
            if of.startswith("untrained") and name in ("factor_vae", "beta_vae"):
                calls |= VOTES
            key = json.dumps([options.data, name, sorted(calls.items()), shown, of])
            if key not in kept:
                metric = metrics.METRICS[name].on_data
                result = metric(data, encoder, progress=False, **calls)
                kept[key] = float(np.mean(getattr(result, shown)))
                _add(options.keep, key, kept[key])
            found[row][of] = kept[key]
            print(f"{options.data}, {row}, {of}: {kept[key]:.4f}", flush=True)
    print(f"\n| {options.data} | noise | untrained | the factors |\n|---|---|---|---|")
    for row, scores in found.items():
        untrained = [v for of, v in scores.items() if of.startswith("untrained")]
        mean = f"{np.mean(untrained):.3f}" if untrained else "-"
        print(f"| {row} | {scores['noise']:.3f} | {mean} | {scores['factors']:.3f} |")


def _read(path):
    """Returns the scores of a file by key."""
    lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
    return dict(map(json.loads, lines))


def _add(path, key, score):
    """Adds a score to the file, if there is one."""
    if path:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, score]) + "\n")


if __name__ == "__main__":
    main()
