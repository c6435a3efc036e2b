"""Tables in memory: what people have of factors, pandas among it."""

import datetime

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import ImageTable
from tf_disentangle.datasets.columns import as_table


class Frame:
    """What a DataFrame does that is asked of it."""

    def __init__(self, columns):
        self._columns, self.columns = columns, list(columns)

    def __getitem__(self, name):
        return self._columns[name]

    def to_numpy(self):
        raise AssertionError


def expected():
    return {"shape": ["circle", "square", "circle"], "size": [3, 1, 3]}


def assert_expected(table):
    assert {name: column.tolist() for name, column in table.items()} == expected()
    assert table["shape"].dtype.kind == "U"
    assert table["size"].dtype.kind == "i"


@pytest.mark.parametrize(
    "factors",
    [
        {"shape": ["circle", "square", "circle"], "size": (3, 1, 3)},
        {k: np.array(v, object) for k, v in expected().items()},
        {k: np.array(v, "S" if k == "shape" else int) for k, v in expected().items()},
        Frame({k: np.array(v, object) for k, v in expected().items()}),
    ],
)
def test_named_columns(factors):
    if isinstance(factors, dict) and getattr(factors["shape"], "dtype", "U") == "S6":
        factors = factors | {"shape": factors["shape"].astype(object)}
    assert_expected(as_table(factors, None, 3))


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(expected())
    assert_expected(as_table(frame, None, 3))
    assert_expected(as_table({name: frame[name] for name in frame}, None, 3))
    assert_expected(as_table(frame.astype({"shape": "category"}), None, 3))
    assert list(as_table(frame[["size"]], None, 3)) == ["size"]
    assert as_table(frame["shape"], None, 3)["shape"].tolist() == expected()["shape"]
    assert list(as_table(pandas.Series([1, 2, 1]), ["k"], 3)) == ["k"]
    with pytest.raises(ArgumentError, match="be left out where"):
        as_table(frame, ["a", "b"], 3)
    for missing in (None, np.nan):
        frame.loc[1, "shape"] = missing
        with pytest.raises(ArgumentError, match=r"factor shape.*in row 1.*Fill"):
            as_table(frame, None, 3)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.array(["a", 1, "a"], object), "hold numbers or strings.*1 in row 1"),
        (np.array([1, "a", 1], object), "received \"'a' in row 1\""),
        ([1.0, np.nan, 1.0], "be finite; received 'nan in row 1'.*leave out that row"),
        (np.array([datetime.date(2000, 1, 1)] * 3, "M8[D]"), "such as its year"),
        ([1, 2], r"have shape \[3\], a value for each image"),
        (np.ones(3, complex), "hold numbers or strings; received 'complex128'"),
    ],
)
def test_columns_that_are_refused(column, words):
    with pytest.raises(ArgumentError, match=words):
        as_table({"f": column}, None, 3)


def test_each_factor_has_bins_of_its_own():
    images = np.zeros((100, 8, 8, 1), np.uint8)
    x = np.linspace(0, 1, 100)
    table = {"x": x, "y": x[::-1], "k": np.arange(100) % 20}
    data = ImageTable(images, table, num_bins={"x": 4, "y": 5})
    assert data.factor_sizes == (4, 5, 20)
    assert ImageTable(images, table, num_bins=4).factor_sizes == (4, 4, 4)
    with pytest.raises(ArgumentError, match=r"Give num_bins=\{'y': 10\}"):
        ImageTable(images, table, num_bins={"x": 4})
    with pytest.raises(ArgumentError, match=r"a factor of num_bins.*Did you mean"):
        ImageTable(images, {"size": np.arange(100)}, num_bins={"sise": 4})
