import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.metrics.supervised.dci import dci_score
from tf_disentangle.metrics.supervised.mig import mig_score
from tf_disentangle.metrics.supervised.modularity import modularity_score
from tf_disentangle.metrics.supervised.sap import sap_score
from tf_disentangle.metrics.supervised.unified import (
    aggregate,
    precision_curve,
    unified_scores,
)


def groups_by_walking(matrix, threshold):
    """Groups found latent by latent, joining through shared factors."""
    kept = np.where(matrix >= threshold, matrix, 0) != 0
    unseen, groups = set(range(len(matrix))), 0
    while unseen:
        group, factors = {unseen.pop()}, set()
        while True:
            factors |= {k for d in group for k in np.flatnonzero(kept[d])}
            more = {d for k in factors for d in np.flatnonzero(kept[:, k])} - group
            if not more:
                break
            group |= more
        unseen -= group
        groups += bool(factors)
    return groups


def test_groups_by_hand():
    matrix = np.array([[0.9, 0.0], [0.5, 0.3], [0.0, 0.7]])
    thresholds, groups = precision_curve(matrix)
    assert thresholds.tolist() == [0.9, 0.7, 0.5, 0.3, 0.0, 0.0]
    # 0.9: {z0, v0}; 0.7: and {z2, v1}; 0.5: z1 joins v0; 0.3: z1 joins both into one.
    assert groups.tolist() == [1, 2, 2, 1, 1, 1]
    scores = aggregate(matrix, np.ones(2))
    area = 0.2 * 1.5 + 0.2 * 2 + 0.2 * 1.5 + 0.3 * 1
    assert scores["precision_area"] == pytest.approx(area)
    assert scores["max_precision"] == 2


def test_groups_by_walking():
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = np.round(rng.random((5, 4)) ** 3, 2)
        thresholds, groups = precision_curve(matrix)
        expected = [groups_by_walking(matrix, t) for t in thresholds]
        assert groups.tolist() == expected


def test_aggregators_by_hand():
    matrix = np.array([[0.5, 0.0], [0.0, 0.25], [0.5, 0.25]])
    scores = aggregate(matrix, np.array([0.5, 0.25]))
    assert scores["sap"] == scores["mig"] == 0.0
    # Latents 0 and 1 are modular; latent 2 has 1 - 0.25^2 / 0.5^2 = 3/4.
    assert scores["modularity"] == pytest.approx((1 + 1 + 0.75) / 3)
    entropy = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(2)
    expected = (0.5 + 0.25 + 0.75 * (1 - entropy)) / 1.5
    assert scores["disentanglement"] == pytest.approx(expected, abs=1e-8)
    # Each factor is shared by two latents of three.
    assert scores["completeness"] == pytest.approx(1 - np.log(2) / np.log(3), abs=1e-8)
    matrix[0, 0] += 0.25
    wider = aggregate(matrix, np.array([0.5, 0.25]))
    assert wider["mig"] == pytest.approx((0.25 / 0.5 + 0) / 2)
    assert wider["sap"] == pytest.approx(0.125)


def test_of_one_factor_every_latent_with_an_entry_is_modular():
    one_factor = np.array([[0.5], [0.0]])
    assert aggregate(one_factor, np.ones(1))["modularity"] == 1.0
    assert aggregate(0 * one_factor, np.ones(1))["modularity"] == 0.0


def test_zeros():
    scores = aggregate(np.zeros((3, 2)), np.ones(2))
    assert set(scores.values()) == {0.0}


def test_each_metric_stands_in_its_own_cell():
    sizes, rng = (3, 4), np.random.default_rng(0)
    dataset, encode = known.GridDataset(sizes), known.noisy(sizes, 0.5)
    parts = []
    for count in (300, 200):
        factors = dataset.sample_factors(count, rng)
        parts += [encode(dataset.render(factors)), factors]
    result = unified_scores(*parts, seed=1)
    dci = dci_score(*parts, seed=1)
    assert result.score == result.importance["disentanglement"] == dci.score
    assert result.importance["completeness"] == dci.completeness
    train = parts[:2]
    assert result.mutual_information["mig"] == pytest.approx(mig_score(*train).score)
    modularity = modularity_score(*train).score
    assert result.mutual_information["modularity"] == pytest.approx(modularity)
    assert result.predictability["sap"] == pytest.approx(sap_score(*parts).score)
    table = result.table().splitlines()
    assert len(table) == 8 and f"{dci.score:.4f}" in table[1]
