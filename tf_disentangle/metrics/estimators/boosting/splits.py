"""The best cut of one node of a regression tree, over all features.

A cut sends the samples with x <= threshold to the left. It maximises

    S_left^2 / n_left + S_right^2 / n_right,       S the sum of the targets,

which is the decrease of the squared error up to a constant. The search matches
scikit-learn's best splitter operation by operation, so that the same feature wins among
equal merits: features come in the order of the same generator, a feature that was
constant in a node is not tried below it, values within 1e-7 of their neighbour are not
separated, and sums are added up in the same order.

The samples of a node lie in the same range [start, end) of every feature's order and of
`samples`; `tree.py` preserves this.
"""

# ruff: noqa: ANN001, ANN201 (numba infers the types; shapes are given)
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tf_disentangle.metrics.estimators.boosting.jit import compiled

#: Neighbouring float32 values that are closer than this are not separated.
NEAR = np.float32(1e-7)

# Merits whose bits differ by no more may be equal when computed with divisions.
_ROUNDING = 64


class Workspace(NamedTuple):
    """Buffers of one thread, for N samples and L features.

    Attributes:
        order: uint32 [depth, L, N], samples of each node in ascending order of each
            feature, for the nodes of each depth that can be split. Depth 0 is given.
        values: float32 [depth, L, N], the feature's values in that order.
        samples: uint32 [N], samples in scikit-learn's order, which decides rounding.
        left: uint8 [N], 1 for the samples that the last cut sent to the left.
        sums: float64 [N], sum of the targets before each position.
        distinct: uint8 [N], 1 where a cut is possible.
        reverse: float64 [N], 1 / (n - p) for the n samples of a node.
        merit: float64 [N], merit of each position, -1 where no cut is possible.
        features: int64 [L], the permutation from which features are drawn.
        constants: int64 [L], features known to be constant, in order of discovery.
        leaf: uint8 [N], the leaf of each sample, its index in the heap.
        grouped: float64 [2, N], targets and second derivatives grouped by leaf.
    """

    order: np.ndarray
    values: np.ndarray
    samples: np.ndarray
    left: np.ndarray
    sums: np.ndarray
    distinct: np.ndarray
    reverse: np.ndarray
    merit: np.ndarray
    features: np.ndarray
    constants: np.ndarray
    leaf: np.ndarray
    grouped: np.ndarray


@compiled
def random_below(state, bound):
    """Draws an integer in [0, bound): a 32-bit xorshift, its upper bit cut off."""
    if state[0] == 0:
        state[0] = 1
    bits = state[0]
    bits ^= np.uint32(bits << np.uint32(13))
    bits ^= np.uint32(bits >> np.uint32(17))
    bits ^= np.uint32(bits << np.uint32(5))
    state[0] = bits
    return np.int64(bits & np.uint32(0x7FFFFFFF)) % bound


@compiled
def prefix_sums(order, values, targets, total, sums, distinct):
    """Fills `sums` and `distinct` of a node's n samples, for the positions 0 < p < n.

    Where a step over near values is longer than what remains, scikit-learn subtracts
    what remains from the total; the rounding is the same only if we do too.
    """
    count = len(order)
    running = 0.0
    last_cut = 0
    previous = values[0]
    for p in range(1, count):
        running += targets[order[p - 1]]
        is_distinct = values[p] > previous + NEAR
        if is_distinct:
            if p - last_cut > count - p:
                running = total
                for q in range(count - 1, p - 1, -1):
                    running -= targets[order[q]]
            last_cut = p
        previous = values[p]
        sums[p] = running
        distinct[p] = is_distinct


@compiled
def highest_merit(sums, distinct, inverse, reverse, total, merit):
    """Fills `merit` up to rounding, and returns the bits of the highest.

    Products with `inverse` (1 / p) and `reverse` (1 / (n - p)) run on vector units, as
    divisions hardly do. The bits of non-negative floats have the order of the floats,
    and integers have a vector maximum.
    """
    for p in range(len(sums)):
        left = sums[p]
        right = total - left
        value = left * left * inverse[p] + right * right * reverse[p]
        merit[p] = value if distinct[p] else -1.0
    bits = merit.view(np.int64)
    highest = bits[0]
    for p in range(len(sums)):
        highest = max(highest, bits[p])
    return highest


@compiled
def first_best(sums, merit, floor, total, best):
    """Finds the first position whose exact merit is the highest above `best`.

    Only positions whose merit has at least the bits `floor` are tried.

    Returns:
        The position, -1 if none beats `best`, and its merit.
    """
    bits = merit.view(np.int64)
    count = len(sums)
    position = -1
    for p in range(1, count):
        if bits[p] >= floor:
            left = sums[p]
            right = total - left
            exact = left * left / p + right * right / (count - p)
            if exact > best:
                best, position = exact, p
    return position, best


@compiled
def try_feature(order, values, targets, inverse, total, work, best, bits):
    """Searches one feature of a node for a cut with a merit above `best`.

    Returns:
        The position in the node, -1 if there is none, the best merit, and the bits of
        the highest merit so far.
    """
    count = len(order)
    sums, distinct = work.sums[:count], work.distinct[:count]
    distinct[0] = False
    prefix_sums(order, values, targets, total, sums, distinct)
    highest = highest_merit(
        sums, distinct, inverse[:count], work.reverse[:count], total, work.merit[:count]
    )
    if highest < 0 or highest < bits - _ROUNDING:
        return -1, best, bits
    floor = max(highest - _ROUNDING, 0)
    position, best = first_best(sums, work.merit[:count], floor, total, best)
    return position, best, max(bits, highest)


@compiled
def best_cut(work, depth, targets, inverse, total, bounds, num_known, state):
    """Searches all features of a node in random order.

    Args:
        work: The thread's `Workspace`.
        depth: Depth of the node.
        targets: float64 [N].
        inverse: float64 [N + 1], 1 / n.
        total: Sum of the node's targets.
        bounds: First position of the node, and the one after its last.
        num_known: How many of `work.constants` are constant in the parent.
        state: uint32 [1] of the generator.

    Returns:
        Position, -1 if no cut is possible, and feature of the cut; the feature that
        was looked at last, -1 if none; how many features are constant.
    """
    start, end = bounds
    features, constants = work.features, work.constants
    best, bits, position, feature, last = -np.inf, np.int64(-1), -1, 0, -1
    num_drawn, num_found, remaining = 0, 0, len(features)
    for p in range(end - start):
        work.reverse[p] = inverse[end - start - p]
    while remaining > num_known + num_found:
        # Known constants come first, then those found here, then the other features.
        j = num_drawn + random_below(state, remaining - num_found - num_drawn)
        if j < num_known:
            features[num_drawn], features[j] = features[j], features[num_drawn]
            num_drawn += 1
            continue
        j += num_found
        last = features[j]
        values = work.values[depth, last, start:end]
        if values[-1] <= values[0] + NEAR:
            front = num_known + num_found
            features[j], features[front] = features[front], features[j]
            num_found += 1
            continue
        remaining -= 1
        features[j], features[remaining] = features[remaining], features[j]
        order = work.order[depth, last, start:end]
        found, best, bits = try_feature(
            order, values, targets, inverse, total, work, best, bits
        )
        if found >= 0:
            position, feature = start + found, last
    num_constant = num_known + num_found
    features[:num_known] = constants[:num_known]
    constants[num_known:num_constant] = features[num_known:num_constant]
    return position, feature, last, num_constant
