"""Gradient boosted trees for classification, as scikit-learn 1.9 grows them.

`fit_boosted_trees(codes, labels, seed=s)` gives the trees of
`sklearn.ensemble.GradientBoostingClassifier(random_state=s).fit(codes, labels)` with
its defaults: 100 stages, one tree of depth 3 per class (one in all for two classes),
learning rate 0.1, every feature tried at every node, and the deviance as loss. The only
randomness is the order in which a node tries its features, which decides between cuts
of equal merit. The generator is scikit-learn's too, so that a seed means the same in
both. Where a feature has repeated values, the order of addition differs, and among cuts
of equal merit another feature may win.

What makes it fast: features are sorted once, not in each node; the loops are compiled
(numba) and run without the GIL, the trees of one stage in parallel.

References:
    Friedman (2001), Greedy Function Approximation: A Gradient Boosting Machine,
    Annals of Statistics 29 (5), algorithms 5 and 6.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tf_disentangle.checks import integer, require

NUM_STAGES = 100
DEPTH = 3
LEARNING_RATE = 0.1

# Nodes that can be cut, and all nodes, of a tree of full depth.
_NUM_INNER = 2**DEPTH - 1
_NUM_NODES = 2 ** (DEPTH + 1) - 1


@dataclasses.dataclass(frozen=True, eq=False)
class BoostedTrees:
    """A fitted classifier of C classes, T trees per stage (1 if C is 2, 0 if C is 1).

    Attributes:
        classes: int64 [C], the labels seen, ascending.
        initial: float64 [T], raw scores before the first stage.
        features: int16 [stages, T, 7], the feature of each cut, nodes numbered as in a
            heap; -1 for a leaf.
        thresholds: float64 [stages, T, 7]; x <= threshold goes to the left.
        values: float64 [stages, T, 15], the value of each leaf.
        importances: float64 [L], each feature's share of the squared error that all
            cuts removed, sum 1; zeros if no tree has a cut.
        train_predictions: int64 [N], labels predicted for the training codes.
    """

    classes: np.ndarray
    initial: np.ndarray
    features: np.ndarray
    thresholds: np.ndarray
    values: np.ndarray
    importances: np.ndarray
    train_predictions: np.ndarray

    def raw_scores(
        self, codes: np.ndarray, *, num_threads: int | None = None
    ) -> np.ndarray:
        """Returns raw scores, float64 [M, T], of codes [M, L], taken as float32."""
        from tf_disentangle.metrics.estimators.boosting import stages

        codes = np.ascontiguousarray(codes, np.float32)
        raw = np.repeat(self.initial[:, np.newaxis], len(codes), axis=1)
        threads = _num_threads(num_threads)
        trees = (self.features, self.thresholds, self.values)
        if len(raw):
            with ThreadPoolExecutor(threads) as pool:
                _together(
                    pool,
                    threads,
                    lambda t: stages.add_predictions(
                        codes, *trees, LEARNING_RATE, (t, threads), raw
                    ),
                )
        return raw.T

    def predict(
        self, codes: np.ndarray, *, num_threads: int | None = None
    ) -> np.ndarray:
        """Returns the label with the highest score, int64 [M], of codes [M, L]."""
        raw = self.raw_scores(codes, num_threads=num_threads)
        return self.classes[_highest(raw.T, len(codes))]


def fit_boosted_trees(
    codes: np.ndarray,
    labels: np.ndarray,
    *,
    seed: int = 0,
    num_threads: int | None = None,
) -> BoostedTrees:
    """Fits boosted trees to the labels of N codes.

    The result does not depend on the number of threads. If all labels are equal, there
    are no trees and no importances, and every prediction is that label (scikit-learn
    refuses such labels).

    Args:
        codes: [N, L], finite; taken as float32, as scikit-learn does.
        labels: int [N].
        seed: Seed of the order in which nodes try features, in [0, 2^32).
        num_threads: At least 1; None takes the processors that this process may use.

    Raises:
        ArgumentError: If the codes are not finite in float32 or a number is invalid.
    """
    integer(seed, "seed", at_least=0)
    require(seed < 2**32, "seed", "be below 2^32", seed)
    threads = _num_threads(num_threads)
    with np.errstate(over="ignore"):  # What overflows float32 is reported below.
        codes = np.ascontiguousarray(codes, np.float32)
    bad = np.flatnonzero(~np.isfinite(codes).all(axis=0))
    names = ", ".join(f"z{latent}" for latent in bad)
    require(bad.size == 0, "codes", "be finite in float32", f"other values in {names}")
    classes, labels = np.unique(labels, return_inverse=True)
    counts = np.bincount(labels)
    num_trees = {1: 0, 2: 1}.get(len(classes), len(classes))
    raw = np.repeat(_initial_scores(counts)[:, np.newaxis], len(codes), axis=1)
    initial = raw[:, 0].copy()
    shape = (NUM_STAGES, num_trees)
    features = np.full((*shape, _NUM_INNER), -1, np.int16)
    thresholds = np.zeros((*shape, _NUM_INNER))
    values = np.zeros((*shape, _NUM_NODES))
    importances = np.zeros((*shape, codes.shape[1]))
    if num_trees:
        forest = (features, thresholds, values, importances)
        _boost(codes, labels, raw, forest, seed, threads)
    return BoostedTrees(
        classes=classes,
        initial=initial,
        features=features,
        thresholds=thresholds,
        values=values,
        importances=_mean_importances(features, importances),
        train_predictions=classes[_highest(raw, len(codes))],
    )


def _boost(
    codes: np.ndarray,
    labels: np.ndarray,
    raw: np.ndarray,
    forest: tuple[np.ndarray, ...],
    seed: int,
    threads: int,
) -> None:
    """Runs all stages: fills the forest and brings `raw` [T, N] to its last value."""
    from tf_disentangle.metrics.estimators.boosting import stages

    num_trees, num_samples = raw.shape
    # scikit-learn draws these with the legacy generator, one by one.
    legacy = np.random.RandomState(seed)
    seeds = legacy.randint(0, 2**31 - 1, size=(NUM_STAGES, num_trees))
    seeds = seeds.astype(np.uint32)
    growers = min(threads, num_trees)
    spaces = _workspaces(codes, growers)
    inverse = 1.0 / np.maximum(np.arange(num_samples + 1), 1)
    targets = np.empty_like(raw)
    fill = stages.binary_targets if num_trees == 1 else stages.multiclass_targets
    edges = np.linspace(0, num_samples, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        for stage in range(NUM_STAGES):
            trees = tuple(array[stage] for array in forest)
            _together(
                pool,
                threads,
                lambda t: fill(raw, labels, targets, edges[t], edges[t + 1]),
            )
            # Both calls wait for their tasks, so that no task sees the variables of the
            # next stage.
            _together(
                pool,
                growers,
                lambda t: stages.grow_stage(
                    spaces[t],
                    raw,
                    targets,
                    labels,
                    inverse,
                    seeds[stage],  # noqa: B023
                    LEARNING_RATE,
                    (t, growers),
                    trees,  # noqa: B023
                ),
            )


def _workspaces(codes: np.ndarray, count: int) -> list:
    """Returns one set of buffers per thread, the sorted features in each."""
    from tf_disentangle.metrics.estimators.boosting.splits import Workspace

    num_samples, num_features = codes.shape
    order = np.argsort(codes.T, axis=1, kind="stable")
    values = np.take_along_axis(codes.T, order, axis=1)
    spaces = []
    for _ in range(count):
        space = Workspace(
            order=np.empty((DEPTH, num_features, num_samples), np.uint32),
            values=np.empty((DEPTH, num_features, num_samples), np.float32),
            samples=np.empty(num_samples, np.uint32),
            left=np.empty(num_samples, np.uint8),
            sums=np.empty(num_samples),
            distinct=np.empty(num_samples, np.uint8),
            reverse=np.empty(num_samples),
            merit=np.empty(num_samples),
            features=np.empty(num_features, np.int64),
            constants=np.empty(num_features, np.int64),
            leaf=np.empty(num_samples, np.uint8),
            grouped=np.empty((2, num_samples)),
        )
        space.order[0], space.values[0] = order, values
        spaces.append(space)
    return spaces


def _initial_scores(counts: np.ndarray) -> np.ndarray:
    """Raw scores of the classes' frequencies: logit of the second, or centred logs."""
    eps = np.finfo(np.float64).eps
    frequency = np.clip(counts / counts.sum(), eps, 1 - eps)
    if len(counts) == 1:
        return np.zeros(0)
    if len(counts) == 2:
        return np.log(frequency[1:] / (1 - frequency[1:]))
    return np.log(frequency / np.exp(np.mean(np.log(frequency))))


def _highest(raw: np.ndarray, num_samples: int) -> np.ndarray:
    """Index of the predicted class, [N], of raw scores [T, N]."""
    if len(raw) == 0:
        return np.zeros(num_samples, np.int64)
    if len(raw) == 1:
        return (raw[0] >= 0).astype(np.int64)
    return raw.argmax(axis=0)


def _mean_importances(features: np.ndarray, importances: np.ndarray) -> np.ndarray:
    """Mean over the trees that have a cut, normalised to sum 1; zeros without one."""
    has_cut = features[..., 0] >= 0
    if not has_cut.any():
        return np.zeros(importances.shape[-1])
    mean = importances[has_cut].mean(axis=0)
    return mean / mean.sum()


def _num_threads(num_threads: int | None) -> int:
    if num_threads is not None:
        return integer(num_threads, "num_threads", at_least=1)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _together(
    pool: ThreadPoolExecutor, count: int, task: Callable[[int], None]
) -> None:
    """Runs task(0) ... task(count - 1) in parallel, and waits for all."""
    list(pool.map(task, range(count)))
