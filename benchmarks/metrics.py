"""Seconds and peak memory of each metric, and of the same done the published way.

    .venv/bin/python benchmarks/metrics.py [--quick] [--full] [--repeats=3] [row ...]

The codes are like those of one dSprites model: 10,000 train and 5,000 test draws, ten
latents, five factors of 3, 6, 40, 32 and 32 values. Every measurement is a process of
its own, whose peak memory is its `ru_maxrss`, imports included; seconds are of the call
alone, after a call on 100 samples that loads what is loaded or compiled on first use.
Ours and the published way take turns; the ratios are of the medians. On a busy machine
the ratio of CPU seconds says more; ours uses all cores for DCI, the published way one.

"Published" is what disentanglement_lib does, written out with scikit-learn: one
`mutual_info_score` per latent and factor, one `LinearSVC` per latent and factor, one
`GradientBoostingClassifier` per factor, an encoding of every draw. The boosting of five
factors takes it several minutes, so DCI is compared on the factors of 3 and 6 values
unless `--full` asks for all. `--quick` also takes a tenth of the sampling scores' votes
and one repeat.
"""

import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np

from tf_disentangle.datasets.grid import Grid

SIZES = (3, 6, 40, 32, 32)
NUM_LATENTS = 10


def samples(num_train=10_000, num_test=5_000):
    """Train codes and factors, test codes and factors of a middling model."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((len(SIZES), NUM_LATENTS)) ** 3 / 3
    parts = []
    for count in (num_train, num_test):
        factors = rng.integers(SIZES, size=(count, len(SIZES)))
        scaled = (factors - (np.array(SIZES) - 1) / 2) / (np.array(SIZES) / np.sqrt(12))
        codes = scaled @ mixing + 0.3 * rng.standard_normal((count, NUM_LATENTS))
        parts += [codes.astype(np.float32), factors]
    return parts


class Factors(Grid):
    """A grid set whose images carry their factors."""

    factor_names = tuple("abcde")
    factor_sizes = SIZES
    image_shape = (1, len(SIZES), 1)

    def images(self):
        """The image of every combination."""
        return self.render(self.factors_of(np.arange(len(self))))

    def render(self, factors, rng=None):
        """Pixel k is factor k."""
        return factors.astype(np.uint8)[:, np.newaxis, :, np.newaxis]


def encoder():
    """A network of two hidden layers of 400, in place of a model's."""
    rng = np.random.default_rng(1)
    widths = (len(SIZES), 400, 400, NUM_LATENTS)
    layers = [
        rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(shape[0]))
        for shape in itertools.pairwise(widths)
    ]

    def encode(images):
        x = images[:, 0, :, 0].astype(np.float32) / np.array(SIZES, np.float32)
        for layer in layers[:-1]:
            x = np.maximum(x @ layer, 0)
        return x @ layers[-1]

    return encode


# ------------------------------------------------------------------ the published ways


def published_information(codes, factors):
    """One histogram and one count per latent and factor."""
    from sklearn.metrics import mutual_info_score

    labels = [np.digitize(z, np.histogram(z, 20)[1][:-1]) for z in codes.T]
    matrix = [[mutual_info_score(v, z) for v in factors.T] for z in labels]
    return np.array(matrix), [mutual_info_score(v, v) for v in factors.T]


def published_mig(train_codes, train_factors, *_):
    """Gap of the two best latents."""
    matrix, entropies = published_information(train_codes, train_factors)
    ordered = np.sort(matrix, axis=0)
    return float(np.mean((ordered[-1] - ordered[-2]) / entropies))


def published_modularity(train_codes, train_factors, *_):
    """Share of a latent's squared information that its best factor has."""
    squares = published_information(train_codes, train_factors)[0] ** 2
    best = squares.max(axis=1)
    others = (squares.sum(axis=1) - best) / (best * (len(SIZES) - 1))
    return float(np.mean(1 - others))


def published_sap(train_codes, train_factors, test_codes, test_factors):
    """One support vector machine per latent and factor."""
    from sklearn.svm import LinearSVC

    matrix = np.zeros((NUM_LATENTS, len(SIZES)))
    for d, k in np.ndindex(*matrix.shape):
        model = LinearSVC(C=0.01, class_weight="balanced")
        model.fit(train_codes[:, d : d + 1], train_factors[:, k])
        matrix[d, k] = model.score(test_codes[:, d : d + 1], test_factors[:, k])
    ordered = np.sort(matrix, axis=0)
    return float(np.mean(ordered[-1] - ordered[-2]))


def published_explicitness(train_codes, train_factors, test_codes, test_factors):
    """One logistic regression and one area per factor."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    mean, deviation = train_codes.mean(axis=0), train_codes.std(axis=0)
    train_codes = (train_codes - mean) / deviation
    test_codes = (test_codes - mean) / deviation
    areas = []
    for k, size in enumerate(SIZES):
        model = LogisticRegression().fit(train_codes, train_factors[:, k])
        for codes, factors in (
            (train_codes, train_factors),
            (test_codes, test_factors),
        ):
            member = factors[:, k, np.newaxis] == np.arange(size)
            areas.append(roc_auc_score(member, model.predict_proba(codes)))
    return float(np.mean(areas[1::2]))


def published_dci(train_codes, train_factors, test_codes, test_factors):
    """Disentanglement by scikit-learn's boosted trees, one fit per factor."""
    from scipy.stats import entropy
    from sklearn.ensemble import GradientBoostingClassifier

    columns = []
    for labels, truth in zip(train_factors.T, test_factors.T, strict=True):
        model = GradientBoostingClassifier(random_state=0).fit(train_codes, labels)
        columns.append(model.feature_importances_)
        model.score(train_codes, labels), model.score(test_codes, truth)
    matrix = np.stack(columns, axis=1)
    scores = 1 - entropy(matrix.T + 1e-11, base=matrix.shape[1])
    return float(np.average(scores, weights=matrix.sum(axis=1)))


def published_factor_vae(votes):
    """Every draw rendered and encoded, vote by vote."""
    dataset, network, rng = Factors(), encoder(), np.random.default_rng(0)

    def encode(factors):
        return network(dataset.render(factors))

    overall = encode(dataset.sample_factors(10_000, rng)).var(axis=0, ddof=1)
    counts = np.zeros((2, NUM_LATENTS, len(SIZES)), int)
    for part, number in enumerate((votes, votes // 2)):
        for _ in range(number):
            k, factors = rng.integers(len(SIZES)), dataset.sample_factors(64, rng)
            factors[:, k] = factors[0, k]
            local = encode(factors).var(axis=0, ddof=1)
            counts[part, np.argmin(local / overall), k] += 1
    right = counts[1][np.arange(NUM_LATENTS), counts[0].argmax(axis=1)]
    return float(right.sum() / counts[1].sum())


# ------------------------------------------------------------------------ measurements


def calls(quick):
    """Per metric a pair of functions of the four arrays: ours, published or None."""
    from tf_disentangle import metrics

    votes = 1_000 if quick else 10_000

    def few(arrays, function, **options):
        codes, factors, test_codes, test_factors = arrays
        chosen = factors[:, :2], test_factors[:, :2]
        return function(codes, chosen[0], test_codes, chosen[1], **options)

    def logistic(arrays):
        options = {"predictor": "logistic_regression", "protocol": "dlib-sklearn1.9"}
        return metrics.downstream_scores(*arrays, **options).score

    def factor_vae(arrays):
        options = {"num_train_votes": votes, "num_test_votes": votes // 2}
        options |= {"prune_threshold": 0.0, "progress": False}
        metric = metrics.METRICS["factor_vae"]
        return metric.on_data(Factors(), encoder(), **options).score

    return {
        "mig": (lambda a: metrics.mig_score(*a[:2]).score, published_mig),
        "modularity": (
            lambda a: metrics.modularity_score(*a[:2]).score,
            published_modularity,
        ),
        "irs": (lambda a: metrics.irs_score(*a[:2]).score, None),
        "sap": (lambda a: metrics.sap_score(*a).score, published_sap),
        "explicitness": (
            lambda a: metrics.explicitness_score(*a).score,
            published_explicitness,
        ),
        "dci, 2 factors": (
            lambda a: few(a, metrics.dci_score).score,
            lambda *a: few(a, published_dci),
        ),
        "dci": (lambda a: metrics.dci_score(*a).score, published_dci),
        "downstream, trees": (lambda a: metrics.downstream_scores(*a).score, None),
        "downstream, logistic": (logistic, None),
        "factor_vae": (factor_vae, lambda *_: published_factor_vae(votes)),
    }


def child(name, way, quick):
    """Runs one measurement in this process and prints it as JSON."""
    warnings.simplefilter("ignore")
    arrays = samples()
    ours, published = calls(quick)[name]
    run = ours if way == "ours" else lambda a: published(*a)
    if name != "factor_vae":
        run([part[:100] for part in arrays])
    started, busy = time.perf_counter(), time.process_time()
    score = run(arrays)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"score": score, "seconds": seconds, "cpu": busy, "peak": peak}))


def measure(name, way, quick):
    """Returns one child's measurement."""
    command = [sys.executable, __file__, "--child", name, "--way", way]
    done = subprocess.run(
        command + ["--quick"] * quick, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def row(name, ways, repeats, quick):
    """Measures one metric, the ways taking turns, and prints its row."""
    runs = {way: [] for way in ways}
    for _ in range(repeats):
        for way in ways:
            runs[way].append(measure(name, way, quick))
    median = {
        way: {
            key: statistics.median(run[key] for run in runs[way])
            for key in ("seconds", "cpu")
        }
        for way in ways
    }
    text = f"{name:22}"
    for way in ("ours", "published"):
        if way in ways:
            peak = max(run["peak"] for run in runs[way])
            text += "{seconds:9.2f} {cpu:8.2f}".format(**median[way])
            text += f" {peak:6.2f} {runs[way][0]['score']:8.4f}"
        else:
            text += f"{'-':>9} {'-':>8} {'-':>6} {'-':>8}"
    for key in ("seconds", "cpu"):
        if len(ways) == 2:
            text += f" {median['published'][key] / median['ours'][key]:7.1f}"
    print(text, flush=True)


def main():
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", nargs="*", help="rows; all by default")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child")
    parser.add_argument("--way")
    given = parser.parse_args()
    if given.child:
        child(given.child, given.way, given.quick)
        return
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(f"load {load:.1f} on {cores} cores at the start")
    columns = f"{'seconds':>9} {'CPU s':>8} {'GB':>6} {'score':>8}"
    print(f"{'':22}{'ours':^34}{'published':^34} {'ratio':^15}")
    print(f"{'':22}{columns}{columns} {'seconds':>7} {'CPU s':>7}")
    rows = calls(given.quick)
    for name in given.metrics or rows:
        published = rows[name][1]
        compared = published and (given.full or name != "dci")
        ways = ("ours", "published") if compared else ("ours",)
        row(name, ways, 1 if given.quick else given.repeats, given.quick)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
