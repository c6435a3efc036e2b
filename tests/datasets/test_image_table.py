"""A table of images whose rows are no full grid."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tf_disentangle import checks, metrics
from tf_disentangle.datasets import ImageTable
from tf_disentangle.interfaces import Dataset
from tf_disentangle.metrics.encoding import encode_factors
from tf_disentangle.metrics.supervised.beta_vae import draw_pairs
from tf_disentangle.metrics.supervised.factor_vae import draw_votes
from tf_disentangle.metrics.supervised.strong_downstream import hold_out


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


def as_set(rows):
    return {tuple(row) for row in np.reshape(rows, (-1, rows.shape[-1])).tolist()}


def test_declarations(incomplete):
    table, rows = incomplete
    assert isinstance(table, Dataset)
    assert {"known_rows", "indexed_images"} <= table.traits
    assert table.factor_sizes == (4, 3, 5)
    assert "missing_combinations" in table.traits
    assert "stochastic_images" not in table.traits
    np.testing.assert_array_equal(table.factors_of(np.arange(len(table))), rows)
    np.testing.assert_array_equal(table.factors_of([7, 0, 7]), rows[[7, 0, 7]])


def test_a_complete_grid_in_any_order_has_no_exceptions():
    rows = np.random.default_rng(0).permutation(lattice((4, 3, 5)))
    table = ImageTable(numbered_images(60), rows)
    assert table.traits == {"known_rows", "indexed_images"}
    np.testing.assert_array_equal(number_of(table.render(rows)), np.arange(60))


def test_render_finds_the_image_of_each_row(incomplete):
    table, rows = incomplete
    np.testing.assert_array_equal(number_of(table.render(rows)), np.arange(len(rows)))
    with pytest.raises(checks.ArgumentError, match=r"an image has; received \[0, 0, 4"):
        table.render(np.array([[0, 0, 4]]))


def test_values_are_numbered_in_their_order():
    rows = np.array([["red", "2"], ["blue", "10"], ["red", "10"], ["blue", "2"]])
    table = ImageTable(numbered_images(4), rows, ("colour", "size"))
    assert table.factor_values[0].tolist() == ["blue", "red"]
    np.testing.assert_array_equal(
        table.factors_of(np.arange(len(table)))[:, 0], [1, 0, 1, 0]
    )


def test_sampled_rows_are_uniform(incomplete):
    table, rows = incomplete
    drawn = table.sample_factors(20_000, np.random.default_rng(0))
    counts = np.bincount(number_of(table.render(drawn)), minlength=len(rows))
    assert stats.chisquare(counts).pvalue > 1e-4


def test_given_rows_are_uniform_among_those_that_have_the_value(incomplete):
    table, rows = incomplete
    n = 20_000
    fixed, values = np.full(n, 2), np.full(n, 4)
    drawn = table.sample_factors_given(fixed, values, np.random.default_rng(0))
    fitting = np.flatnonzero(rows[:, 2] == 4)
    counts = np.bincount(number_of(table.render(drawn)), minlength=len(rows))
    assert counts.sum() == counts[fitting].sum()
    assert stats.chisquare(counts[fitting]).pvalue > 1e-4
    # Several factors at once, each row its own.
    rng = np.random.default_rng(1)
    fixed = rng.integers(3, size=500)
    values = rng.integers(np.array(table.factor_sizes)[fixed])
    drawn = table.sample_factors_given(fixed, values, rng)
    np.testing.assert_array_equal(drawn[np.arange(500), fixed], values)
    assert as_set(drawn) <= as_set(rows)


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
    with pytest.raises(checks.ArgumentError, match="rng must be given"):
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
    np.testing.assert_array_equal(number_of(table.render(rows)), np.arange(200))
    with pytest.raises(checks.ArgumentError, match="an image has"):
        table.render(1 - rows[:1])


def test_numbers_are_cut_into_bins():
    angle = np.random.default_rng(0).uniform(0, 360, 1000)
    with pytest.raises(checks.ArgumentError, match=r"1000 different values.*num_bins"):
        ImageTable(numbered_images(1000), angle)
    table = ImageTable(numbered_images(1000), angle, ("angle",), num_bins=4)
    low, high = angle.min(), angle.max()
    expected = np.floor(4 * (angle - low) / (high - low)).clip(max=3)
    np.testing.assert_array_equal(
        table.factors_of(np.arange(len(table)))[:, 0], expected
    )
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
    with pytest.raises(checks.ArgumentError, match=text):
        ImageTable(numbered_images(4), factors, names)


def test_images_that_are_none():
    with pytest.raises(checks.ArgumentError, match="uint8 of shape"):
        ImageTable(np.zeros((4, 2, 2, 1)))


class TestMetrics:
    """Holding a factor means drawing rows; no metric asks for an image that is not."""

    def test_votes(self, incomplete):
        table, rows = incomplete
        rng = np.random.default_rng(0)
        fixed, batches = draw_votes(table, 200, 16, rng, np.arange(3))
        held = np.take_along_axis(batches, fixed[:, np.newaxis, np.newaxis], axis=2)
        assert (held == held[:, :1]).all()
        assert as_set(batches) <= as_set(rows)
        others = [k for k in range(3) if k != fixed[0]]
        assert len(as_set(batches[0][:, others])) > 1

    def test_pairs(self, incomplete):
        table, rows = incomplete
        rng = np.random.default_rng(0)
        shared, pairs = draw_pairs(table, 200, 16, rng, np.arange(3))
        same = np.take_along_axis(pairs, shared[np.newaxis, :, None, None], axis=3)
        np.testing.assert_array_equal(same[0], same[1])
        assert as_set(pairs) <= as_set(rows)

    def test_held_out_combinations(self, incomplete):
        table, rows = incomplete
        rng = np.random.default_rng(0)
        train, test = (table.sample_factors(300, rng) for _ in range(2))
        train, test = hold_out(table, train, test, 0, rng)
        (fixed,) = [k for k in (1, 2) if len(np.unique(train[:, k])) == 1]
        assert train[0, fixed] not in test[:, fixed]
        assert as_set(np.concatenate([train, test])) <= as_set(rows)

    def test_scores_tell_a_perfect_code_from_noise(self, incomplete):
        table, rows = incomplete
        noise = np.random.default_rng(0).normal(size=rows.shape)
        few = {"num_train_votes": 300, "num_test_votes": 300}

        def scores(codes):
            def encode(images):
                return codes[number_of(images)]

            first = metrics.factor_vae_score(table, encode, **few)
            second = metrics.beta_vae_score(table, encode, **few)
            assert "fixed=rows" in first.protocol
            assert "fixed=rows" in second.protocol
            return first.score, second.score

        assert min(scores(rows.astype(float))) == 1
        assert max(scores(noise)) < 0.75

    def test_metrics_of_arrays_draw_rows(self, incomplete):
        table, rows = incomplete
        codes = rows.astype(float)
        score = metrics.METRICS["mig_score"](table, lambda x: codes[number_of(x)])
        # Only the combinations' dependence is missing to the entropy.
        assert score.score > 0.7

    def test_each_of_several_images_is_encoded_once(self):
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
        np.testing.assert_array_equal(rows[drawn], factors)


def test_a_mapping_keeps_the_types_of_its_columns():
    columns = {"s": np.array(["b", "a"] * 3), "k": np.array([10, 5, 0] * 2)}
    table = ImageTable(numbered_images(6), columns)
    assert table.factor_names == ("s", "k")
    assert table.factor_values[1].tolist() == [0, 5, 10]
    with pytest.raises(checks.ArgumentError, match=r"factor k must have shape \[6\]"):
        ImageTable(numbered_images(6), {"k": np.arange(4)})
    with pytest.raises(checks.ArgumentError, match="factor_names must be left out"):
        ImageTable(numbered_images(6), columns, ["s", "k"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_that_differ_by_rounding_are_one_value(dtype):
    summed = np.cumsum(np.full(10, 0.1, dtype))
    written = np.arange(1, 11).astype(dtype) / 10
    assert (summed != written).any()
    table = ImageTable(numbered_images(20), np.concatenate([summed, written]))
    assert table.factor_sizes == (10,)
    np.testing.assert_array_equal(
        table.factors_of(np.arange(len(table)))[:, 0], np.tile(np.arange(10), 2)
    )


def test_dense_values_are_not_joined():
    """A stretch of neighbouring floats is a quantity, not one value."""
    dense = 1 + np.arange(40) * np.spacing(1.0)
    with pytest.raises(checks.ArgumentError, match="80 different values"):
        ImageTable(numbered_images(80), np.concatenate([dense, dense + 1e-3]))


def test_the_remedy_for_text_is_not_bins():
    names = np.array([f"n{k}" for k in range(6)])
    for num_bins in (None, 5):
        with pytest.raises(checks.ArgumentError, match="Text has no bins"):
            ImageTable(numbered_images(6), names, num_bins=num_bins)
