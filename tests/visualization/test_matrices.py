"""Covariances as heat maps, and the matrix of latents and factors."""

import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, place, places
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import covariances, latent_factor_matrix
from tf_disentangle.visualization.matrices import cell_colours, diverging


class TestCovariances:
    def test_cells_show_the_matrix(self):
        matrix = np.array([[2.0, -1.0], [-1.0, 0.5]])
        picture = covariances({"Sigma": matrix})
        place(picture, enlarged(diverging(matrix / 2), 90))
        assert margins_are_white(picture)

    def test_each_panel_has_its_own_range(self):
        matrices = {"small": np.eye(3), "heavy tail": 1e4 * np.eye(3)}
        cells = enlarged(diverging(np.eye(3)), 60)
        assert len(places(covariances(matrices), cells)) == 2

    def test_panels_are_level_whatever_their_titles(self):
        matrices = {"a": np.eye(2), "a longer title\nof two lines, wide": np.eye(2)}
        picture = covariances(matrices)
        (top, _), (other_top, _) = places(picture, enlarged(diverging(np.eye(2)), 90))
        assert top == other_top
        assert margins_are_white(picture)

    def test_many_panels_wrap(self):
        matrices = {f"nu = {nu}": (nu + 1) * np.eye(2) for nu in range(5)}
        found = places(covariances(matrices), enlarged(diverging(np.eye(2)), 90))
        assert len({y for y, _ in found}) == 2
        assert len({x for _, x in found}) == 4

    def test_all_zero_is_white(self):
        cells = enlarged(diverging(np.zeros((3, 3))), 60)
        assert places(covariances({"zero": np.zeros((3, 3))}), cells)

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

    def test_colours_diverge_from_zero(self):
        low, zero, high = diverging(np.array([-1.0, 0.0, 1.0])).astype(int)
        assert low[2] > low[0] and high[0] > high[2]
        assert zero.min() > 240
        np.testing.assert_array_equal(diverging(np.array([7.0])), [high])

    def test_bar_runs_from_limit_down_to_minus_limit(self):
        picture = covariances({"two": 2.0 * np.eye(4)})
        ramp = diverging(np.linspace(1, -1, 180))[:, np.newaxis]
        assert places(picture, ramp.repeat(12, axis=1))


class TestLatentFactorMatrix:
    def test_colours_follow_the_values(self):
        matrix = np.array([[0.0, 2.0, 1.0], [-2.0, np.nan, 0.5]])
        colours = cell_colours(matrix).astype(int)
        assert np.all(colours[0, 0] > 240), "zero is white"
        redness = colours[..., 0] - colours[..., 2]
        assert redness[0, 1] > redness[0, 2] > redness[1, 2] > 0 > redness[1, 0]
        assert len(set(colours[1, 1])) == 1, "grey where there is no value"
        # Counts and shares of one shape look the same.
        np.testing.assert_array_equal(cell_colours(100 * matrix), cell_colours(matrix))

    def test_every_cell_shows_its_colour_in_its_place(self):
        matrix = np.arange(6.0).reshape(3, 2)
        picture = latent_factor_matrix(matrix, factor_names=["x", "rotation"])
        colours = cell_colours(matrix)
        found = [
            np.argwhere(np.all(picture == colour, axis=-1)).mean(axis=0)
            for colour in colours.reshape(-1, 3)
        ]
        rows, columns = np.array(found).reshape(3, 2, 2).transpose(2, 0, 1)
        assert np.all(np.diff(rows, axis=0) > 20)
        assert np.all(np.diff(columns, axis=1) > 50)
        assert margins_are_white(picture)

    def test_a_collapsed_code_and_long_names(self):
        picture = latent_factor_matrix(
            np.zeros((2, 1)),
            factor_names=["a factor with a very long name"],
            latent_names=["c0", "z1"],
            title="Nothing",
        )
        assert picture.shape[1] > 200
        assert picture.dtype == np.uint8

    def test_errors(self):
        with pytest.raises(ArgumentError, match="factor_names must have one name"):
            latent_factor_matrix(np.zeros((2, 3)), factor_names=["x"])
        with pytest.raises(ArgumentError, match=r"matrix must have shape \[L, K\]"):
            latent_factor_matrix(np.zeros(3), factor_names=["x"])
