"""Hoyer sparsity: its ends, its invariances, its conventions, a slow loop."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.unsupervised.hoyer import hoyer_sparsity

RNG = np.random.default_rng(0)
CODES = RNG.laplace(size=(500, 6)) + 0.3


def by_hand(codes, normalise=True):
    total = 0.0
    for code in codes:
        scaled = [
            z / np.std(codes[:, i], ddof=1) if normalise else z
            for i, z in enumerate(code)
        ]
        l1 = sum(abs(z) for z in scaled)
        l2 = sum(z * z for z in scaled) ** 0.5
        root = len(code) ** 0.5
        total += (root - l1 / l2) / (root - 1)
    return total / len(codes)


@pytest.mark.parametrize("normalise", [True, False])
def test_equals_a_slow_loop(normalise):
    result = hoyer_sparsity(CODES * [1, 2, 5, 1, 1, 9], normalise=normalise)
    expected = by_hand(CODES * [1, 2, 5, 1, 1, 9], normalise)
    assert result.score == pytest.approx(expected, rel=1e-12)
    assert result.score == pytest.approx(result.per_example.mean())
    assert ("normalise" in result.protocol) != normalise


def test_one_entry_is_one_and_equal_entries_are_zero():
    one_hot = np.eye(4)[RNG.integers(4, size=200)] * RNG.normal(size=(200, 1))
    assert hoyer_sparsity(one_hot).score == pytest.approx(1.0)
    signs = RNG.choice([-1.0, 1.0], size=(200, 4))
    assert hoyer_sparsity(signs, normalise=False).score == pytest.approx(0.0)


def test_a_sparse_code_scores_above_a_dense_one():
    dense = RNG.normal(size=(2000, 10))
    sparse = dense * np.where(RNG.uniform(size=dense.shape) < 0.8, 0.05, 1.0)
    assert hoyer_sparsity(sparse).score > hoyer_sparsity(dense).score + 0.2


def test_a_collapsed_latent_does_not_pass_for_sparsity():
    codes = RNG.normal(size=(2000, 6))
    small = codes * [1, 1, 1, 1e-3, 1e-3, 1e-3]
    assert hoyer_sparsity(small).score == pytest.approx(hoyer_sparsity(codes).score)
    raw = hoyer_sparsity(small, normalise=False).score
    assert raw > hoyer_sparsity(codes).score + 0.2


def test_constant_latents_are_left_out():
    padded = np.column_stack([CODES, np.zeros(500), np.full(500, 0.1)])
    result = hoyer_sparsity(padded)
    assert result.score == pytest.approx(hoyer_sparsity(CODES).score)
    assert result.active.tolist() == [True] * 6 + [False] * 2 and result.num_active == 6


@pytest.mark.parametrize(
    "codes",
    [CODES[:, :1], np.ones((9, 4)), np.insert(np.ones((500, 2)), 1, CODES[:, 0], 1)],
)
def test_fewer_than_two_latents_that_vary_are_not_sparse(codes):
    result = hoyer_sparsity(codes)
    assert result.score == 0.0
    assert result.num_active < 2
    np.testing.assert_array_equal(result.per_example, np.zeros(len(codes)))


def test_categorical_columns_are_left_out():
    labels = RNG.integers(3, size=500)
    columns = [CodeColumn(f"z{d}") for d in range(6)]
    columns.insert(2, CodeColumn("c", "categorical"))
    result = hoyer_sparsity(np.insert(CODES, 2, labels, axis=1), columns=columns)
    assert result.score == hoyer_sparsity(CODES).score
    assert not result.active[2]
    assert result.protocol == "mathieu2019, categorical=left out"


def test_float32_codes_are_summed_in_float64():
    codes = CODES.astype(np.float32)
    wide = hoyer_sparsity(codes.astype(np.float64)).per_example
    np.testing.assert_array_equal(hoyer_sparsity(codes).per_example, wide)


def test_a_code_of_zeros_counts_as_zero():
    codes = np.concatenate([CODES, np.zeros((1, 6))])
    assert hoyer_sparsity(codes).per_example[-1] == 0.0


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (CODES[:1], "codes must have at least 2 rows"),
        (CODES[0], "codes must have shape"),
        (np.where(CODES > 2, np.nan, CODES), "NaN or infinity in z0"),
        (np.full((9, 4), "a"), "codes must hold real numbers"),
    ],
)
def test_codes_that_have_no_score(codes, words):
    with pytest.raises((ArgumentError, ArgumentTypeError), match=words):
        hoyer_sparsity(codes)
