"""Grids and tables: what is drawn, and that test rows are no train rows."""

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import METRICS, EncodedFactors
from tf_disentangle.metrics.encoding import Encoding
from tf_disentangle.metrics.sources import (
    GridSource,
    TableSource,
    is_table,
    source_of_data,
)
from tf_disentangle.metrics.supervised.beta_vae import draw_pairs
from tf_disentangle.metrics.supervised.factor_vae import draw_votes
from tf_disentangle.metrics.supervised.strong_downstream import hold_out
from tf_disentangle.metrics.tables import split_rows
from tf_disentangle.metrics.votes import is_test

SIZES = (3, 4, 2)


class Table(known.GridDataset):
    """Images with a row of factors each, given; every image is its own number."""

    def __init__(self, table, *, sizes=SIZES, several=True):
        super().__init__(sizes)
        self.table = np.asarray(table)
        self.image_shape = (2, 2, 1)
        traits = {"known_rows", "missing_combinations"}
        several = {"stochastic_images", "indexed_images"} if several else set()
        self.traits = frozenset(traits | several)
        self.num_encoded = 0

    def __len__(self):
        return len(self.table)

    def images(self):
        number = np.arange(len(self.table))
        images = np.zeros((len(number), 2, 2, 1), np.uint8)
        images[:, 0, 0, 0], images[:, 0, 1, 0] = number // 256, number % 256
        return images

    def factors_of(self, indices):
        return self.table[indices]

    def sample_factors(self, n, rng):
        return self.table[rng.integers(len(self.table), size=n)]

    def render(self, factors, rng=None):
        raise AssertionError("rows are given, not rendered")


def number_of(images):
    return images[:, 0, 0, 0].astype(int) * 256 + images[:, 0, 1, 0]


def table_of(n, seed=0, sizes=SIZES):
    return np.random.default_rng(seed).integers(sizes, size=(n, len(sizes)))


def coding(table, encode):
    return lambda images: np.asarray(encode)[number_of(images)]


class TestSplit:
    def test_two_thirds_and_one_by_the_seed(self):
        parts = [split_rows(np.arange(31), seed) for seed in (0, 0, 1)]
        for train, test in parts:
            assert len(test) == 10
            assert sorted([*train, *test]) == list(range(31))
        np.testing.assert_array_equal(parts[0][1], parts[1][1])
        assert set(parts[0][1]) != set(parts[2][1])

    def test_rows_of_one_group_stay_together(self):
        groups = np.repeat(np.arange(12), 5)
        train, test = split_rows(groups, 3)
        assert len(test) == 20
        assert not set(groups[train]) & set(groups[test])

    def test_too_few(self):
        with pytest.raises(ArgumentError, match="at least 6 rows"):
            split_rows(np.array([1, 1, 2, 2, 3, 3, 4]), 0)


class TestTable:
    TABLE = table_of(60)

    def source(self, **options):
        data = Table(self.TABLE, **options)
        return source_of_data(data, lambda x: number_of(x)[:, None], seed=4)

    def test_draws_are_of_their_part_and_their_rows(self):
        source, rng = self.source(), np.random.default_rng(0)
        test = rng.random(3_000) < 0.4
        draws = source.sample(3_000, rng, test)
        np.testing.assert_array_equal(draws.factors, self.TABLE[draws.rows])
        for part, rows in zip((False, True), source.parts, strict=True):
            assert set(draws.rows[test == part]) == set(rows)
        codes = source.encode(draws, rng)[:]
        np.testing.assert_array_equal(codes[:, 0], draws.rows)

    def test_held_draws_are_uniform_among_the_rows_that_have_the_value(self):
        source, rng = self.source(), np.random.default_rng(1)
        for test in (False, True):
            fixed, values = np.full(20_000, 1), np.full(20_000, 2)
            draws = source.hold(None, fixed, values, rng, test)
            rows = source.parts[int(test)]
            fitting = rows[self.TABLE[rows, 1] == 2]
            assert set(draws.rows) == set(fitting)
            counts = np.bincount(draws.rows)[fitting]
            expected = 20_000 / len(fitting)
            assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))

    def test_small_tables_are_taken_whole(self):
        source, rng = self.source(), np.random.default_rng(0)
        draws = source.take(1_000, rng, True, True)
        assert sorted(draws.rows) == sorted(source.parts[1])
        draws = source.take(1_000, rng, False, False)
        assert sorted(draws.rows) == list(range(60))
        assert len(source.take(30, rng, False, False)) == 30

    def test_equal_images_stay_in_one_part(self):
        source = self.source(several=False)
        train, test = (set(map(tuple, self.TABLE[rows])) for rows in source.parts)
        assert not train & test

    def test_each_image_is_encoded_once_for_all(self):
        data, seen = Table(self.TABLE), []

        def encode(images):
            seen.append(len(images))
            return number_of(images)[:, None]

        cached = EncodedFactors(data, encode)
        few = {"num_train_votes": 40, "num_test_votes": 20, "progress": False}
        METRICS["factor_vae"].on_data(data, cached, **few)
        METRICS["beta_vae"].on_data(data, cached, **few)
        METRICS["mig"].on_data(data, cached, progress=False)
        assert sum(seen) == 60

    @pytest.mark.parametrize(
        ("traits", "expected"),
        [
            (set(), False),
            ({"known_rows"}, False),
            ({"known_rows", "missing_combinations"}, True),
            ({"known_rows", "stochastic_images"}, False),
            ({"known_rows", "stochastic_images", "indexed_images"}, True),
        ],
    )
    def test_which_sets_are_tables(self, traits, expected):
        data = known.GridDataset(SIZES)
        data.traits = frozenset(traits)
        assert is_table(data) == expected


class TestVotesOfTables:
    """Holding a factor means drawing rows; no image is asked for that is not there."""

    TABLE = np.unique(table_of(60, sizes=(4, 3, 6)), axis=0)
    SOURCE = source_of_data(Table(TABLE, sizes=(4, 3, 6)), None, seed=0)

    def parts(self, draws, test):
        for part, rows in zip((False, True), self.SOURCE.parts, strict=True):
            assert set(draws.rows[test == part]) <= set(rows)

    def test_votes(self):
        rng = np.random.default_rng(0)
        fixed, draws = draw_votes(self.SOURCE, (150, 50), 16, rng, np.arange(3))
        self.parts(draws, is_test(150, 50, 16))
        batches = draws.factors.reshape(200, 16, 3)
        held = np.take_along_axis(batches, fixed[:, None, None], axis=2)
        assert (held == held[:, :1]).all()
        others = [k for k in range(3) if k != fixed[0]]
        assert len(set(map(tuple, batches[0][:, others]))) > 1

    def test_pairs(self):
        rng = np.random.default_rng(0)
        shared, (first, second) = draw_pairs(
            self.SOURCE, (150, 50), 16, rng, np.arange(3)
        )
        rows, fixed = np.arange(200 * 16), shared.repeat(16)
        same = first.factors[rows, fixed] == second.factors[rows, fixed]
        assert same.all()
        self.parts(second, is_test(150, 50, 16))

    def test_held_out_combinations(self):
        rng = np.random.default_rng(0)
        train = self.SOURCE.sample(300, rng)
        test = self.SOURCE.sample(300, rng, True)
        train, test = hold_out(self.SOURCE, train, test, 0, rng)
        (k,) = [k for k in (1, 2) if len(np.unique(train.factors[:, k])) == 1]
        assert train.factors[0, k] not in test.factors[:, k]
        self.parts(train, np.zeros(300, bool))
        self.parts(test, np.ones(300, bool))

    def test_scores_tell_a_perfect_code_from_noise(self):
        noise = np.random.default_rng(0).normal(size=self.TABLE.shape)
        few = {"num_train_votes": 300, "num_test_votes": 300}
        for name in ("factor_vae", "beta_vae"):
            score = METRICS[name]
            # Of some twenty test rows a batch may hold few different ones.
            assert score(self.TABLE.astype(float), self.TABLE, **few).score > 0.9
            assert score(noise, self.TABLE, **few).score < 0.75


def test_protocols_say_what_was_drawn():
    codes = np.random.default_rng(0).normal(size=(90, 3))
    data = Table(table_of(90))
    expected = {
        "mig": "dlib, num_train=90",
        "sap": "dlib, num_train=60, num_test=30, rows split 2:1",
        "factor_vae": "dlib, num_train_votes=9, fixed=rows, rows split 2:1",
    }
    for name, protocol in expected.items():
        options = {"num_train_votes": 9} if name == "factor_vae" else {}
        result = METRICS[name].on_data(
            data, coding(data.table, codes), progress=False, **options
        )
        assert result.protocol == protocol
    with_factors = METRICS["mig"].on_data(
        data, coding(data.table, codes), factors=["factor2"], progress=False
    )
    assert with_factors.protocol == "dlib, num_train=90, factors=factor2"


# DCI fits many trees; what it reads of a table is what SAP reads.
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n == "dci" else ()) for n in METRICS],
)
def test_a_table_of_images_scores_as_its_arrays(name):
    """The same rows by both ways: the same split, the same score."""
    metric = METRICS[name]
    if metric.input.name == "ENCODER":
        pytest.skip("takes no arrays")
    rng = np.random.default_rng(2)
    table = table_of(120)
    codes = (table + rng.normal(size=table.shape)).astype(np.float32)
    data = Table(table)
    few = {
        "num_train": 50,
        "num_test": 30,
        "num_experiments": 1,
        "num_train_votes": 60,
        "num_test_votes": 40,
    }
    if metric.input.name != "VOTES":
        few = {}
    few = {k: v for k, v in few.items() if k in metric.options}
    few["seed"] = 5
    of_images = metric.on_data(data, coding(table, codes), progress=False, **few)
    few = {k: v for k, v in few.items() if k in metric.options}
    arrays = (codes,) if metric.input.name == "CODES" else (codes, table)
    of_arrays = metric(*arrays, **few)
    assert of_images.score == pytest.approx(of_arrays.score, abs=1e-6)


def test_grids_are_drawn_as_published():
    """One stream for both parts, values put in after the joint draw."""
    data = known.GridDataset(SIZES)
    source = GridSource(data, None)
    draws = source.sample(50, np.random.default_rng(3), np.arange(50) > 30)
    expected = data.sample_factors(50, np.random.default_rng(3))
    np.testing.assert_array_equal(draws.factors, expected)
    fixed, values = np.full(50, 2), np.ones(50, int)
    held = source.hold(draws, fixed, values, None)
    expected[:, 2] = 1
    np.testing.assert_array_equal(held.factors, expected)


def test_a_value_that_a_part_lacks():
    table = np.array([[0], [0], [1], [1]])
    source = TableSource(
        table, lambda rows, rng: Encoding(rows, rows), (np.arange(2), np.arange(2, 4))
    )
    assert source.values_of(0).tolist() == [0]
    with pytest.raises(ArgumentError, match="a row of each value in its part"):
        source.hold(None, np.zeros(1, int), np.ones(1, int), np.random.default_rng(0))


def test_a_set_without_some_combinations_must_know_its_rows():
    data = Table([[0, 0, 0], [1, 1, 1]])
    data.traits = frozenset({"missing_combinations"})
    with pytest.raises(ArgumentError, match="known_rows"):
        is_table(data)
