"""Tables of factors that users wrote."""

import numpy as np
import pytest

from tf_disentangle import checks
from tf_disentangle.datasets.custom.tables import read_csv

IMAGES = ["a/0.png", "b/1.png", "b/2.png"]


@pytest.fixture
def read(tmp_path):
    def read(*lines, images=IMAGES, encoding="utf-8", **arguments):
        path = tmp_path / "table.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return read_csv(path, images, **arguments)

    return read


def test_each_column_is_of_its_own_type(read):
    table = read("name,k,s,x", "0,0,round,0.5", "1,10,square,1", "2,5,round,2")
    assert table["k"].tolist() == [0, 10, 5]
    assert table["k"].dtype == np.int64
    assert table["s"].tolist() == ["round", "square", "round"]
    assert table["x"].tolist() == [0.5, 1.0, 2.0]


def test_spaces_empty_lines_and_the_mark_of_excel(read):
    lines = ("name, k, s", "", "0, 3, a b ", "1, 4, c", ",,", "2, 5, a b")
    table = read(*lines, encoding="utf-8-sig")
    assert table["k"].tolist() == [3, 4, 5]
    assert table["s"].tolist() == ["a b", "c", "a b"]


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (
            ["name,k", "0,1", "1,1", "2,2", "0,3"],
            "such as a/0.png; it may be one of: 0, 0",
        ),
        (["name,k,k", "0,1,1", "1,1,1", "2,2,1"], "k twice"),
        (["name,k", "0,1", "1,", "2,2"], "empty cells: 1"),
        (["name,k", "0,1", "1,N/A", "2,2"], "numbers or words.*N/A"),
        (
            ["name,k", "0,1", "1,1"],
            "1 of 3 images without, such as b/2.png; names.* 0, 1",
        ),
    ],
)
def test_what_is_refused(read, lines, match):
    with pytest.raises(checks.ArgumentError, match=match):
        read(*lines)


def test_columns_that_are_not_wanted_may_have_gaps(read):
    lines = ("name,note,k", "0,,1", "1,dim,1", "2,3,2")
    assert list(read(*lines, wanted=["k"])) == ["k"]


def test_a_line_that_two_images_fit(read):
    images = ["a/0.png", "b/0.png"]
    with pytest.raises(checks.ArgumentError, match=r"0, for a/0\.png and b/0\.png"):
        read("name,k", "0,1", "1,1", images=images)
    table = read("name,k", "b/0,2", "a/0.png,1", images=images)
    assert table["k"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "content", ["name,f\xfcr\n0,1\n".encode("latin-1"), b"\x93NUMPY\0"]
)
def test_another_encoding_is_no_damage(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(checks.ArgumentError, match="file in UTF-8") as error:
        read_csv(tmp_path / "table.csv", IMAGES)
    assert "Delete" not in str(error.value)
