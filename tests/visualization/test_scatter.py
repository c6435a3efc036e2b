"""Points stand where they should, in their group's colour."""

import numpy as np
import pytest

from tests.visualization.pixels import margins_are_white, place
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import scatter, scatters
from tf_disentangle.visualization.scatter import COLOURS


def centre_of(picture, colour):
    """Mean (x, y) of the pixels of one colour, the origin at the lower left."""
    rows, columns = np.nonzero((picture == colour).all(axis=-1))
    return columns.mean() + 0.5, len(picture) - rows.mean() - 0.5


def test_a_point_stands_at_its_coordinates():
    points = {"grey": np.array([[-1.0, 0.5]]), "blue": np.array([[1.0, -1.5]])}
    picture = scatter(points, limits=(-2, 2), size=200, radius=5)
    assert picture.shape == (200, 200, 3) and picture.dtype == np.uint8
    grey, blue = (centre_of(picture, colour) for colour in COLOURS[:2])
    np.testing.assert_allclose(grey, (50, 125), atol=0.7)
    np.testing.assert_allclose(blue, (150, 25), atol=0.7)


def test_later_groups_lie_over_earlier_ones():
    both = {"a": np.zeros((1, 2)), "b": np.zeros((1, 2))}
    picture = scatter(both, limits=(-1, 1), size=100, radius=5)
    assert not (picture == COLOURS[0]).all(axis=-1).any()
    assert (picture[50, 50] == COLOURS[1]).all()


def test_points_beyond_the_limits_are_not_drawn():
    far = {"a": np.array([[9.0, 9.0], [-9.0, 0.0]])}
    none = {"a": np.zeros((0, 2))}
    np.testing.assert_array_equal(
        scatter(far, limits=(-1, 1)), scatter(none, limits=(-1, 1))
    )


def test_panels_stand_side_by_side_with_common_or_own_limits():
    rng = np.random.default_rng(0)
    panels = {f"panel {i}\nof three": {"a": rng.normal(size=(9, 2))} for i in range(3)}
    page = scatters(panels, limits=(-4, 4), num_columns=2, title="Title", size=64)
    assert margins_are_white(page)
    found = [
        place(page, scatter(groups, limits=(-4, 4), size=64))
        for groups in panels.values()
    ]
    assert found[0][0] == found[1][0] < found[2][0] and found[0][1] == found[2][1]
    # By default all points are inside.
    (groups,) = [{"a": np.array([[0.0, 0.0], [10.0, 10.0]])}]
    page = scatters({"one": groups}, size=64)
    place(page, scatter(groups, limits=(-0.5, 10.5), size=64))


@pytest.mark.parametrize(
    ("groups", "limits", "words"),
    [
        ({}, (-1, 1), "groups must have 1 to 7"),
        ({"a": np.zeros((3, 3))}, (-1, 1), r"groups\['a'\] must have shape \[N, 2\]"),
        ({"a": np.full((3, 2), np.nan)}, (-1, 1), r"groups\['a'\] must be finite"),
        ({"a": np.zeros((3, 2))}, (1, -1), "limits must be increasing"),
    ],
)
def test_what_cannot_be_drawn(groups, limits, words):
    with pytest.raises(ArgumentError, match=words):
        scatter(groups, limits=limits)


def test_panels_that_cannot_be_drawn():
    with pytest.raises(ArgumentError, match="panels must have at least one"):
        scatters({})
