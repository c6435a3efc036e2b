"""What every metric of arrays does with odd input, and with wrong input.

The rows are the table itself: a metric added to `ARRAY_METRICS` is tested here.
"""

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.metrics import ARRAY_METRICS, needs

METRICS = pytest.mark.parametrize("metric", ARRAY_METRICS.values(), ids=ARRAY_METRICS)
WITH_FACTORS = pytest.mark.parametrize(
    "metric",
    [m for m in ARRAY_METRICS.values() if len(needs(m)) > 1],
    ids=[name for name, m in ARRAY_METRICS.items() if len(needs(m)) > 1],
)

CODES_ONLY = pytest.mark.parametrize(
    "metric",
    [m for m in ARRAY_METRICS.values() if needs(m) == ("codes",)],
    ids=[name for name, m in ARRAY_METRICS.items() if needs(m) == ("codes",)],
)

SIZES = (2, 3)

#: Options without which a metric asks for more samples than there are here.
OPTIONS = {"statistical_efficiency": {"small": 6, "large": 12}}

#: Metrics that refuse L = 1, as their documentation says.
TWO_LATENTS = {"unified_scores"}


def samples(n=60):
    """Whole numbers as codes, so that every dtype holds them exactly."""
    noise = np.random.default_rng(1).integers(4, size=(n, 3))
    factors = known.GridDataset(SIZES).sample_factors(n, np.random.default_rng(0))
    return 3 * factors[:, [0, 1, 0]] + noise, factors


def call(metric, codes, factors):
    """Calls a metric with the same samples as train and as test part."""
    given = {"codes": codes, "factors": factors}
    arrays = [given[name.split("_")[-1]] for name in needs(metric)]
    return metric(*arrays, **OPTIONS.get(metric.__name__, {}))


@METRICS
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float64])
def test_dtype_of_codes(metric, dtype):
    codes, factors = samples()
    expected = call(metric, codes.astype(np.float32), factors).score
    score = call(metric, codes.astype(dtype), factors).score
    assert score == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(score)


@WITH_FACTORS
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_dtype_of_factors(metric, dtype):
    codes, factors = samples()
    expected = call(metric, codes, factors).score
    assert call(metric, codes, factors.astype(dtype)).score == expected


@METRICS
def test_arrays_stay_as_they_were(metric):
    codes, factors = samples()
    codes.setflags(write=False)
    factors.setflags(write=False)
    call(metric, codes, factors)


@METRICS
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite_names_the_latent(metric, value):
    codes, factors = samples()
    codes = codes.astype(np.float32)
    codes[7, 1] = value
    with pytest.raises(ArgumentError, match="NaN or infinity in z1"):
        call(metric, codes, factors)


@WITH_FACTORS
def test_transposed_arrays_suggest_the_transpose(metric):
    codes, factors = samples()
    with pytest.raises(ArgumentError, match=r"codes\.T and \w*factors\.T"):
        call(metric, codes.T, factors.T)
    with pytest.raises(ArgumentError, match=r"pass \w*codes\.T"):
        call(metric, codes.T, factors)
    with pytest.raises(ArgumentError, match=r"pass \w*factors\.T"):
        call(metric, codes, factors.T)


@CODES_ONLY
def test_transposed_codes_suggest_the_transpose(metric):
    codes, _ = samples()
    with pytest.raises(ArgumentError, match=r"pass codes\.T"):
        metric(codes.T)
    assert np.isfinite(metric(codes[:4]).score)


@METRICS
@pytest.mark.parametrize(("dtype", "size"), [(np.float64, 1e60), (np.float32, 1e15)])
def test_large_codes(metric, dtype, size):
    """Up to the limit there is a score, or an error: never an overflow."""
    codes, factors = samples()
    codes = (codes / codes.max() * size).astype(dtype)
    try:
        score = call(metric, codes, factors).score
    except ArgumentError as error:
        assert "finite in float32" in str(error) and dtype is np.float64
    else:
        assert np.isfinite(score)
    codes[3, 1] = 1e3 * size
    with pytest.raises(ArgumentError, match="larger values in z1"):
        call(metric, codes, factors)


@WITH_FACTORS
def test_other_lengths(metric):
    codes, factors = samples()
    with pytest.raises(ArgumentError, match="belongs to image i"):
        call(metric, codes, factors[:-1])


@METRICS
def test_not_numbers(metric):
    codes, factors = samples()
    with pytest.raises(ArgumentTypeError, match="hold real numbers"):
        call(metric, codes.astype(str), factors)


@WITH_FACTORS
def test_few_samples_and_one_factor(metric):
    codes, factors = samples(12)
    assert np.isfinite(call(metric, codes, factors).score)
    assert np.isfinite(call(metric, codes, factors[:, :1]).score)


@WITH_FACTORS
@pytest.mark.parametrize("num_factors", [1, 2])
def test_one_latent(metric, num_factors):
    codes, factors = samples()
    codes, factors = codes[:, :1], factors[:, :num_factors]
    if metric.__name__ in TWO_LATENTS:
        with pytest.raises(ArgumentError, match="at least 2 latents"):
            call(metric, codes, factors)
    else:
        assert np.isfinite(call(metric, codes, factors).score)


@WITH_FACTORS
def test_constant_latent_and_factor(metric):
    codes, factors = samples()
    codes, factors = np.insert(codes, 1, 5, axis=1), np.insert(factors, 1, 5, axis=1)
    assert np.isfinite(call(metric, codes, factors).score)


@WITH_FACTORS
def test_only_constant_factors(metric):
    codes, factors = samples()
    with pytest.raises(ArgumentError, match="two values"):
        call(metric, codes, np.full_like(factors, 3))
