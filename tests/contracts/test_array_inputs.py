"""What every metric of arrays does with odd input, and with wrong input.

The rows are the table itself: a metric added to `METRICS` is tested here. Each test is
one claim for all metrics of a kind, and names the metric that breaks it.
"""

import contextlib
import itertools

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.metrics import METRICS, Input

#: Metrics of arrays by what they take.
KINDS = {
    kind: {name: m for name, m in METRICS.items() if m.input is kind}
    for kind in Input
    if kind is not Input.ENCODER
}
ALL = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
WITH_FACTORS = pytest.mark.parametrize(
    "kind", [k for k in KINDS if k is not Input.CODES], ids=lambda kind: kind.name
)
SIZES = (2, 3)

#: Options without which a metric asks for more samples, or votes, than a test needs.
FEW_VOTES = {"num_train_votes": 60, "num_test_votes": 40, "batch_size": 8}
OPTIONS = {
    "statistical_efficiency": {"small": 6, "large": 12},
    "factor_vae": {**FEW_VOTES, "num_variance_samples": 50},
    "beta_vae": FEW_VOTES,
    "strong_downstream": {"num_train": 40, "num_test": 30, "num_experiments": 1},
}
#: Metrics that need a second factor.
TWO_FACTORS = {"strong_downstream"}


def samples(n=60):
    """Whole numbers as codes, so that every dtype holds them exactly."""
    noise = np.random.default_rng(1).integers(4, size=(n, 3))
    factors = known.GridDataset(SIZES).sample_factors(n, np.random.default_rng(0))
    return 3 * factors[:, [0, 1, 0]] + noise, factors


def call(name, codes, factors, split=False):
    """Calls a metric; a test part is the train part again, or split off."""
    metric = METRICS[name]
    count = {Input.CODES: 1, Input.CODES_AND_FACTORS: 2}.get(metric.input, 4)
    arrays = (codes, factors, codes, factors)[: 2 if split and count > 2 else count]
    return metric(*arrays, **OPTIONS.get(name, {}))


@contextlib.contextmanager
def of(name):
    """Says which metric a test failed for."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"metric: {name}")
        raise


def refused(kind, words, codes, factors, error=ArgumentError):
    for name in KINDS[kind]:
        with of(name), pytest.raises(error, match=words):
            call(name, codes, factors)


@ALL
def test_dtype_of_codes(kind):
    """The first metric of a kind with four kinds of numbers, the others with one."""
    codes, factors = samples()
    dtypes = itertools.cycle((np.uint8, np.float64, np.int32, np.float16))
    for name in KINDS[kind]:
        expected = call(name, codes.astype(np.float32), factors).score
        count = 4 if name == next(iter(KINDS[kind])) else 1
        for dtype in itertools.islice(dtypes, count):
            with of(f"{name} {dtype}"):
                score = call(name, codes.astype(dtype), factors).score
                assert score == pytest.approx(expected, rel=1e-5)
                assert np.isfinite(score)


@WITH_FACTORS
def test_dtype_of_factors(kind):
    codes, factors = samples()
    text = np.array([["a", "b", "c"][v] for v in factors.ravel()]).reshape(-1, 2)
    for name in KINDS[kind]:
        expected = call(name, codes, factors).score
        for dtype in (np.uint8, np.int32, np.float32, np.float64):
            with of(f"{name} {dtype}"):
                assert call(name, codes, factors.astype(dtype)).score == expected
        with of(f"{name} text"):
            assert call(name, codes, text).score == expected
            assert call(name, codes, text.astype(object)).score == expected


@ALL
def test_arrays_stay_as_they_were(kind):
    codes, factors = samples()
    codes.setflags(write=False)
    factors.setflags(write=False)
    for name in KINDS[kind]:
        with of(name):
            call(name, codes, factors)
            call(name, codes, factors, split=True)


@ALL
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_names_the_latent(kind, value):
    codes, factors = samples()
    codes = codes.astype(np.float32)
    codes[7, 1] = value
    refused(kind, "NaN or infinity in z1", codes, factors)


@WITH_FACTORS
def test_transposed_arrays_suggest_the_transpose(kind):
    codes, factors = samples()
    refused(kind, r"codes\.T and \w*factors\.T", codes.T, factors.T)
    refused(kind, r"pass \w*codes\.T", codes.T, factors)
    refused(kind, r"pass \w*factors\.T", codes, factors.T)


def test_transposed_codes_suggest_the_transpose():
    codes, _ = samples()
    refused(Input.CODES, r"pass codes\.T", codes.T, None)
    for name in KINDS[Input.CODES]:
        with of(name):
            assert np.isfinite(call(name, codes[:4], None).score)


@ALL
@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e60), (np.float32, 1e15)])
def test_large_codes(kind, dtype, size):
    """Up to the limit there is a score, or an error: never an overflow."""
    codes, factors = samples()
    codes = (codes / codes.max() * size).astype(dtype)
    for name in KINDS[kind]:
        with of(name):
            try:
                score = call(name, codes, factors).score
            except ArgumentError as error:
                assert "finite in float32" in str(error) and dtype is np.float64
            else:
                assert np.isfinite(score)
    codes[3, 1] = 1e3 * size
    refused(kind, "larger values in z1", codes, factors)


@WITH_FACTORS
def test_other_lengths(kind):
    codes, factors = samples()
    refused(kind, "belongs to image i", codes, factors[:-1])


@ALL
def test_not_numbers(kind):
    codes, factors = samples()
    refused(kind, "hold real numbers", codes.astype(str), factors, ArgumentTypeError)


@WITH_FACTORS
def test_few_samples_one_factor_one_latent(kind):
    for name in KINDS[kind]:
        for n in (12, 60):
            codes, factors = samples(n)
            with of(f"{name} {n}"):
                assert np.isfinite(call(name, codes, factors).score)
                assert np.isfinite(call(name, codes[:, :1], factors).score)
                if name not in TWO_FACTORS:
                    assert np.isfinite(call(name, codes, factors[:, :1]).score)
                    assert np.isfinite(call(name, codes[:, :1], factors[:, :1]).score)


@WITH_FACTORS
def test_constant_latent_and_factor(kind):
    codes, factors = samples()
    codes, factors = np.insert(codes, 1, 5, axis=1), np.insert(factors, 1, 5, axis=1)
    for name in KINDS[kind]:
        with of(name):
            assert np.isfinite(call(name, codes, factors).score)


@WITH_FACTORS
def test_only_constant_factors(kind):
    codes, factors = samples()
    refused(kind, "two values", codes, np.full_like(factors, 3))


@pytest.mark.parametrize("kind", [Input.SPLIT, Input.VOTES], ids=lambda kind: kind.name)
def test_without_a_test_part_the_rows_are_split_by_the_seed(kind):
    codes, factors = samples(300)
    codes = codes + np.random.default_rng(3).normal(size=codes.shape)
    for name, metric in KINDS[kind].items():
        options = OPTIONS.get(name, {})
        with of(name):
            first, again, other = (
                metric(codes, factors, seed=seed, **options) for seed in (0, 0, 1)
            )
            assert first.score == again.score
            assert first.protocol.endswith(", rows split 2:1")
            assert first.score != other.score or first.score in (0.0, 1.0)
            with pytest.raises(ArgumentError, match="both or neither"):
                metric(codes, factors, codes, **options)
            with pytest.raises(ArgumentError, match="at least 6 rows"):
                metric(codes[:5], factors[:5], **options)
