"""How many of MNIST's test digits the categorical latents of several runs tell.

    .venv/bin/python benchmarks/digit_accuracy.py runs/joint_vae_paper/seed-*

Each value of a run's first categorical latent stands for a digit: the rule is fitted on
20,000 images that the run was trained on, the first by number, and counted on MNIST's
10,000 test images, which no run has seen (`bin/data prepare mnist --split=test`). One
to one, each digit has one value (Hungarian assignment); by majority several values may
be one digit. A run's interval is Wilson's, over images; that of the mean is Student's
t, over runs. A value is *shared* where its second digit makes a quarter of its images
or more, or its first one less than half, and *unused* with less than a hundredth of all
images, on the training images.

With --training the rules are counted on 20,000 other training images instead: for
choosing a setting, so that the test images are left for the report.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
from scipy import stats

import tf_disentangle
from tf_disentangle import datasets, metrics

NUM_FITTED = 20_000
SHARED, MOST, UNUSED = 0.25, 0.5, 0.01
# JointVAE's and InfoGAN's; a run has those of its objective.
HELD_OUT = (
    "val_reconstruction",
    "val_kl_continuous",
    "val_kl_discrete",
    "val_information",
)


def values_and_digits(run, data, rows):
    """Returns the values of the first categorical latent and the digits, [N] each."""
    columns = run.model.latents.columns
    (first, *_) = (i for i, c in enumerate(columns) if c.kind == "categorical")
    codes = run.encode(data.images()[rows])[:, first]
    return codes.astype(int), data.factors_of(rows)[:, 0]


def holdings(values, digits):
    """Returns which digits share a value, and the values that are hardly used.

    Args:
        values: [N], whole numbers below 10.
        digits: [N].

    Returns:
        Pairs of digits, the more frequent one of the value first; values.
    """
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (values, digits), 1)
    sizes = counts.sum(axis=1)
    unused = [k for k in range(10) if sizes[k] < UNUSED * len(values)]
    order = np.argsort(-counts, axis=1)
    first, second = np.take_along_axis(counts, order[:, :2], axis=1).T
    is_shared = (second >= SHARED * sizes) | (first < MOST * sizes)
    shared = [
        tuple(map(int, order[k, :2]))
        for k in range(10)
        if k not in unused and is_shared[k]
    ]
    return shared, unused


def scored(folder, test, on_training):
    """Returns a run's figures by name."""
    run = tf_disentangle.load(folder)
    if test is not None and run.data.name == test.name:
        sys.exit(
            f"{folder} was trained on the test images, which would be counted: count "
            "those that it held out with benchmarks/digits.py."
        )
    rows = np.sort(run.batches.training)
    fitted = values_and_digits(run, run.data, rows[:NUM_FITTED])
    if on_training:
        counted = values_and_digits(run, run.data, rows[NUM_FITTED : 2 * NUM_FITTED])
    else:
        counted = values_and_digits(run, test, np.arange(len(test)))
    one, most = (
        metrics.assignment_accuracy(*fitted, *counted, rule=rule)
        for rule in ("hungarian", "majority")
    )
    shared, unused = holdings(*fitted)
    terms = {name: value for name, value in run.terms.items() if name in HELD_OUT}
    return {
        "run": pathlib.Path(folder).name,
        "seed": run.folder.describe()["training"]["seed"],
        "steps": run.step,
        "accuracy": round(one.score, 4),
        "interval": [round(one.interval.low, 4), round(one.interval.high, 4)],
        "majority": round(most.score, 4),
        "shared": shared,
        "unused": unused,
        **{n.removeprefix("val_"): round(v, 2) for n, v in terms.items()},
    }


def mean_and_interval(values):
    """Returns the mean of at least two runs and its 95% interval by Student's t."""
    mean, error = np.mean(values), stats.sem(values)
    half = stats.t.ppf(0.975, len(values) - 1) * error
    return round(float(mean), 4), [round(float(mean + s * half), 4) for s in (-1, 1)]


def line(row):
    """Returns a run's figures as a row of a table in Markdown."""
    low, high = row["interval"]
    shared = ", ".join(f"{a} and {b}" for a, b in row["shared"]) or "none"
    terms = [name.removeprefix("val_") for name in HELD_OUT]
    held_out = ", ".join(f"{name} {row[name]}" for name in terms if name in row)
    return (
        f"| {row['run']} | {row['steps']:,} | {row['accuracy']:.3f} [{low:.3f}, "
        f"{high:.3f}] | {row['majority']:.3f} | {shared} | {len(row['unused'])} | "
        f"{held_out} |"
    )


def main():
    """Scores the runs, prints a table and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="FOLDER")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--training", action="store_true", help="leave test images out")
    options = parser.parse_args()
    test = None if options.training else datasets.published("mnist", split="test")
    print(
        "| run | steps | one to one | majority | digits that share a value | unused "
        "values | held out, nats |"
    )
    print("|" + "---|" * 7)
    rows = []
    for folder in options.runs:
        rows.append(scored(folder, test, options.training))
        print(line(rows[-1]), flush=True)
    best = max(rows, key=lambda row: row["accuracy"])
    print(f"\nBest of {len(rows)}: {best['accuracy']:.4f}, {best['run']}.")
    print(
        f"With a shared value: {sum(bool(r['shared']) for r in rows)} of {len(rows)}."
    )
    if len(rows) > 1:
        mean, (low, high) = mean_and_interval([row["accuracy"] for row in rows])
        print(f"Mean: {mean:.4f} [{low:.4f}, {high:.4f}].")
    if options.json:
        text = json.dumps(rows, indent=1) + "\n"
        pathlib.Path(options.json).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
