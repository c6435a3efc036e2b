"""Loss and reconstruction of runs on MNIST's training and test images.

    .venv/bin/python benchmarks/mnist_terms.py runs/cfactor_vae_tenth/runs/*

Printed: a row for each run, in nats per image, each term a mean over the 10,000 test
images and over as many of the run's own training images, with a sample of z. They
correspond to the columns of CFactorVAE's table 1.
"""

import argparse

import numpy as np

import tf_disentangle
from tf_disentangle import datasets

TERMS = ("loss", "reconstruction")


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="FOLDER")
    options = parser.parse_args()
    test = datasets.published("mnist", split="test")
    parts = ("training", "test")
    columns = [f"{part} {term}" for part in parts for term in TERMS]
    print(f"| objective | seed | steps | {' | '.join(columns)} |")
    print("|" + "---|" * (3 + len(columns)))
    for folder in options.runs:
        run = tf_disentangle.load(folder)
        rows = run.batches.training[: len(test)]
        cells = []
        for images in (run.data.images()[rows], test.images()):
            terms, _ = run.model.validation(np.asarray(images), seed=0)
            cells += [f"{terms[name]:.2f}" for name in TERMS]
        name, seed = run.model.objective.name, run.batches.seed
        print(f"| {name} | {seed} | {run.step:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
