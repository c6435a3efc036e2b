import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics.samples import (
    check_codes,
    check_samples,
    check_split,
    one_hot,
)
from tf_disentangle.metrics.tables import relabelled

CODES = np.arange(24.0).reshape(8, 3)
FACTORS = np.arange(16).reshape(8, 2)
MIXED = (CodeColumn("z0"), CodeColumn("c0", "categorical"), CodeColumn("z1"))


class TestAccepted:
    @pytest.mark.parametrize(
        ("dtype", "kept"),
        [
            (np.float16, np.float32),
            (np.float32, np.float32),
            (np.float64, np.float64),
            (np.uint8, np.float64),
            (np.int64, np.float64),
            (np.bool_, np.float64),
        ],
    )
    def test_codes(self, dtype, kept):
        samples = check_samples(CODES.astype(dtype), FACTORS)
        assert samples.codes.dtype == kept
        np.testing.assert_array_equal(samples.codes, CODES.astype(dtype))

    @pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
    def test_factors(self, dtype):
        factors = np.array([[5, 0], [2, 0], [5, 0], [9, 0]], dtype)
        samples = check_samples(np.zeros((4, 1)), factors)
        assert samples.factors.dtype == np.int64
        assert samples.factors.tolist() == [[1, 0], [0, 0], [1, 0], [2, 0]]
        assert samples.num_values == (3, 1)
        assert (samples.num_latents, samples.num_factors) == (1, 2)

    def test_negative_labels_and_bools(self):
        samples = check_samples(np.zeros((3, 1)), np.array([[-4], [7], [-9]]))
        assert samples.factors[:, 0].tolist() == [1, 2, 0]
        samples = check_samples(np.zeros((2, 1)), np.array([[True], [False]]))
        assert samples.factors[:, 0].tolist() == [1, 0]

    def test_lists(self):
        assert check_samples([[0.5], [1.5]], [[0], [1]]).codes.shape == (2, 1)

    def test_the_caller_keeps_the_arrays(self):
        codes, factors = CODES.copy(), FACTORS.copy()
        check_samples(codes, factors, columns=MIXED)
        np.testing.assert_array_equal(codes, CODES)
        np.testing.assert_array_equal(factors, FACTORS)

    def test_continuous_factors(self):
        factors = FACTORS + 0.5
        samples = check_samples(CODES, factors, continuous_factors=True)
        np.testing.assert_array_equal(samples.factors, factors)
        assert samples.num_values == (0, 0)


class TestSplit:
    def test_labels_are_those_of_both_parts(self):
        """Value 3 is missing in the train part, 7 in the test part."""
        train, test, _ = check_split(
            np.zeros((3, 1)),
            np.array([[7], [1], [7]]),
            np.zeros((2, 1)),
            np.array([[3], [1]]),
        )
        assert train.factors[:, 0].tolist() == [2, 0, 2]
        assert test.factors[:, 0].tolist() == [1, 0]
        assert train.num_values == test.num_values == (3,)

    @pytest.mark.parametrize(
        ("shapes", "match"),
        [
            (((8, 3), (8, 2), (4, 2), (4, 2)), r"test_codes must have L = 3 columns"),
            (((8, 3), (8, 2), (4, 3), (4, 1)), r"test_factors must have K = 2"),
            (((8, 3), (8, 2), (4, 3), (5, 2)), r"test_codes and test_factors"),
        ],
    )
    def test_parts_that_differ(self, shapes, match):
        with pytest.raises(ArgumentError, match=match):
            check_split(*map(np.zeros, shapes))


class TestRefused:
    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_not_finite_names_the_latent(self, value):
        codes = CODES.copy()
        codes[3, [0, 2]] = value
        with pytest.raises(ArgumentError, match=r"codes must be finite.*in z0, z2"):
            check_samples(codes, FACTORS)
        with pytest.raises(ArgumentError, match="test_codes must be finite"):
            check_split(CODES, FACTORS, codes, FACTORS)

    def test_not_finite_names_the_factor(self):
        factors = np.array([[0.0, np.nan]] * 8)
        with pytest.raises(ArgumentError, match=r"factors must be finite.*factor 1"):
            check_samples(CODES, factors)

    @pytest.mark.parametrize(
        ("codes", "factors", "match"),
        [
            ((8, 3), (7, 2), "Row i of each belongs to image i"),
            ((3, 8), (8, 2), r"pass codes\.T\."),
            ((8, 3), (2, 8), r"pass factors\.T\."),
            ((3, 8), (2, 8), r"pass codes\.T and factors\.T"),
            ((3, 8), (3, 8), r"pass codes\.T and factors\.T"),
        ],
    )
    def test_rows(self, codes, factors, match):
        with pytest.raises(ArgumentError, match=match):
            check_samples(np.zeros(codes), np.zeros(factors))

    @pytest.mark.parametrize("shape", [(8,), (8, 3, 1), (1, 3), (8, 0), ()])
    def test_shape(self, shape):
        with pytest.raises(ArgumentError, match="codes must have"):
            check_samples(np.zeros(shape), np.zeros((8, 1)))

    def test_one_axis_is_told_the_remedy(self):
        with pytest.raises(ArgumentError, match=r"factors must have.*Add an axis"):
            check_samples(CODES, np.zeros(8))

    @pytest.mark.parametrize(
        ("dtype", "size", "limit"),
        [(np.float64, 1e300, "1e\\+60"), (np.float32, 1e36, "1e\\+15")],
    )
    def test_numbers_whose_products_overflow_name_the_latent(self, dtype, size, limit):
        codes = np.ones((8, 3))
        codes[2, 1] = -size
        words = rf"codes must be at most {limit} in size.*larger values in z1"
        with pytest.raises(ArgumentError, match=words):
            check_codes(codes.astype(dtype))

    @pytest.mark.parametrize("shape", [(10, 1_000), (10, 101), (3, 30), (99, 120)])
    def test_codes_alone_that_look_transposed(self, shape):
        with pytest.raises(ArgumentError, match=r"z must have.*pass z\.T"):
            check_codes(np.zeros(shape), argument="z")
        assert check_codes(np.zeros(shape).T)[0].shape == shape[::-1]
        assert check_codes(np.zeros(shape), rows_counted=True)[0].shape == shape

    @pytest.mark.parametrize("shape", [(2, 10), (12, 100), (50, 64), (200, 200)])
    def test_few_images_of_many_latents(self, shape):
        assert check_codes(np.zeros(shape))[0].shape == shape

    def test_fractions_name_the_factor(self):
        with pytest.raises(
            ArgumentError, match=r"fractions in factor 1.*return_inverse=True"
        ):
            check_samples(CODES, FACTORS + np.array([0, 0.5]))

    @pytest.mark.parametrize("dtype", [str, complex])
    def test_not_real_numbers(self, dtype):
        with pytest.raises(ArgumentTypeError, match="codes must hold real numbers"):
            check_samples(CODES.astype(dtype), FACTORS)


class TestColumns:
    def test_categories_are_relabelled(self):
        codes = np.array([[0.5, 3, 1], [0.25, 9, 1], [0.5, 3, 2]], np.float32)
        samples = check_samples(codes, np.zeros((3, 1)), columns=MIXED)
        assert samples.codes[:, 1].tolist() == [0, 1, 0]
        assert samples.codes.dtype == np.float32
        assert samples.num_categories == (0, 2, 0)
        assert samples.categorical.tolist() == [False, True, False]

    def test_one_hot(self):
        codes = np.array([[0.5, 3, 1], [0.25, 9, 1], [0.5, 3, 2]])
        features, latent = one_hot(
            check_samples(codes, np.zeros((3, 1)), columns=MIXED)
        )
        assert features.tolist() == [[0.5, 1, 0, 1], [0.25, 0, 1, 1], [0.5, 1, 0, 2]]
        assert latent.tolist() == [0, 1, 1, 2]

    def test_one_hot_of_a_split_has_the_categories_of_both(self):
        train, test, _ = check_split(
            [[4.0], [4.0]], [[0], [1]], [[4.0], [2.0]], [[0], [1]], columns=MIXED[1:2]
        )
        assert one_hot(train)[0].tolist() == [[0, 1], [0, 1]]
        assert one_hot(test)[0].tolist() == [[0, 1], [1, 0]]

    def test_without_columns_one_hot_is_the_codes(self):
        features, latent = one_hot(check_samples(CODES, FACTORS))
        np.testing.assert_array_equal(features, CODES)
        assert latent.tolist() == [0, 1, 2]

    def test_codes_alone(self):
        codes, num_categories = check_codes(CODES, columns=MIXED)
        assert codes[:, 1].tolist() == list(range(8))
        assert num_categories == (0, 8, 0)

    def test_fractions_name_the_column(self):
        with pytest.raises(ArgumentError, match=r"fractions in z1.*argmax"):
            check_samples(CODES + 0.5, FACTORS, columns=MIXED)

    def test_number_of_columns(self):
        with pytest.raises(ArgumentError, match="one entry for each of the 3 latents"):
            check_samples(CODES, FACTORS, columns=MIXED[:2])


def test_relabelled_keeps_order_and_shape():
    labels, count = relabelled(np.array([[3, -1], [8, 3]]))
    assert labels.tolist() == [[1, 0], [2, 1]]
    assert count == 3


class TestRows:
    def test_a_third_is_held_out_by_the_seed(self):
        codes = np.arange(90.0)[:, np.newaxis]
        parts = [check_split(codes, codes % 3, seed=seed) for seed in (0, 0, 1)]
        for train, test, note in parts:
            assert (len(train.codes), len(test.codes)) == (60, 30)
            both = np.concatenate([train.codes, test.codes])
            assert sorted(both.ravel()) == codes.ravel().tolist()
            assert note == ", rows split 2:1"
        np.testing.assert_array_equal(parts[0][1].codes, parts[1][1].codes)
        assert np.any(parts[0][1].codes != parts[2][1].codes)

    def test_half_a_test_part_and_too_few_rows(self):
        with pytest.raises(ArgumentError, match="be passed both or neither"):
            check_split(CODES, FACTORS, CODES)
        with pytest.raises(ArgumentError, match="at least 6 rows"):
            check_split(CODES[:5], FACTORS[:5])


class TestLabels:
    """Columns of text and of objects are numbered; numbers stay numbers."""

    TEXT = np.array(["square", "circle", "star"] * 4)
    SIZE = np.array([10, 9, 10] * 4)

    def table(self, kind):
        columns = {"shape": self.TEXT, "size": self.SIZE}
        if kind == "text":
            return np.column_stack([self.TEXT, np.array(["b", "a", "b"] * 4)])
        if kind == "objects":
            table = np.empty((12, 2), object)
            table[:, 0], table[:, 1] = self.TEXT, self.SIZE
            return table
        frame = pytest.importorskip("pandas").DataFrame(columns)
        kinds = {"shape": "category", "size": "object"}
        return frame.astype(kinds) if kind == "categories" else frame

    @pytest.mark.parametrize("kind", ["frame", "categories", "objects", "text"])
    def test_tables(self, kind):
        codes = np.arange(12.0)[:, np.newaxis]
        samples = check_samples(codes, self.table(kind))
        expected = [[1, 1], [0, 0], [2, 1]] * 4
        assert samples.factors.tolist() == expected

    def test_a_frame_may_mix_what_pandas_has(self):
        pandas = pytest.importorskip("pandas")
        pair = np.array([0, 1] * 6)
        columns = {
            "int": pair,
            "bool": pair == 1,
            "Int64": pandas.array(pair, dtype="Int64"),
            "boolean": pandas.array(pair == 1, dtype="boolean"),
            "date": pandas.to_datetime(pair, unit="D"),
        }
        samples = check_samples(np.zeros((12, 1)), pandas.DataFrame(columns))
        assert samples.factors.tolist() == [[i] * 5 for i in pair]
        columns["date"] = columns["date"].where(pair == 1)
        with pytest.raises(ArgumentError, match="6 rows without"):
            check_samples(np.zeros((12, 1)), pandas.DataFrame(columns))

    def test_both_parts_are_numbered_together(self):
        tables = [np.array([list(text)], object).T for text in ("bbc", "ac")]
        codes = np.zeros((3, 1))
        train, test, _ = check_split(codes, tables[0], codes[:2], tables[1])
        assert train.factors.ravel().tolist() == [1, 1, 2]
        assert test.factors.ravel().tolist() == [0, 2]

    @pytest.mark.parametrize("missing", [None, float("nan")])
    def test_a_row_without_a_label(self, missing):
        factors = np.array([["a"], ["b"], [missing]], object)
        with pytest.raises(ArgumentError, match="1 rows without"):
            check_samples(np.zeros((3, 1)), factors)


def test_bfloat16_codes_are_numbers():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    samples = check_samples(CODES.astype(ml_dtypes.bfloat16), FACTORS)
    assert samples.codes.dtype == np.float32
    np.testing.assert_allclose(samples.codes, CODES, rtol=0.01)


def test_a_data_set_where_an_array_is_expected():
    from tests.representations import GridDataset

    with pytest.raises(ArgumentTypeError, match=r"metrics\.evaluate\(data, encoder"):
        check_samples(GridDataset((2, 2)), lambda images: images)
