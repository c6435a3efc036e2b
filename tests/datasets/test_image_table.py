"""A table of images whose rows are no full grid."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from tf_disentangle import metrics
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import ImageTable
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics.encoding import encode_factors


def numbered_images(count):
    """Image k says k by its first two pixels."""
    images = np.zeros((count, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(count), 256)
    return images


def number_of(images):
    return images[:, 0, 0, 0].astype(np.int64) * 256 + images[:, 0, 1, 0]


def lattice(sizes):
    return np.array(list(itertools.product(*map(range, sizes))))


@pytest.fixture
def incomplete():
    """Three factors without the combinations whose sum is 4, in a random order."""
    rows = lattice((4, 3, 5))
    rows = np.random.default_rng(1).permutation(rows[rows.sum(axis=1) != 4])
    return ImageTable(numbered_images(len(rows)), rows, ("a", "b", "c")), rows


def test_declarations(incomplete):
    table, rows = incomplete
    assert isinstance(table, Dataset)
    assert {"known_rows", "indexed_images"} <= table.traits
    assert table.factor_sizes == (4, 3, 5)
    assert "missing_combinations" in table.traits
    assert "stochastic_images" not in table.traits
    assert_array_equal(table.factors_of(range(len(table))), rows)
    assert_array_equal(table.factors_of([7, 0, 7]), rows[[7, 0, 7]])


def test_a_complete_grid_in_any_order_has_no_exceptions():
    rows = np.random.default_rng(0).permutation(lattice((4, 3, 5)))
    table = ImageTable(numbered_images(60), rows)
    assert table.traits == {"known_rows", "indexed_images"}
    assert_array_equal(number_of(table.render(rows)), np.arange(60))


def test_render_finds_the_image_of_each_row(incomplete):
    table, rows = incomplete
    assert_array_equal(number_of(table.render(rows)), np.arange(len(rows)))
    with pytest.raises(ArgumentError, match=r"an image has; received \[0, 0, 4"):
        table.render(np.array([[0, 0, 4]]))


def test_values_are_numbered_in_their_order():
    rows = np.array([["red", "2"], ["blue", "10"], ["red", "10"], ["blue", "2"]])
    table = ImageTable(numbered_images(4), rows, ("colour", "size"))
    assert table.factor_values[0].tolist() == ["blue", "red"]
    assert_array_equal(table.factors_of(range(len(table)))[:, 0], [1, 0, 1, 0])


def test_sampled_rows_are_uniform(incomplete):
    table, rows = incomplete
    drawn = table.sample_factors(20_000, np.random.default_rng(0))
    counts = np.bincount(number_of(table.render(drawn)), minlength=len(rows))
    assert stats.chisquare(counts).pvalue > 1e-4


def test_what_is_declared_is_what_holds():
    rng = np.random.default_rng(0)
    names = {"correlated_factors", "nonuniform_factors"}

    def declared(rows):
        rows = rng.permutation(np.asarray(rows))
        return ImageTable(numbered_images(len(rows)), rows).traits & names

    grid = lattice((3, 4))
    assert declared(grid.repeat(3, axis=0)) == set()
    # Twice as many of a = 0, whatever b is.
    assert declared([*grid, *grid[:4]]) == {"nonuniform_factors"}
    # Each value as often as any other, but not each pair.
    assert declared([(a, b) for a, b in lattice((4, 4)) if a != b]) == {
        "correlated_factors"
    }
    assert declared([*grid, *grid[:5]]) == names


def test_several_images_of_one_combination():
    rows = np.repeat(lattice((3, 2)), 4, axis=0)
    table = ImageTable(numbered_images(24), rows)
    assert "stochastic_images" in table.traits
    assert "missing_combinations" not in table.traits
    with pytest.raises(ArgumentError, match="rng must be given"):
        table.render(rows)
    asked = np.tile([[2, 1]], (8000, 1))
    counts = np.bincount(table.rows_of(asked, np.random.default_rng(0)), minlength=24)
    assert counts[:20].sum() == 0
    assert stats.chisquare(counts[20:]).pvalue > 1e-4


def test_forty_factors_of_two_values():
    """As many as CelebA has: their combinations cannot be numbered in 64 bits."""
    rng = np.random.default_rng(0)
    rows = rng.integers(2, size=(200, 70))
    table = ImageTable(numbered_images(200), rows)
    assert_array_equal(number_of(table.render(rows)), np.arange(200))
    with pytest.raises(ArgumentError, match="an image has"):
        table.render(1 - rows[:1])


def test_numbers_are_cut_into_bins():
    angle = np.random.default_rng(0).uniform(0, 360, 1000)
    with pytest.raises(ArgumentError, match=r"1000 different values.*num_bins"):
        ImageTable(numbered_images(1000), angle)
    table = ImageTable(numbered_images(1000), angle, ("angle",), num_bins=4)
    low, high = angle.min(), angle.max()
    expected = np.floor(4 * (angle - low) / (high - low)).clip(max=3)
    assert_array_equal(table.factors_of(range(len(table)))[:, 0], expected)
    np.testing.assert_allclose(table.factor_values[0], np.linspace(low, high, 5)[:-1])


@pytest.mark.parametrize(
    ("factors", "names", "text"),
    [
        (np.zeros((3, 2), int), None, r"have shape \[4, K\]"),
        (np.zeros((4, 2), int), ("a",), "be 2 different names"),
        (np.zeros((4, 2), int), ("a", "a"), "be 2 different names"),
        (np.full((4, 1), np.nan), None, "finite"),
        (np.array([[{}]] * 4), None, "numbers or strings"),
    ],
)
def test_tables_that_do_not_fit(factors, names, text):
    with pytest.raises(ArgumentError, match=text):
        ImageTable(numbered_images(4), factors, names)


def test_images_that_are_none():
    with pytest.raises(ArgumentError, match="uint8 of shape"):
        ImageTable(np.zeros((4, 2, 2, 1)))


def test_the_remedy_for_floats_fits_both_scales():
    with pytest.raises(ArgumentError) as error:
        ImageTable(np.full((3, 2, 2, 1), 200.0))
    assert "[0, 255] by np.round(x).astype" in str(error.value)


def test_ones_that_are_hardly_white_are_told(caplog):
    ImageTable(np.zeros((3, 2, 2, 1), np.uint8))
    ImageTable(np.full((3, 2, 2, 1), 255, np.uint8))
    assert caplog.messages == []
    ImageTable(np.eye(2, dtype=np.uint8).reshape(1, 2, 2, 1))
    assert "multiply them by 255" in caplog.text


def test_scores_tell_a_perfect_code_from_noise(incomplete):
    """Holding a factor means drawing rows; no metric asks for an image that is not."""
    table, rows = incomplete
    noise, names = (
        np.random.default_rng(0).normal(size=rows.shape),
        ("factor_vae", "mig"),
    )
    few = {"num_train_votes": 300, "num_test_votes": 300, "progress": False}

    def scores(codes):
        results = metrics.evaluate(table, lambda x: codes[number_of(x)], names, **few)
        assert "fixed=rows" in results["factor_vae"].protocol
        return [results[name].score for name in names]

    # Only the combinations' dependence is missing to the entropy.
    assert min(scores(rows.astype(float))) > 0.7
    assert max(scores(noise)) < 0.7


def test_each_of_several_images_is_encoded_once():
    rows = np.repeat(lattice((3, 2)), 4, axis=0)
    table = ImageTable(numbered_images(24), rows)
    seen = []

    def encode(images):
        seen.extend(number_of(images))
        return number_of(images)[:, np.newaxis].astype(float)

    factors = table.sample_factors(1000, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    encoding = encode_factors(table, encode, factors, rng=rng)
    assert sorted(seen) == list(range(24))
    drawn = encoding[:][:, 0].astype(int)
    assert_array_equal(rows[drawn], factors)


def test_a_mapping_keeps_the_types_of_its_columns():
    columns = {"s": np.array(["b", "a"] * 3), "k": np.array([10, 5, 0] * 2)}
    table = ImageTable(numbered_images(6), columns)
    assert table.factor_names == ("s", "k")
    assert table.factor_values[1].tolist() == [0, 5, 10]
    with pytest.raises(ArgumentError, match=r"factor k must have shape \[6\]"):
        ImageTable(numbered_images(6), {"k": np.arange(4)})
    with pytest.raises(ArgumentError, match="factor_names must be left out"):
        ImageTable(numbered_images(6), columns, ["s", "k"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_differ_by_rounding_are_one_value(dtype):
    summed = np.cumsum(np.full(10, 0.1, dtype))
    written = np.arange(1, 11).astype(dtype) / 10
    assert (summed != written).any()
    table = ImageTable(numbered_images(20), np.concatenate([summed, written]))
    assert table.factor_sizes == (10,)
    assert_array_equal(
        table.factors_of(range(len(table)))[:, 0], np.tile(np.arange(10), 2)
    )


def test_dense_values_are_not_joined():
    """A stretch of neighbouring floats is a quantity, not one value."""
    dense = 1 + np.arange(40) * np.spacing(1.0)
    with pytest.raises(ArgumentError, match="80 different values"):
        ImageTable(numbered_images(80), np.concatenate([dense, dense + 1e-3]))


def test_the_remedy_for_text_is_not_bins():
    names = np.array([f"n{k}" for k in range(6)])
    for num_bins in (None, 5):
        with pytest.raises(ArgumentError, match="Text has no bins"):
            ImageTable(numbered_images(6), names, num_bins=num_bins)


def test_images_alone_have_one_image_to_render():
    """Without factors nothing tells images apart, and nothing is drawn."""
    images = numbered_images(5)
    table = ImageTable(images)
    assert_array_equal(table.render(np.zeros((2, 0), np.int64)), images[[0, 0]])
