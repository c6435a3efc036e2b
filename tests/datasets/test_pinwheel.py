"""The pinwheel against a slow construction, point by point."""

import math

import numpy as np
import pytest
from scipy import stats

from tf_disentangle import checks
from tf_disentangle.datasets import Pinwheel


def one_point(arm, normal, num_arms, radial_std, tangential_std, rate):
    """The published construction: a row vector times a rotation matrix."""
    point = np.array([1 + radial_std * normal[0], tangential_std * normal[1]])
    angle = 2 * math.pi * arm / num_arms + rate * math.exp(point[0])
    c, s = math.cos(angle), math.sin(angle)
    return point @ np.array([[c, -s], [s, c]])


@pytest.mark.parametrize("settings", [(4, 0.3, 0.1, 0.25), (5, 0.2, 0.05, -0.4)])
def test_points_are_the_published_construction(settings):
    num_arms, radial_std, tangential_std, rate = settings
    data = Pinwheel(10, num_arms, radial_std, tangential_std, rate)
    arms = np.arange(20)[:, None] % num_arms
    points = data.render(arms, np.random.default_rng(3))
    normal = np.random.default_rng(3).standard_normal((20, 2))
    expected = [
        one_point(arm, row, *settings)
        for arm, row in zip(arms[:, 0], normal, strict=True)
    ]
    assert points.shape == (20, 1, 1, 2)
    np.testing.assert_allclose(points[:, 0, 0], expected, rtol=1e-5, atol=1e-6)


def test_unbent_points_have_the_stated_spread():
    """Turned back by their own angle, they are normal about (1, 0)."""
    data = Pinwheel(rate=0.0)
    arms = data.sample_factors(20_000, np.random.default_rng(0))
    points = data.render(arms, np.random.default_rng(1))[:, 0, 0]
    back = (points[:, 0] + 1j * points[:, 1]) * np.exp(2j * np.pi * arms[:, 0] / 4)
    assert stats.kstest(back.real, stats.norm(1, 0.3).cdf).pvalue > 1e-3
    assert stats.kstest(back.imag, stats.norm(0, 0.1).cdf).pvalue > 1e-3


def test_training_points_are_balanced_seeded_and_apart_from_others():
    data = Pinwheel(num_points=801)
    counts = np.bincount(data.factors_of(range(len(data)))[:, 0])
    assert counts.tolist() == [201, 200, 200, 200]
    assert not np.array_equal(data.images(), Pinwheel(801, seed=1).images())
    drawn = data.render(data.factors_of(range(len(data))), np.random.default_rng(0))
    assert not np.array_equal(data.images(), drawn)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_points": 0}, "num_points must be at least 1"),
        ({"num_arms": 1}, "num_arms must be at least 2"),
        ({"radial_std": 0.0}, "radial_std must be greater than 0.0"),
        ({"tangential_std": -1.0}, "tangential_std must be greater than 0.0"),
        ({"rate": float("nan")}, "rate must be finite"),
    ],
)
def test_values_out_of_range(arguments, words):
    with pytest.raises(checks.ArgumentError, match=words):
        Pinwheel(**arguments)
