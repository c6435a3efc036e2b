"""What every data set must hold: see `interfaces.Dataset`.

A new entry of `datasets.DATASETS` is tested with no change here, unless it needs
arguments to be small, or another set to wrap.
"""

import itertools
import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from tests.datasets.custom import own_files
from tests.datasets.tiny import Tiny
from tf_disentangle import checks, configs
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import DATASETS, ImageTable
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.interfaces import DATASET_TRAITS, Dataset, ImageArray

SMALL = {
    "Colored": {"dataset": Tiny()},
    "Correlated": {"dataset": Tiny(), "pairs": [("x", "y")], "strength": 5.0},
    "CorrelatedEllipses": {"num_images": 100},
    "HeldOut": {"dataset": Tiny(), "combinations": [{"x": 0, "y": [1, 2]}]},
    "Noisy": {"dataset": Tiny()},
    "OnBackground": {"dataset": Tiny()},
    "Pinwheel": {"num_points": 100},
}

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
    arguments = SMALL.get(request.param, {})
    if request.param in FILES:
        arguments = FILES[request.param](tmp_path, monkeypatch)
    return DATASETS[request.param](**arguments)


@pytest.fixture
def grid(data):
    """A data set whose factors are known."""
    if not data.factor_names:
        pytest.skip("the factors of this set are not known")
    return data


@pytest.fixture
def numbered(grid):
    """A data set that knows the factors of each of its images."""
    if "known_rows" not in grid.traits:
        pytest.skip("the factors of single images are not known")
    return grid


def require_all_combinations(data):
    if "missing_combinations" in data.traits:
        pytest.skip("declared missing_combinations")


def draw(data, n, seed=0):
    return data.sample_factors(n, np.random.default_rng(seed))


def render(data, factors, seed=0):
    return data.render(factors, np.random.default_rng(seed))


def dtype_of(data):
    return np.float32 if "vectors" in data.traits else np.uint8


def some_indices(data, n=40):
    """Indices in no order, the first and the last among them, some twice."""
    drawn = np.random.default_rng(7).integers(len(data), size=n)
    return np.concatenate([[len(data) - 1, 0], drawn, drawn[:3]])


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
    assert isinstance(data.traits, frozenset)
    assert data.traits <= set(DATASET_TRAITS)
    assert ("vectors" in data.traits) == checks.is_vector(data.image_shape)


def test_images(data):
    images = data.images()
    assert isinstance(images, ImageArray)
    assert len(images) == len(data)
    assert images.shape == (len(data), *data.image_shape)
    assert images.dtype == dtype_of(data)
    first = images[:50]
    assert isinstance(first, np.ndarray)
    assert first.shape == (50, *data.image_shape)
    assert first.dtype == images.dtype
    assert len(np.unique(first, axis=0)) > 1
    assert_array_equal(data.images()[:50], first)


def test_images_are_taken_by_index_and_by_slice(data):
    images, indices = data.images(), some_indices(data)
    taken = images[indices]
    assert taken.shape == (len(indices), *data.image_shape)
    # Whatever they are taken with, and from an array that was made anew.
    again = data.images()
    singles = [again[index : index + 1] for index in indices.tolist()]
    assert_array_equal(np.concatenate(singles), taken)
    assert_array_equal(images[indices[::-1]], taken[::-1])
    assert_array_equal(images[3:20:4], images[np.arange(3, 20, 4)])
    assert_array_equal(images[-3:], images[len(data) - 3 :])
    assert images[indices[:0]].shape == (0, *data.image_shape)
    assert images[5:5].shape == (0, *data.image_shape)


def test_images_are_read_only_and_know_their_number(data):
    images = data.images()
    with pytest.raises((TypeError, ValueError)):
        images[0:1] = images[1:2]
    with pytest.raises((IndexError, ValueError)):
        images[np.array([0, len(data)])]


def test_images_are_the_same_in_another_process(data):
    indices = some_indices(data)
    copy = pickle.loads(pickle.dumps(data))
    assert_array_equal(copy.images()[indices], data.images()[indices])


def test_a_set_is_rebuilt_from_its_record(data):
    record = json.loads(json.dumps(configs.serialize(data)))
    if type(data) is ImageTable:  # in memory
        with pytest.raises(configs.CannotRebuildError, match="only its checksum"):
            configs.deserialize(record)
        return
    again = configs.deserialize(record)
    assert type(again) is type(data)
    assert configs.serialize(again) == record
    for name in ("factor_names", "factor_sizes", "image_shape", "traits"):
        assert getattr(again, name) == getattr(data, name)
    indices = some_indices(data)
    assert_array_equal(again.images()[indices], data.images()[indices])
    factors = draw(data, 20)
    assert_array_equal(draw(again, 20), factors)
    if data.factor_names:
        assert_array_equal(render(again, factors), render(data, factors))


def test_a_set_is_shown_by_its_arguments(data):
    assert repr(data).startswith(f"{type(data).__name__}(")
    assert " at 0x" not in repr(data).replace("_TensorSliceDataset", "")


def test_optional_members_are_those_that_the_traits_announce(data):
    calls = {
        "known_rows": lambda: data.factors_of(np.array([0])),
        "indexed_images": lambda: data.rows_of(draw(data, 1), np.random.default_rng(0)),
    }
    members = {"known_rows": "factors_of", "indexed_images": "rows_of"}
    for trait, call in calls.items():
        if trait in data.traits:
            call()
        elif getattr(type(data), members[trait]) is getattr(Dataset, members[trait]):
            with pytest.raises(ArgumentError, match=f"traits have '{trait}'"):
                call()


def test_drawn_images_are_the_training_images_where_the_traits_say_so(grid):
    if "indexed_images" not in grid.traits:
        pytest.skip("draws are not of the training images")
    factors = draw(grid, 50)
    rows = grid.rows_of(factors, np.random.default_rng(3))
    assert_array_equal(grid.factors_of(rows), factors)
    assert_array_equal(grid.images()[rows], render(grid, factors, 3))


def test_splits_are_disjoint_and_cover_the_images(data):
    from tf_disentangle.training.input_pipeline import split_indices

    train, held_out = split_indices(len(data), len(data) // 3, seed=1)
    both = np.sort(np.concatenate([train, held_out]))
    assert_array_equal(both, np.arange(len(data)))
    other, _ = split_indices(len(data), len(data) // 3, seed=2)
    assert not np.array_equal(train, other)


def test_order_is_that_of_nested_loops(grid):
    if not isinstance(grid, Grid):
        pytest.skip("this set is no grid")
    every = np.array(list(itertools.product(*map(range, grid.factor_sizes))))
    assert len(grid) == math.prod(grid.factor_sizes)
    assert_array_equal(grid.factors_of(range(len(grid))), every)
    assert_array_equal(grid.index_of(every), np.arange(len(grid)))


def test_factors_of_images_are_those_that_they_are_rendered_from(numbered):
    indices = some_indices(numbered)
    factors = numbered.factors_of(indices)
    assert factors.shape == (len(indices), len(numbered.factor_names))
    assert factors.dtype == np.int64
    assert numbered.factors_of(indices[:0]).shape == (0, len(numbered.factor_names))
    if "stochastic_images" not in numbered.traits:
        images = numbered.images()[indices]
        assert_array_equal(images, render(numbered, factors))


def test_indices_of_no_image_have_no_factors(numbered):
    for wrong in (-1, len(numbered)):
        with pytest.raises(ArgumentError, match=f"index.*{wrong}"):
            numbered.factors_of(np.array([0, wrong]))
    with pytest.raises(checks.ArgumentTypeError, match="integers"):
        numbered.factors_of(np.array([0.0]))


def test_sampled_factors(grid):
    factors = draw(grid, 1000)
    assert factors.shape == (1000, len(grid.factor_names))
    assert factors.dtype == np.int64
    assert (factors >= 0).all()
    assert (factors < grid.factor_sizes).all()
    assert_array_equal(draw(grid, 1000), factors)
    assert not np.array_equal(draw(grid, 1000, seed=1), factors)
    assert draw(grid, 0).shape == (0, len(grid.factor_names))


def test_factors_are_uniform(grid):
    factors = draw(grid, 20_000)
    pvalues = [
        stats.chisquare(np.bincount(factors[:, k], minlength=size)).pvalue
        for k, size in enumerate(grid.factor_sizes)
    ]
    # What is declared is true.
    is_uniform = min(pvalues) > 1e-4
    assert is_uniform != ("nonuniform_factors" in grid.traits), pvalues


def test_factors_are_independent(grid):
    factors = draw(grid, 20_000)
    sizes = grid.factor_sizes
    pvalues = [1.0]
    for a, b in itertools.combinations(range(len(sizes)), 2):
        pairs = factors[:, a] * sizes[b] + factors[:, b]
        table = np.bincount(pairs, minlength=sizes[a] * sizes[b]).reshape(-1, sizes[b])
        pvalues.append(stats.chi2_contingency(table).pvalue)
    is_independent = min(pvalues) > 1e-5
    assert is_independent != ("correlated_factors" in grid.traits), pvalues


def test_render(grid):
    factors = draw(grid, 50)
    images = render(grid, factors)
    assert images.shape == (50, *grid.image_shape)
    assert images.dtype == dtype_of(grid)
    assert_array_equal(render(grid, factors.astype(np.int32)), images)
    assert render(grid, factors[:0]).shape == (0, *grid.image_shape)


def test_equal_factors_give_equal_images(grid):
    factors = draw(grid, 20)
    assert_array_equal(render(grid, factors), render(grid, factors))
    if "stochastic_images" in grid.traits:
        with pytest.raises(ArgumentError, match="rng"):
            grid.render(factors)
        assert not np.array_equal(render(grid, factors), render(grid, factors, 1))
    else:
        assert_array_equal(grid.render(factors), render(grid, factors, 1))
        # Each row on its own: the images do not depend on their neighbours.
        singles = np.concatenate([grid.render(row[np.newaxis]) for row in factors])
        assert_array_equal(grid.render(factors), singles)


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
        assert share > 0.7 if "equal_images" in grid.traits else share == 1


def test_factors_out_of_range(grid):
    for k, size in enumerate(grid.factor_sizes):
        for value in (-1, size):
            factors = draw(grid, 3)
            factors[1, k] = value
            with pytest.raises(ArgumentError, match=rf"\[0, {size}\).*{value}"):
                render(grid, factors)


def test_factors_of_wrong_shape_or_type(grid):
    factors = draw(grid, 3)
    for wrong in (factors[0], factors[:, :-1], factors[np.newaxis]):
        with pytest.raises(ArgumentError, match="factors must have shape"):
            render(grid, wrong)
    for wrong in (factors.astype(np.float32), factors.astype(bool)):
        with pytest.raises(checks.ArgumentTypeError, match="factors must be integers"):
            render(grid, wrong)
