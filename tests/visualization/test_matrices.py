"""The picture of a matrix of latents and factors."""

import numpy as np
import pytest

from tests.visualization.pixels import margins_are_white
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import latent_factor_matrix
from tf_disentangle.visualization.matrices import cell_colours


def test_colours_follow_the_values():
    matrix = np.array([[0.0, 2.0, 1.0], [-2.0, np.nan, 0.5]])
    colours = cell_colours(matrix).astype(int)
    assert np.all(colours[0, 0] > 240), "zero is white"
    redness = colours[..., 0] - colours[..., 2]
    assert redness[0, 1] > redness[0, 2] > redness[1, 2] > 0 > redness[1, 0]
    assert len(set(colours[1, 1])) == 1, "grey where there is no value"
    # Counts and shares of one shape look the same.
    np.testing.assert_array_equal(cell_colours(100 * matrix), cell_colours(matrix))


def test_every_cell_shows_its_colour_in_its_place():
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


def test_a_collapsed_code_and_long_names():
    picture = latent_factor_matrix(
        np.zeros((2, 1)),
        factor_names=["a factor with a very long name"],
        latent_names=["c0", "z1"],
        title="Nothing",
    )
    assert picture.shape[1] > 200
    assert picture.dtype == np.uint8


def test_errors():
    with pytest.raises(ArgumentError, match="factor_names must have one name"):
        latent_factor_matrix(np.zeros((2, 3)), factor_names=["x"])
    with pytest.raises(ArgumentError, match=r"matrix must have shape \[L, K\]"):
        latent_factor_matrix(np.zeros(3), factor_names=["x"])
