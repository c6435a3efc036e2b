"""Covariances as heat maps, and the matrix of latents and factors."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import (
    covariances,
    latent_factor_matrix,
    pixels,
    points,
)
from tf_disentangle.visualization.charts import readable


def shown(axes):
    """The matrix of a heat map, the limits of its colours, and its cells' colours."""
    (image,) = axes.images
    return np.ma.filled(image.get_array(), np.nan), image.get_clim(), image.to_rgba


def heat_maps(figure):
    """The panels of a figure, without their colour bars."""
    return [axes for axes in figure.axes if axes.images]


class TestCovariances:
    def test_each_panel_shows_its_matrix_in_its_own_range(self):
        matrix = np.array([[2.0, -1.0], [-1.0, 0.5]])
        figure = covariances({"Sigma": matrix, "heavy tail": 1e4 * np.eye(2)})
        first, second = heat_maps(figure)
        np.testing.assert_array_equal(shown(first)[0], matrix)
        assert shown(first)[1] == (-2.0, 2.0) and shown(second)[1] == (-1e4, 1e4)
        assert [first.get_title(), second.get_title()] == ["Sigma", "heavy tail"]

    def test_ends_of_the_colour_bar_are_numbers_for_readers(self):
        (_, bar) = covariances({"heavy tail": 37152.0 * np.eye(2)}).axes
        texts = [label.get_text() for label in bar.get_yticklabels()]
        assert texts == ["\N{MINUS SIGN}37,152", "0", "37,152"]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"),
            (0.25, "0.25"),
            (-1.3649, "\N{MINUS SIGN}1.36"),
            (200.0, "200"),
            (1000.0, "1,000"),
            (4.2e9, r"$4.2 \times 10^{9}$"),
            (-2e-5, r"$-2.0 \times 10^{-5}$"),
        ],
    )
    def test_numbers_for_readers(self, value, text):
        assert readable(value) == text

    def test_many_panels_wrap_and_the_rest_of_the_last_row_is_empty(self):
        figure = covariances({f"nu = {nu}": np.eye(2) for nu in range(5)})
        corners = [axes.get_subplotspec() for axes in heat_maps(figure)]
        assert [c.rowspan.start for c in corners] == [0, 0, 0, 0, 1]
        assert sum(not axes.get_visible() for axes in figure.axes) == 3

    def test_all_zero_is_white_and_colours_diverge(self):
        (zero,) = heat_maps(covariances({"zero": np.zeros((3, 3))}))
        low, middle, high = shown(zero)[2](np.array([-1.0, 0.0, 1.0]))
        assert middle[:3].min() > 0.94
        assert low[2] > low[0] and high[0] > high[2], "blue below zero, red above"

    @pytest.mark.parametrize(
        ("matrix", "match"),
        [
            (np.zeros((2, 3)), "have shape"),
            (np.full((2, 2), np.nan), "be finite"),
            (np.array([[1.0, 0.5], [0.0, 1.0]]), "be symmetric"),
        ],
    )
    def test_errors(self, matrix, match):
        with pytest.raises(ArgumentError, match=rf"matrices\['a'\] must {match}"):
            covariances({"a": matrix})

    def test_errors_over_all(self):
        with pytest.raises(ArgumentError, match="at least one entry"):
            covariances({})
        with pytest.raises(ArgumentError, match="be of one size"):
            covariances({"a": np.eye(2), "b": np.eye(3)})


class TestLatentFactorMatrix:
    MATRIX = np.array([[0.0, 2.0, 1.25], [-2.0, np.nan, 0.5]])

    def test_every_cell_has_its_value_its_colour_and_its_names(self):
        figure = latent_factor_matrix(
            self.MATRIX, factor_names=["x", "y", "a long name"], title="votes"
        )
        (axes,) = figure.axes
        texts = {tuple(t.get_position()): t.get_text() for t in axes.texts}
        expected = [["0", "2", "1.25"], ["-2", "-", "0.50"]]
        assert [[texts[k, d] for k in range(3)] for d in range(2)] == expected
        assert [t.get_text() for t in axes.get_xticklabels()] == [
            "x",
            "y",
            "a long name",
        ]
        assert [t.get_text() for t in axes.get_yticklabels()] == ["z0", "z1"]
        values, limits, colours = shown(axes)
        np.testing.assert_array_equal(values, self.MATRIX)
        assert limits[0] == -limits[1] and limits[1] > 2, "never so dark as to hide ink"
        # Counts and shares of one shape look the same.
        (hundredfold,) = latent_factor_matrix(
            100 * self.MATRIX, factor_names="xyz"
        ).axes
        np.testing.assert_allclose(
            shown(hundredfold)[2](100 * self.MATRIX[0]), colours(self.MATRIX[0])
        )

    def test_its_pixels(self):
        figure = latent_factor_matrix(np.eye(2), factor_names=["x", "y"])
        picture = pixels(figure)
        assert picture.dtype == np.uint8 and picture.shape[2] == 3
        # As many red pixels in the two cells of the diagonal as white ones beside.
        red = (picture[..., 0] > 200) & (picture[..., 2] < 140)
        rows, columns = np.nonzero(red)
        above = rows < np.median(rows)
        assert columns[above].max() < columns[~above].min()

    def test_errors(self):
        with pytest.raises(ArgumentError, match="factor_names must have one name"):
            latent_factor_matrix(np.zeros((2, 3)), factor_names=["x"])
        with pytest.raises(ArgumentError, match=r"matrix must have shape \[L, K\]"):
            latent_factor_matrix(np.zeros(3), factor_names=["x"])


def test_charts_share_no_state_with_pyplot():
    import matplotlib

    before = dict(matplotlib.rcParams)
    pixels(points.curves({"a": ([0, 1], [1.0, 2.0])}))
    assert dict(matplotlib.rcParams) == before
