"""Boosting stages: gradients, the trees of one stage, their leaf values, prediction.

Raw scores are kept as [classes, N]; one row for two classes. With p the probabilities
that the raw scores give, the targets of class k are y_k - p_k, and a leaf's value is

    (K - 1) / K  *  mean(y_k - p_k) / mean(p_k (1 - p_k)),

without the first factor for two classes (Friedman 2001, equations 32 to 34).
"""

# ruff: noqa: ANN001, ANN201 (numba infers the types; shapes are given)
from __future__ import annotations

import math

import numpy as np

from tf_disentangle.metrics.estimators.boosting.jit import compiled
from tf_disentangle.metrics.estimators.boosting.tree import find_leaf, grow


@compiled
def binary_targets(raw, labels, targets, start, end):
    """Fills targets [1, N] with y - p for the samples start ... end - 1."""
    for i in range(start, end):
        score, label = raw[0, i], float(labels[i])
        if score > -37:
            exponential = math.exp(-score)
            gradient = ((1 - label) - label * exponential) / (1 + exponential)
        else:
            gradient = math.exp(score) - label
        targets[0, i] = -gradient


@compiled
def multiclass_targets(raw, labels, targets, start, end):
    """Fills targets [classes, N] with y - p for the samples start ... end - 1."""
    num_classes = len(raw)
    highest = raw[0, start:end].copy()
    for k in range(1, num_classes):
        for i in range(start, end):
            highest[i - start] = max(highest[i - start], raw[k, i])
    total = np.zeros(end - start)
    for k in range(num_classes):
        for i in range(start, end):
            targets[k, i] = math.exp(raw[k, i] - highest[i - start])
            total[i - start] += targets[k, i]
    for k in range(num_classes):
        for i in range(start, end):
            probability = targets[k, i] / total[i - start]
            targets[k, i] = -(probability - (1.0 if labels[i] == k else 0.0))


@compiled
def pairwise_sum(numbers, start, count):
    """Sums in the order of numpy's `sum`: eight running sums, halves above 128."""
    if count < 8:
        total = 0.0
        for i in range(start, start + count):
            total += numbers[i]
        return total
    if count > 128:
        half = count // 2
        half -= half % 8
        return pairwise_sum(numbers, start, half) + pairwise_sum(
            numbers, start + half, count - half
        )
    running = numbers[start : start + 8].copy()
    whole = count - count % 8
    for i in range(8, whole, 8):
        for j in range(8):
            running[j] += numbers[start + i + j]
    total = ((running[0] + running[1]) + (running[2] + running[3])) + (
        (running[4] + running[5]) + (running[6] + running[7])
    )
    for i in range(start + whole, start + count):
        total += numbers[i]
    return total


@compiled
def leaf_values(work, targets, labels, label, factor, num_nodes):
    """Returns the value of each leaf, [num_nodes], 0 where there is none."""
    counts = np.zeros(num_nodes + 1, np.int64)
    for i in range(len(targets)):
        counts[work.leaf[i] + 1] += 1
    offsets = np.cumsum(counts)
    place = offsets[:-1].copy()
    for i in range(len(targets)):
        target = targets[i]
        probability = (1.0 if labels[i] == label else 0.0) - target
        p = place[work.leaf[i]]
        work.grouped[0, p] = target
        work.grouped[1, p] = probability * (1 - probability)
        place[work.leaf[i]] += 1
    values = np.zeros(num_nodes)
    for node in range(num_nodes):
        count = counts[node + 1]
        if count:
            start = offsets[node]
            mean = pairwise_sum(work.grouped[0], start, count) / count * factor
            curvature = pairwise_sum(work.grouped[1], start, count) / count
            if abs(curvature) >= 1e-150:
                values[node] = mean / curvature
    return values


@compiled
def grow_stage(work, raw, targets, labels, inverse, seeds, rate, share, forest):
    """Grows one stage's trees of the classes first, first + step, ...

    Args:
        work: The thread's `Workspace`.
        raw: float64 [trees, N], raised by `rate` times the leaf values.
        targets: float64 [trees, N].
        labels: int64 [N].
        inverse: float64 [N + 1], 1 / n.
        seeds: uint32 [trees], the state of the generator for each tree.
        rate: The learning rate.
        share: (first, step): the trees that this thread grows.
        forest: Arrays of the stage that receive the trees: features, thresholds,
            values and importances, each [trees, ...].
    """
    features, thresholds, values, importances = forest
    num_trees = len(raw)
    factor = 1.0 if num_trees == 1 else (num_trees - 1) / num_trees
    state = np.zeros(1, np.uint32)
    for k in range(share[0], num_trees, share[1]):
        state[0] = seeds[k]
        grow(
            work, targets[k], inverse, state, features[k], thresholds[k], importances[k]
        )
        label = k if num_trees > 1 else 1
        leaves = leaf_values(
            work, targets[k], labels, label, factor, 2 * features.shape[1] + 1
        )
        values[k] = leaves
        for i in range(len(labels)):
            raw[k, i] += rate * leaves[work.leaf[i]]


@compiled
def add_predictions(codes, features, thresholds, values, rate, share, raw):
    """Adds the trees of the classes first, first + step, ... to raw [trees, M].

    `codes` is float32 [M, L]; the forest's arrays are [stages, trees, ...].
    """
    for k in range(share[0], len(raw), share[1]):
        for stage in range(len(features)):
            for i in range(len(codes)):
                leaf = find_leaf(codes[i], features[stage, k], thresholds[stage, k])
                raw[k, i] += rate * values[stage, k, leaf]
