import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, noise, place, places
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import image_grid
from tf_disentangle.visualization.canvas import FAINT, INK, Faint, rgb


def positions(picture, tiles, scale):
    return np.array(
        [[place(picture, enlarged(tile, scale)) for tile in row] for row in tiles]
    )


class TestImageGrid:
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("scale", [1, 3])
    def test_each_tile_stands_at_its_row_and_column(self, channels, scale):
        tiles = noise(3, 4, 5, 7, channels)
        picture = image_grid(
            tiles,
            title="A title",
            row_labels=["z0", ("z1", "KL 2.3", "x"), "two\nlines"],
            column_labels=["-1", "0", "1", "a wide label"],
            scale=scale,
        )
        assert picture.dtype == np.uint8
        at = positions(picture, tiles, scale)
        assert np.all(at[:, :, 0] == at[:, :1, 0])
        assert np.all(at[:, :, 1] == at[:1, :, 1])
        down, across = np.diff(at[:, 0, 0]), np.diff(at[0, :, 1])
        assert np.all(down == down[0]) and down[0] > 5 * scale
        assert np.all(across == across[0]) and across[0] > 7 * scale
        assert margins_are_white(picture)

    def test_small_images_are_made_readable_and_large_ones_left(self):
        small, large = noise(1, 1, 28, 28, 1), noise(1, 1, 128, 100, 1)
        place(image_grid(small), enlarged(small[0, 0], 3))
        place(image_grid(large), enlarged(large[0, 0], 1))

    def test_floats_are_the_same_picture(self):
        tiles = noise(2, 2, 8, 8, 3)
        np.testing.assert_array_equal(
            image_grid(np.float32(tiles / 255), scale=2), image_grid(tiles, scale=2)
        )

    @pytest.mark.parametrize(
        "labels",
        [
            {"title": "a title that is far wider than the single tile below it"},
            {"row_labels": ["a row label\nof two long lines, far taller"]},
            {"column_labels": ["a column label far wider than its tile"]},
            {"tile_labels": [["a tile label far wider\nthan its tile\njqgy"]]},
            {"column_groups": [("a group label far wider than its tile", 1)]},
        ],
    )
    def test_the_page_grows_with_its_text(self, labels):
        tile = noise(1, 1, 4, 4, 1)
        bare = image_grid(tile, scale=2)
        picture = image_grid(tile, scale=2, **labels)
        assert margins_are_white(picture)
        assert picture.shape[0] >= bare.shape[0]
        assert picture.shape[1] > bare.shape[1]
        # The text does not touch the tile.
        y, x = place(picture, enlarged(tile[0, 0], 2))
        around = picture[y - 3 : y + 11, x - 3 : x + 11].copy()
        around[2:-2, 2:-2] = 255
        assert np.all(around == 255)

    def test_absent_tiles_leave_the_page_white(self):
        tiles = noise(1, 2, 8, 8, 1)
        picture = image_grid(tiles, present=np.array([[True, False]]), scale=1)
        y, x = place(picture, enlarged(tiles[0, 0], 1))
        assert not places(picture, enlarged(tiles[0, 1], 1))
        assert np.all(picture[:, x + 10 :] == 255)
        framed = picture[y - 1, x - 1 : x + 9]
        assert np.all(framed == framed[0]) and framed[0, 0] < 255

    def test_groups_stand_apart(self):
        tiles = noise(4, 4, 6, 6, 1)
        picture = image_grid(
            tiles, column_groups=[("left", 3), ("right", 1)], row_groups=[2, 2], scale=2
        )
        at = positions(picture, tiles, 2)
        across, down = np.diff(at[0, :, 1]), np.diff(at[:, 0, 0])
        assert across[0] == across[1] < across[2]
        assert down[0] == down[2] < down[1]

    def test_a_faint_label_is_grey_where_it_would_be_black(self):
        tile = noise(1, 1, 4, 4, 1)
        dark = image_grid(tile, row_labels=["z3"], scale=2)
        grey = image_grid(tile, row_labels=[Faint("z3")], scale=2)
        text = (dark != grey).any(axis=-1)
        assert text.sum() > 50
        assert dark[text].min() == INK[0] and grey[text].min() == FAINT[0]

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"row_labels": ["a"]}, "row_labels must have one entry"),
            ({"column_labels": ["a"]}, "column_labels must have one entry"),
            ({"tile_labels": [["a", "b"]]}, "tile_labels must have one entry"),
            ({"tile_labels": [["a"], ["b", "c"]]}, "row of tile_labels must have one"),
            ({"column_groups": [("a", 1)]}, "column_groups must add up to 2"),
            ({"scale": 0}, "scale must be at least 1"),
            ({"row_groups": [1]}, "row_groups must add up to 2"),
        ],
    )
    def test_errors(self, options, match):
        with pytest.raises(ArgumentError, match=match):
            image_grid(noise(2, 2, 4, 4, 1), **options)

    def test_tiles_of_another_rank(self):
        with pytest.raises(ArgumentError, match=r"\[R, C, H, W, channels\]"):
            image_grid(noise(2, 4, 4, 1))


class TestRgb:
    def test_rounds_floats(self):
        images = np.array([0.0, 0.4999 / 255, 0.5001 / 255, 1.0]).reshape(2, 2, 1)
        assert rgb(images)[..., 0].tolist() == [[0, 0], [1, 255]]

    def test_forgives_float32_rounding(self):
        images = np.array([-1e-6, 1 + 1e-6]).reshape(1, 2, 1)
        assert rgb(images)[..., 0].tolist() == [[0, 255]]

    @pytest.mark.parametrize(
        ("images", "match"),
        [
            (np.zeros((4, 4)), "have shape"),
            (np.zeros((4, 4, 2)), "C 1 or 3"),
            (np.zeros((0, 4, 4, 1)), "no empty axis"),
            (np.full((4, 4, 1), 1.5), "not logits"),
            (np.full((4, 4, 1), -3.0), "not logits"),
            (np.full((4, 4, 1), np.nan), "not logits"),
            (np.zeros((4, 4, 1), np.int64), "received 'int64'"),
        ],
    )
    def test_errors(self, images, match):
        with pytest.raises(ArgumentError, match=match):
            rgb(images)


def test_greek_letters_and_signs_are_drawn_and_not_a_box():
    tile = noise(1, 1, 8, 8, 1)
    lacking = image_grid(tile, title="\U0010fffd")
    for sign in "\N{GREEK CAPITAL LETTER SIGMA}\N{SUBSCRIPT ZERO}\N{MINUS SIGN}\xe9":
        assert not np.array_equal(image_grid(tile, title=sign), lacking), sign
