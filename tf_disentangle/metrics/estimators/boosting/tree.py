"""Growth of one regression tree of limited depth, from presorted features.

Nodes are numbered as in a heap: the children of node i are 2 i + 1 and 2 i + 2. Each
feature is sorted once for all trees; a cut then splits every feature's order stably, so
that no node is sorted again.
"""

# ruff: noqa: ANN001, ANN201, ANN202 (numba infers the types; shapes are given)
from __future__ import annotations

import numpy as np

from tf_disentangle.metrics.estimators.boosting.jit import compiled
from tf_disentangle.metrics.estimators.boosting.splits import best_cut

#: A node whose variance is no larger is a leaf.
PURE = np.finfo(np.float64).eps


@compiled
def node_sums(samples, targets, start, end):
    """Returns the sum and the sum of squares of a node's targets."""
    total, squares = 0.0, 0.0
    for p in range(start, end):
        target = targets[samples[p]]
        total += target
        squares += target * target
    return total, squares


@compiled
def part_samples(work, depth, feature, last, start, position, end):
    """Marks the samples of the left child and parts `samples` by swapping.

    `samples` starts in the order of the feature that was looked at last, since
    scikit-learn has just sorted them by it.
    """
    order, samples, left = work.order[depth, feature], work.samples, work.left
    for p in range(start, end):
        left[order[p]] = p < position
    samples[start:end] = work.order[depth, last, start:end]
    first, stop = start, end
    while first < stop:
        if left[samples[first]]:
            first += 1
        else:
            stop -= 1
            samples[first], samples[stop] = samples[stop], samples[first]


@compiled
def part_orders(work, depth, start, position, end):
    """Parts every feature's order, each side staying sorted, for the next depth."""
    left, first_right = work.left, np.uint64(position - start)
    for feature in range(work.order.shape[1]):
        order = work.order[depth, feature, start:end]
        values = work.values[depth, feature, start:end]
        next_order = work.order[depth + 1, feature, start:end]
        next_values = work.values[depth + 1, feature, start:end]
        # Unsigned, so that no index is tested for being negative; and the choice of a
        # side is a move, not a branch that would be mispredicted half the time.
        to_left, to_right = np.uint64(0), first_right
        for p in range(len(order)):
            sample = order[p]
            goes_left = np.uint64(left[sample])
            target = to_left if goes_left else to_right
            next_order[target] = sample
            next_values[target] = values[p]
            to_left += goes_left
            to_right += np.uint64(1) - goes_left


@compiled
def child_impurities(samples, targets, total, squares, start, position, end):
    """Returns the variances of the targets in the two children."""
    left_sum = 0.0
    if position - start <= end - position:
        for p in range(start, position):
            left_sum += targets[samples[p]]
    else:  # From the shorter side, as in scikit-learn.
        left_sum = total
        for p in range(end - 1, position - 1, -1):
            left_sum -= targets[samples[p]]
    right_sum = total - left_sum
    left_squares = 0.0
    for p in range(start, position):
        target = targets[samples[p]]
        left_squares += target * target
    num_left, num_right = float(position - start), float(end - position)
    left_mean, right_mean = left_sum / num_left, right_sum / num_right
    return (
        left_squares / num_left - left_mean * left_mean,
        (squares - left_squares) / num_right - right_mean * right_mean,
    )


@compiled
def grow(work, targets, inverse, state, features, thresholds, importances):
    """Grows one tree, the left subtree before the right.

    Args:
        work: The thread's `Workspace`; `work.leaf` receives each sample's leaf.
        targets: float64 [N].
        inverse: float64 [N + 1], 1 / n.
        state: uint32 [1] of the generator.
        features: int16 [nodes above the last level], receives the feature of each cut;
            -1 for a leaf and for what lies below one.
        thresholds: float64, receives the threshold of each cut.
        importances: float64 [L], receives the decrease of the squared error due to each
            feature, divided by N.
    """
    num_samples, num_inner = len(targets), len(features)
    features[:] = -1
    importances[:] = 0.0
    work.samples[:] = np.arange(num_samples)
    work.features[:] = np.arange(len(work.features))
    num_nodes = 2 * num_inner + 1
    starts, ends = np.zeros(num_nodes, np.int64), np.full(num_nodes, num_samples)
    constants, impurities = np.zeros(num_nodes, np.int64), np.zeros(num_nodes)
    stack = np.zeros(num_inner + 1, np.int64)
    height = 1
    while height:
        height -= 1
        node = stack[height]
        start, end = starts[node], ends[node]
        position = -1
        if node < num_inner and end - start >= 2:
            total, squares = node_sums(work.samples, targets, start, end)
            if node == 0:
                impurities[0] = squares / (end - start) - (total / (end - start)) ** 2
            if impurities[node] > PURE:
                depth, known = _depth(node), constants[node]
                bounds = (start, end)
                position, feature, last, num_constant = best_cut(
                    work, depth, targets, inverse, total, bounds, known, state
                )
        if position < 0:
            for p in range(start, end):
                work.leaf[work.samples[p]] = node
            continue
        part_samples(work, depth, feature, last, start, position, end)
        values = work.values[depth, feature]
        features[node] = feature
        thresholds[node] = values[position - 1] / 2.0 + values[position] / 2.0
        left, right = 2 * node + 1, 2 * node + 2
        impurities[left], impurities[right] = child_impurities(
            work.samples, targets, total, squares, start, position, end
        )
        before = (end - start) * impurities[node]
        after_left = (position - start) * impurities[left]
        after_right = (end - position) * impurities[right]
        importances[feature] += before - after_left - after_right
        if left < num_inner:
            part_orders(work, depth, start, position, end)
        starts[left], ends[left] = start, position
        starts[right], ends[right] = position, end
        constants[left] = constants[right] = num_constant
        stack[height], stack[height + 1] = right, left
        height += 2
    importances /= num_samples


@compiled
def _depth(node):
    """Depth of a node of the heap."""
    depth = 0
    while node > 0:
        node = (node - 1) // 2
        depth += 1
    return depth


@compiled
def find_leaf(codes, features, thresholds):
    """Returns the leaf of one sample, its index in the heap."""
    node = 0
    while node < len(features) and features[node] >= 0:
        right = codes[features[node]] > thresholds[node]
        node = 2 * node + 1 + right
    return node
