"""Tables of factors that users wrote."""

import unicodedata

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
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


def test_a_label_with_an_underscore_is_no_number(read):
    table = read("name,k", "0,1_2", "1,3_4", "2,1_2")
    assert table["k"].tolist() == ["1_2", "3_4", "1_2"]


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
    with pytest.raises(ArgumentError, match=match):
        read(*lines)


def test_columns_that_are_not_wanted_may_have_gaps(read):
    lines = ("name,note,k", "0,,1", "1,dim,1", "2,3,2")
    assert list(read(*lines, factor_names=["k"])) == ["k"]


def test_a_line_that_two_images_fit(read):
    images = ["a/0.png", "b/0.png"]
    with pytest.raises(ArgumentError, match=r"0, for a/0\.png and b/0\.png"):
        read("name,k", "0,1", "1,1", images=images)
    table = read("name,k", "b/0,2", "a/0.png,1", images=images)
    assert table["k"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "content", ["name,f\xfcr\n0,1\n".encode("latin-1"), b"\x93NUMPY\0"]
)
def test_another_encoding_is_no_damage(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(ArgumentError, match="file in UTF-8") as error:
        read_csv(tmp_path / "table.csv", IMAGES)
    assert "Delete" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        "{}",
        "./{}",
        "flat/{}",
        "/home/me/flat/{}",
        "C:\\\\flat\\\\{}",
        "{stem}",
        "{stem}.jpg",
        "other/{stem}.jpg",
    ],
)
@pytest.mark.parametrize("change", [str, str.upper])
def test_names_as_people_write_them(read, name, change):
    images = [f"img{k:03}.png" for k in range(3)]
    names = [change(name.format(i, stem=i[:-4])) for i in images]
    lines = [f"{n},{k}" for k, n in enumerate(names)]
    table = read("file,k", *reversed(lines), images=images)
    assert table["k"].tolist() == [0, 1, 2]


def test_paths_tell_images_of_one_base_name_apart(read):
    images = ["a/0.png", "a/1.png", "b/0.png"]
    table = read(
        "k,f", "1,set/a/0.png", "2,set/b/0.png", "3,set/a/1.png", images=images
    )
    assert table["k"].tolist() == [1, 3, 2]
    with pytest.raises(ArgumentError, match=r"a/0\.png; it may be one of: c/0"):
        read("f,k", "c/0.png,1", "d/0.png,2", "a/1.png,3", images=images)


def test_a_name_in_composed_and_in_decomposed_letters(read):
    composed = unicodedata.normalize("NFC", "ba\u0308r.png")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    for table, image in ((composed, decomposed), (decomposed, composed)):
        assert read("f,k", f"{table},7", images=[image])["k"].tolist() == [7]


def test_the_index_of_pandas_is_no_factor(read):
    lines = (",file,k", "0,b/1.png,5", "1,a/0.png,6", "2,b/2.png,7")
    assert {n: c.tolist() for n, c in read(*lines).items()} == {"k": [6, 5, 7]}
    # Where the index has the names, it is the column of names.
    lines = (",k", "b/1.png,5", "a/0.png,6", "b/2.png,7")
    assert read(*lines)["k"].tolist() == [6, 5, 7]


@pytest.mark.parametrize("mark", [";", "\t", "|", " ", "  "])
def test_separators(read, mark):
    lines = (("f", "k", "x"), ("0", "3", "0.5"), ("1", "4", "1.5"), ("2", "5", "2.5"))
    table = read(*(mark.join(line) for line in lines))
    assert table["k"].tolist() == [3, 4, 5]
    assert table["x"].tolist() == [0.5, 1.5, 2.5]


def test_decimal_commas_beside_semicolons(read):
    table = read("f;x;s", "0;0,5;a,b", "1;1,5;c,d", "2;2,5;a,b")
    assert table["x"].tolist() == [0.5, 1.5, 2.5]
    assert table["s"].tolist() == ["a,b", "c,d", "a,b"]


def test_a_table_without_names_in_the_order_of_an_array(read):
    images = ["0", "1", "2"]
    table = read("k,s", "5,a", "5,b", "6,a", images=images, in_order=True)
    assert table["k"].tolist() == [5, 5, 6]
    with pytest.raises(ArgumentError, match="a line for each image"):
        read("k,s", "5,a", "5,b", "6,a", images=images)


def test_lines_of_no_image_are_left_out_and_told(read, caplog):
    lines = ("name,k", "0.png,0", "gone.png,3", "1.png,1", "2.png,2")
    assert read(*lines)["k"].tolist() == [0, 1, 2]
    assert "1 of 4 lines are left out, since there is no such" in caplog.text
    assert "image: gone.png" in caplog.text
    caplog.clear()
    read(*lines[:2], *lines[3:])
    assert not caplog.text


@pytest.mark.parametrize(
    ("lines", "in_order", "remedy"),
    [
        (["name,k", "0,1", "1,1"], False, "Add what is missing, or move"),
        (["name,k", "x,7", "y,7", "z,8"], False, "Give the images' names"),
        (["k", "3", "4"], True, "Give one for each, in order"),
    ],
)
def test_the_remedy_fits_what_is_missing(read, lines, in_order, remedy):
    with pytest.raises(ArgumentError, match=remedy):
        read(*lines, in_order=in_order)
