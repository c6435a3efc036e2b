"""Metrics of one evaluation share their fits, and score as they do alone."""

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import metrics
from tf_disentangle.metrics.estimators import predictors, shared_fits
from tf_disentangle.metrics.estimators.predictors import fit_predictor
from tf_disentangle.metrics.estimators.shared_fits import sharing_fits
from tf_disentangle.metrics.results import as_row

SIZES = (3, 4)
TREES = ("dci", "downstream", "statistical_efficiency", "unified")
SMALL = {"num_train": 200, "num_test": 100, "progress": False}


@pytest.fixture
def fits(monkeypatch):
    """How many fits of boosted trees were made."""
    made = []
    original = predictors.PREDICTORS["gradient_boosting"]

    def counted(features, labels, seed):
        made.append(len(labels))
        return original(features, labels, seed)

    monkeypatch.setitem(predictors.PREDICTORS, "gradient_boosting", counted)
    return made


def samples(seed=0):
    return known.drawn(known.noisy(SIZES, 0.5), SIZES, 60, seed)


def test_an_evaluation_fits_once_and_scores_the_same(fits):
    chosen = {name: metrics.METRICS[name] for name in TREES}
    chosen["strong_downstream"] = metrics.METRICS["strong_downstream"]
    encode = known.mixed(SIZES, np.random.default_rng(1).normal(size=(2, 3)), 0.0)
    dataset = known.GridDataset(SIZES)
    found = metrics.evaluate(
        dataset, encode, chosen, num_experiments=1, encode_once=True, **SMALL
    )
    # The five share a fit per factor; the held-out combinations are two more.
    assert fits.count(200) == 4
    for name, metric in chosen.items():
        own = {"num_experiments": 1} if "strong" in name else {}
        alone = metric.on_data(dataset, encode, encode_once=True, **SMALL, **own)
        assert as_row({name: found[name].results[0]}) == as_row({name: alone})


def test_nothing_is_shared_outside_or_afterwards(fits):
    codes, factors = samples()
    for _ in range(2):
        fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
    with sharing_fits():
        fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
    with sharing_fits():
        fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
    assert len(fits) == 4


def test_whatever_a_fit_depends_on_tells_it_apart(fits):
    codes, factors = samples()
    other = codes.copy()
    other[5, 1] += 1e-3
    with sharing_fits():
        first = fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
        for arguments in (
            ("gradient_boosting", other, factors[:, 0], 0),
            ("gradient_boosting", codes.astype(np.float32), factors[:, 0], 0),
            ("gradient_boosting", codes, factors[:, 1], 0),
            ("gradient_boosting", codes, factors[:, 0], 1),
            ("gradient_boosting", codes[:50], factors[:50, 0], 0),
            ("gradient_boosting", codes.reshape(30, -1), factors[:30, 0], 0),
            ("logistic_regression", codes, factors[:, 0], 0),
        ):
            *given, seed = arguments
            assert fit_predictor(*given, seed=seed) is not first
        same = fit_predictor("gradient_boosting", codes.copy(), factors[:, 0], seed=0)
    assert same is first
    assert len(fits) == 7


def test_a_reused_array_is_fitted_anew(fits):
    codes, factors = samples()
    with sharing_fits():
        fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
        codes *= 2
        fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
    assert len(fits) == 2


def test_the_oldest_fit_makes_room(fits, monkeypatch):
    monkeypatch.setattr(shared_fits, "CAPACITY", 2)
    codes, factors = samples()
    with sharing_fits():
        for seed in (0, 1, 0, 2, 0, 1):
            fit_predictor("gradient_boosting", codes, factors[:, 0], seed=seed)
    assert len(fits) == 4, "seeds 0, 1, 2, and 1 again"


def test_an_inner_block_shares_with_the_outer(fits):
    codes, factors = samples()
    with sharing_fits():
        with sharing_fits():
            fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
        fit_predictor("gradient_boosting", codes, factors[:, 0], seed=0)
    assert len(fits) == 1
