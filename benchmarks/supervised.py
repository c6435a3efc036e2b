"""Seconds of all supervised metrics of one dSprites-like model under "dlib".

    .venv/bin/python benchmarks/supervised.py [--seed=0]

The model is that of the golden values (`tests/golden/metrics_b.json`): ten latents, a
noisy mixture of five factors with dSprites' 3, 6, 40, 32 and 32 values. As for any grid
set each of the 737,280 images has one code; they are encoded before the clock starts,
and kept as `evaluate` keeps them. A small call of each metric comes first, which loads
what is loaded or compiled on first use. CPU seconds are of the process with all its
threads: on a busy machine they say more than the wall's.
"""

import argparse
import inspect
import json
import os
import pathlib
import resource
import time
import warnings

import numpy as np

from tf_disentangle.datasets.grid import Grid
from tf_disentangle.metrics import METRICS, EncodedFactors

NAMES = (
    "mig",
    "sap",
    "dci",
    "modularity",
    "explicitness",
    "irs",
    "beta_vae",
    "factor_vae",
)
GOLDEN = pathlib.Path(__file__).parents[1] / "tests" / "golden" / "metrics_b.json"
SMALL = {"num_train": 100, "num_test": 50, "num_train_votes": 20, "num_test_votes": 20}
ROW = "{:20}{:9.2f}{:9.2f}"


class Factors(Grid):
    """A grid set whose images carry their factors."""

    def __init__(self, sizes):
        self.factor_sizes = tuple(sizes)
        self.factor_names = ("shape", "scale", "orientation", "x", "y")
        self.image_shape = (1, len(sizes), 1)

    def images(self):
        """The image of every combination."""
        return self.render(self.factors_of(np.arange(len(self))))

    def render(self, factors, rng=None):
        """Pixel k is factor k."""
        return factors.astype(np.uint8)[:, np.newaxis, :, np.newaxis]


def model(sizes, mixing):
    """Images to codes: the golden mixture, its noise drawn once for each image."""
    rng, sizes = np.random.default_rng(2), np.array(sizes)

    def encode(images):
        factors = images[:, 0, :, 0].astype(np.int64)
        scaled = (factors - (sizes - 1) / 2) / (sizes / np.sqrt(12))
        noise = rng.standard_normal((len(images), mixing.shape[1]))
        return (scaled @ mixing + 0.3 * noise).astype(np.float32)

    return encode


def encoded(dataset, encode):
    """The encoder with every image of the grid encoded."""
    encoder = EncodedFactors(dataset, encode)
    whole = int(np.prod(dataset.factor_sizes))
    options = {"num_train": whole, "encode_batch_size": 4096, "progress": False}
    for seed in range(20):  # With replacement: what is left falls by e each time.
        METRICS["active_units"].on_data(dataset, encoder, seed=seed, **options)
        if encoder.num_encoded == whole:
            break
    print(f"{encoder.num_encoded} of {whole} images encoded", flush=True)
    return encoder


def measured(dataset, encoder, name, **options):
    """The score with its seconds of wall and CPU."""
    takes = inspect.signature(METRICS[name].on_data).parameters
    options = {k: v for k, v in options.items() if k in takes}
    started, busy = time.perf_counter(), time.process_time()
    score = METRICS[name].on_data(dataset, encoder, protocol="dlib", **options).score
    seconds = time.perf_counter() - started, time.process_time() - busy
    return score, seconds


def main():
    """Prints one row per metric, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    warnings.simplefilter("ignore")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    dataset = Factors(golden["factor_sizes"])
    encoder = encoded(dataset, model(dataset.factor_sizes, np.array(golden["mixing"])))
    for name in NAMES:
        measured(dataset, encoder, name, **SMALL)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start")
    print(f"{'':20}{'seconds':>9}{'CPU s':>9}{'score':>10}", flush=True)
    total = np.zeros(2)
    for name in NAMES:
        score, seconds = measured(dataset, encoder, name, seed=seed)
        total += seconds
        print(ROW.format(name, *seconds) + f"{score:10.6f}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(ROW.format("all", *total) + f"\npeak memory {peak:.2f} GB")
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
