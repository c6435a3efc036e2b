"""What every data set must hold: see `protocols.Dataset`.

A new entry of `datasets.DATASETS` is tested with no change here, unless it needs
arguments to be small.
"""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from tests.datasets import own_files
from tf_disentangle import checks
from tf_disentangle.datasets import DATASETS
from tf_disentangle.protocols import DATASET_EXCEPTIONS, Dataset

SMALL = {"CorrelatedEllipses": {"num_images": 100}, "Pinwheel": {"num_points": 100}}

# What is read from files of the user's: arguments from (folder, monkeypatch).
FILES = {
    "ImageFile": lambda folder, patch: own_files.array_file(folder),
    "ImageFolder": lambda folder, patch: own_files.image_folder(folder),
    "from_tf_data": lambda folder, patch: own_files.tf_data(),
    "published": lambda folder, patch: own_files.published(folder, patch),
}


@pytest.fixture(params=sorted(DATASETS))
def data(request, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path))
    options = SMALL.get(request.param, {})
    if request.param in FILES:
        options = FILES[request.param](tmp_path, monkeypatch)
    return DATASETS[request.param](**options)


@pytest.fixture
def grid(data):
    """A data set whose factors are known."""
    if not data.factor_names:
        pytest.skip("the factors of this set are not known")
    return data


def require_all_combinations(data):
    if "missing_combinations" in data.exceptions:
        pytest.skip("declared missing_combinations")


def draw(data, n, seed=0):
    return data.sample_factors(n, np.random.default_rng(seed))


def render(data, factors, seed=0):
    return data.render(factors, np.random.default_rng(seed))


def dtype_of(data):
    return np.float32 if "vectors" in data.exceptions else np.uint8


def test_importing_the_room_does_not_import_tensorflow():
    code = "import sys, tf_disentangle.datasets; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_declarations(data):
    assert isinstance(data, Dataset)
    assert len(data.factor_names) == len(data.factor_sizes)
    assert len(set(data.factor_names)) == len(data.factor_names)
    assert all(isinstance(name, str) and name for name in data.factor_names)
    assert all(isinstance(size, int) and size > 1 for size in data.factor_sizes)
    assert checks.image_shape(data.image_shape) == data.image_shape
    assert isinstance(data.exceptions, frozenset)
    assert data.exceptions <= set(DATASET_EXCEPTIONS)
    assert ("vectors" in data.exceptions) == checks.is_vector(data.image_shape)


def test_images(data):
    images = data.images()
    assert len(images) == len(data)
    assert images.shape == (len(data), *data.image_shape)
    assert images.dtype == dtype_of(data)
    assert not images.flags.writeable
    assert len(np.unique(images[:100], axis=0)) > 1
    np.testing.assert_array_equal(data.images(), images)


def test_sampled_factors(grid):
    factors = draw(grid, 1000)
    assert factors.shape == (1000, len(grid.factor_names))
    assert factors.dtype == np.int64
    assert (factors >= 0).all()
    assert (factors < grid.factor_sizes).all()
    np.testing.assert_array_equal(draw(grid, 1000), factors)
    assert not np.array_equal(draw(grid, 1000, seed=1), factors)
    assert draw(grid, 0).shape == (0, len(grid.factor_names))


def test_factors_are_uniform(grid):
    if "nonuniform_factors" in grid.exceptions:
        pytest.skip("declared nonuniform_factors")
    factors = draw(grid, 20_000)
    for k, size in enumerate(grid.factor_sizes):
        counts = np.bincount(factors[:, k], minlength=size)
        assert stats.chisquare(counts).pvalue > 1e-4


def test_factors_are_independent(grid):
    if "correlated_factors" in grid.exceptions:
        pytest.skip("declared correlated_factors")
    correlations = np.atleast_2d(np.corrcoef(draw(grid, 20_000).T))
    off_diagonal = correlations[~np.eye(len(correlations), dtype=bool)]
    np.testing.assert_allclose(off_diagonal, 0, atol=5 / np.sqrt(20_000))


def test_render(grid):
    factors = draw(grid, 50)
    images = render(grid, factors)
    assert images.shape == (50, *grid.image_shape)
    assert images.dtype == dtype_of(grid)
    np.testing.assert_array_equal(render(grid, factors.astype(np.int32)), images)
    assert render(grid, factors[:0]).shape == (0, *grid.image_shape)


def test_equal_factors_give_equal_images(grid):
    factors = draw(grid, 20)
    np.testing.assert_array_equal(render(grid, factors), render(grid, factors))
    if "stochastic_images" in grid.exceptions:
        with pytest.raises(checks.ArgumentError, match="rng"):
            grid.render(factors)
        assert not np.array_equal(render(grid, factors), render(grid, factors, 1))
    else:
        np.testing.assert_array_equal(grid.render(factors), render(grid, factors, 1))
        # Each row on its own: the images do not depend on their neighbours.
        singles = np.concatenate([grid.render(row[np.newaxis]) for row in factors])
        np.testing.assert_array_equal(grid.render(factors), singles)


def test_changing_a_factor_changes_the_image(grid):
    require_all_combinations(grid)
    rng = np.random.default_rng(5)
    for k, size in enumerate(grid.factor_sizes):
        factors = draw(grid, 100)
        changed = factors.copy()
        changed[:, k] = (factors[:, k] + rng.integers(1, size, 100)) % size
        differ = render(grid, factors) != render(grid, changed)
        share = differ.any(axis=(1, 2, 3)).mean()
        # Declared equal images are rare among the pairs of any factor.
        assert share > 0.7 if "equal_images" in grid.exceptions else share == 1


def test_factors_out_of_range(grid):
    for k, size in enumerate(grid.factor_sizes):
        for value in (-1, size):
            factors = draw(grid, 3)
            factors[1, k] = value
            with pytest.raises(checks.ArgumentError, match=rf"\[0, {size}\).*{value}"):
                render(grid, factors)


def test_factors_of_wrong_shape_or_type(grid):
    factors = draw(grid, 3)
    for wrong in (factors[0], factors[:, :-1], factors[np.newaxis]):
        with pytest.raises(checks.ArgumentError, match="factors must have shape"):
            render(grid, wrong)
    for wrong in (factors.astype(np.float32), factors.astype(bool)):
        with pytest.raises(checks.ArgumentTypeError, match="factors must be integers"):
            render(grid, wrong)
