"""Intervals cover as often as they say: 1,000 replicates of each."""

import numpy as np
import pytest
from scipy import stats

from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import accuracy_interval, bootstrap_interval, mean_interval

REPLICATES = 1_000


def coverage(intervals, truth):
    return np.mean([i.low <= truth <= i.high for i in intervals])


def covers(intervals, truth, confidence, slack=0.0):
    """Whether the coverage is the confidence, within four standard errors."""
    error = np.sqrt(confidence * (1 - confidence) / REPLICATES)
    return abs(coverage(intervals, truth) - confidence) < 4 * error + slack


@pytest.mark.parametrize("num_seeds", [2, 3, 10])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_mean_over_seeds(num_seeds, confidence):
    draws = np.random.default_rng(0).normal(0.7, 0.1, size=(REPLICATES, num_seeds))
    intervals = [mean_interval(v, confidence=confidence) for v in draws]
    assert covers(intervals, 0.7, confidence)
    # With the normal quantile instead of Student's it would not.
    if num_seeds < 10:
        short = stats.norm.ppf((1 + confidence) / 2) / np.sqrt(num_seeds)
        hits = np.abs(draws.mean(1) - 0.7) <= short * draws.std(axis=1, ddof=1)
        assert np.mean(hits) < confidence - 0.03


@pytest.mark.parametrize("share", [0.25, 0.7, 0.97])
@pytest.mark.parametrize("trials", [800, 5_000])
def test_accuracy(share, trials):
    right = np.random.default_rng(1).binomial(trials, share, size=REPLICATES)
    intervals = [accuracy_interval(int(k), trials) for k in right]
    # Counts are whole, so that the coverage at one share is a little off by itself.
    assert covers(intervals, share, 0.95, slack=0.005)


def test_votes_of_the_factor_vae_score():
    """The interval of one measured score holds what many more votes would give."""
    from tests import representations as known
    from tf_disentangle.metrics import METRICS

    factor_vae_score = METRICS["factor_vae"].on_data
    sizes = (4, 4, 4, 4)
    mixing = np.random.default_rng(1).normal(size=(4, 6)) + 0.9 * np.eye(4, 6)

    def score(seed, votes):
        return factor_vae_score(
            known.GridDataset(sizes),
            lambda images: known.standardised(images, sizes) @ mixing,
            seed=seed,
            batch_size=10,
            num_variance_samples=2_000,
            num_train_votes=2_000,
            num_test_votes=votes,
            progress=False,
        )

    truth = score(0, 40_000).score
    hits = 0
    for seed in range(1, 41):
        votes = score(seed, 300).test_votes
        right = round(score(seed, 300).score * votes.sum())
        interval = accuracy_interval(right, int(votes.sum()))
        hits += interval.low <= truth <= interval.high
    assert hits >= 33  # 40 at 0.95: fewer have a probability of 1e-4.


def test_bootstrap_of_a_mean():
    draws = np.random.default_rng(2).exponential(size=(REPLICATES, 200))
    intervals = [
        bootstrap_interval(np.mean, v, seed=i, num_resamples=200)
        for i, v in enumerate(draws)
    ]
    # 200 resamples and a skewed distribution cost up to two per cent.
    assert covers(intervals, 1.0, 0.95, slack=0.02)


def test_bootstrap_resamples_rows_together():
    x = np.random.default_rng(0).normal(size=100)
    interval = bootstrap_interval(lambda a, b: float(np.mean(a - b)), x, x, seed=0)
    assert interval.low == interval.high == 0.0


def test_equal_seeds_give_a_point():
    interval = mean_interval([0.5, 0.5, 0.5])
    assert (interval.low, interval.mean, interval.high) == (0.5, 0.5, 0.5)
    assert str(interval) == "0.5000 [0.5000, 0.5000]"


def test_wilson_by_hand_and_at_the_ends():
    # k = 8 of 10: published worked value (0.490, 0.943).
    interval = accuracy_interval(8, 10)
    assert interval.low == pytest.approx(0.4901625, abs=1e-6)
    assert interval.high == pytest.approx(0.9433178, abs=1e-6)
    reference = stats.binomtest(8, 10).proportion_ci(0.95, method="wilson")
    assert interval.low == pytest.approx(reference.low)
    assert accuracy_interval(0, 10).low == 0.0
    assert accuracy_interval(10, 10).high == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mean_interval([0.5]), "values must be at least 2 finite"),
        (lambda: mean_interval([0.5, np.nan]), "finite numbers"),
        (lambda: mean_interval([0.5, 0.6], confidence=1.0), "less than 1"),
        (lambda: accuracy_interval(3, 2), "num_right must be at most"),
        (lambda: accuracy_interval(0, 0), "num_trials must be at least 1"),
        (
            lambda: bootstrap_interval(np.mean, np.ones(3), np.ones(4), seed=0),
            "one number of rows",
        ),
    ],
)
def test_errors(call, words):
    with pytest.raises(ArgumentError, match=words):
        call()
