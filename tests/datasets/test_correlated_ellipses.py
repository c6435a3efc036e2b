"""CorrelatedEllipses against the authors' images and the normal distribution."""

import pathlib
import pickle

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import integrate, stats

from tf_disentangle import checks
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.datasets import correlated_ellipses as ce

ROOT = pathlib.Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "golden" / "ellipses.npz"


def draw_as_authors(factors):
    """The authors' construction, one canvas per image."""
    x, y, scale, rotation = factors
    x, y = np.linspace(0, 1, 32)[[x, y]]
    scale = np.linspace(0.5, 1, 6)[scale]
    canvas = np.zeros((256, 256), np.uint8)
    centre = (round(156 * x + 50), round(156 * y + 50))
    axes = (round(50 * scale), round(25 * scale))
    degrees = np.linspace(0, 360, 40)[rotation]
    canvas = cv2.ellipse(canvas, centre, axes, degrees, 0, 360, 255, -1)
    return cv2.resize(canvas, (64, 64), interpolation=cv2.INTER_AREA)


def all_factors():
    return np.stack(np.unravel_index(np.arange(32 * 32 * 6 * 40), ce.FACTOR_SIZES), 1)


def assert_golden(path):
    golden = np.load(path)
    factors = ce.factors_from_latents(golden["latents"])
    assert_array_equal(ce.render_factors(factors)[..., 0], golden["images"])


def test_golden_images_bit_for_bit():
    assert_golden(ROOT / "tests" / "golden" / "ellipses_20.npz")


@pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED} is not here")
def test_all_golden_images_bit_for_bit():
    assert_golden(SHARED)


def test_windows_equal_the_authors_construction():
    rng = np.random.default_rng(0)
    factors = all_factors()[rng.choice(32 * 32 * 6 * 40, 3000, replace=False)]
    corners = np.array([[0, 0, 5, 0], [31, 31, 5, 20], [0, 31, 5, 10], [31, 0, 5, 39]])
    factors = np.concatenate([factors, corners])
    expected = np.stack([draw_as_authors(row) for row in factors])
    assert_array_equal(ce.render_factors(factors)[..., 0], expected)


@pytest.mark.slow
def test_every_image_equals_the_authors_construction():
    factors = all_factors()
    for start in range(0, len(factors), 4096):
        block = factors[start : start + 4096]
        expected = np.stack([draw_as_authors(row) for row in block])
        assert_array_equal(ce.render_factors(block)[..., 0], expected)


def test_only_0_and_360_degrees_give_equal_images():
    factors = all_factors()
    # All scales and rotations at four neighbouring places: every centre's remainder.
    near = factors[(factors[:, 0] < 4) & (factors[:, 1] < 4)]
    images = ce.render_factors(near).reshape(len(near), -1)
    same = {}
    for row, image in zip(near.tolist(), images, strict=True):
        same.setdefault(image.tobytes(), []).append(row)
    groups = [rows for rows in same.values() if len(rows) > 1]
    assert len(groups) == 4 * 4 * 6
    for rows in groups:
        assert len(rows) == 2
        assert rows[0][:3] == rows[1][:3]
        assert [row[3] for row in rows] == [0, 39]


def test_factors_are_floored_to_the_grid():
    latents = np.array([[0, 1, 0, 1], [0.999, 1 / 31, 0.2, 0.0256], [0.5] * 4])
    expected = [[0, 31, 0, 39], [30, 1, 1, 0], [15, 15, 2, 19]]
    assert_array_equal(ce.factors_from_latents(latents), expected)


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.5])
def test_normal_variables_have_the_stated_covariance(correlation):
    u = ce.sample_normal(200_000, correlation, np.random.default_rng(1))
    expected = np.eye(4)
    expected[0, 1] = expected[1, 0] = expected[2, 3] = expected[3, 2] = correlation
    # The standard error of a sample covariance is at most sqrt(2 / n).
    np.testing.assert_allclose(np.cov(u.T), expected, atol=5 * np.sqrt(2 / 200_000))
    for k in range(4):
        assert stats.kstest(u[:, k], "norm").pvalue > 1e-4


def clipped_correlation(correlation):
    """corr(clip(u), clip(v)) by quadrature over u; v given u is normal."""
    sd = np.sqrt(1 - correlation**2)

    def mean_clipped(m):
        a, b = (-1 - m) / sd, (1 - m) / sd
        inside = m * (stats.norm.cdf(b) - stats.norm.cdf(a))
        inside += sd * (stats.norm.pdf(a) - stats.norm.pdf(b))
        return inside - stats.norm.cdf(a) + stats.norm.sf(b)

    def product(u):
        return np.clip(u, -1, 1) * mean_clipped(correlation * u) * stats.norm.pdf(u)

    variance = integrate.quad(
        lambda u: np.clip(u, -1, 1) ** 2 * stats.norm.pdf(u), -9, 9, points=[-1, 1]
    )[0]
    return integrate.quad(product, -9, 9, points=[-1, 1])[0] / variance


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.5])
def test_clipped_latents_have_the_correlation_of_quadrature(correlation):
    u = ce.sample_normal(200_000, correlation, np.random.default_rng(2))
    measured = np.corrcoef(ce.latents_from_normal(u).T)
    tolerance = 5 / np.sqrt(200_000)
    expected = clipped_correlation(correlation)
    assert measured[0, 1] == pytest.approx(expected, abs=tolerance)
    assert measured[2, 3] == pytest.approx(expected, abs=tolerance)
    np.testing.assert_allclose(measured[:2, 2:], 0, atol=tolerance)


def test_factor_masses_follow_the_clipped_normal():
    n = 100_000
    data = CorrelatedEllipses(correlation=0.5)
    factors = data.sample_factors(n, np.random.default_rng(3))
    for k, size in enumerate(data.factor_sizes):
        # Value j < size - 1 holds a cell of the grid; the last holds the clip alone.
        edges = 2 * np.linspace(0, 1, size) - 1
        mass = np.diff(stats.norm.cdf(np.concatenate([[-np.inf], edges[1:], [np.inf]])))
        counts = np.bincount(factors[:, k], minlength=size)
        assert counts[-1] / n == pytest.approx(stats.norm.cdf(-1), abs=0.006)
        assert stats.chisquare(counts, n * mass).pvalue > 1e-4


def test_images_are_the_training_factors_rendered(tmp_path):
    data = CorrelatedEllipses(num_images=10_000, seed=4, cache_dir=tmp_path)
    images, factors = data.images(), data.factors_of(range(len(data)))
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable
    assert data.images() is images
    assert_array_equal(images, data.render(factors))


def test_seed_correlation_and_size_have_their_own_files(tmp_path):
    base = {"num_images": 50, "correlation": 0.5, "seed": 0, "cache_dir": tmp_path}
    images = CorrelatedEllipses(**base).images()
    for change in ({"seed": 1}, {"correlation": -0.5}):
        other = CorrelatedEllipses(**base | change).images()
        assert not np.array_equal(images, other)
    longer = CorrelatedEllipses(**base | {"num_images": 60}).images()
    assert_array_equal(longer[:50], images)
    assert_array_equal(CorrelatedEllipses(**base).images(), images)
    assert len(list(tmp_path.glob("*.npy"))) == 4


def test_a_pickled_data_set_does_not_carry_its_images(tmp_path):
    data = CorrelatedEllipses(num_images=2000, cache_dir=tmp_path)
    images = data.images()
    pickled = pickle.dumps(data)
    assert len(pickled) < 2000
    assert_array_equal(pickle.loads(pickled).images(), images)


@pytest.mark.parametrize("correlation", [-1, 1, 1.5, float("nan"), float("inf")])
def test_correlation_out_of_range(correlation):
    with pytest.raises(ArgumentError, match="correlation must"):
        CorrelatedEllipses(correlation=correlation)


@pytest.mark.parametrize("arguments", [{"num_images": 0}, {"seed": -1}])
def test_arguments_out_of_range(arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        CorrelatedEllipses(**arguments)


def test_wrong_types():
    with pytest.raises(checks.ArgumentTypeError, match="correlation must be"):
        CorrelatedEllipses(correlation="0.5")
    with pytest.raises(checks.ArgumentTypeError, match="rng must be Generator"):
        CorrelatedEllipses().sample_factors(3, 0)


@pytest.mark.parametrize(
    ("latents", "rule"),
    [
        (np.zeros((2, 3)), r"have shape \[n, 4\]"),
        (np.full((1, 4), 1.1), r"be in \[0, 1\]; received 1.1"),
        (np.full((1, 4), np.nan), r"be in \[0, 1\]; received nan"),
    ],
)
def test_wrong_latents(latents, rule):
    with pytest.raises(ArgumentError, match=f"latents must {rule}"):
        ce.factors_from_latents(latents)
