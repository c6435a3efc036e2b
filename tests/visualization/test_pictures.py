"""Reconstructions, samples and covariances: the claim of each, pixel by pixel."""

import subprocess
import sys

import numpy as np
import pytest
from tf_disentangle.visualization.heatmap import diverging, heat_map

from tests.visualization.pixels import enlarged, margins_are_white, noise, place, places
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import covariances, reconstructions, samples


class TestReconstructions:
    def test_original_above_reconstruction(self):
        images, reconstructed = noise(5, 6, 6, 1), noise(5, 6, 6, 1, seed=1)
        picture = reconstructions(
            images, reconstructed / 255, num_columns=3, scale=2, title="Both"
        )
        above = np.array([place(picture, enlarged(x, 2)) for x in images])
        below = np.array([place(picture, enlarged(x, 2)) for x in reconstructed])
        np.testing.assert_array_equal(above[:, 1], below[:, 1])
        gap = below[0, 0] - above[0, 0]
        assert gap >= 12
        assert np.all(below[:, 0] - above[:, 0] == gap)
        # Three pairs, then two in the next band, farther away than a pair's halves.
        assert len(set(above[:3, 0])) == len(set(above[3:, 0])) == 1
        assert above[3, 0] - below[0, 0] > gap
        assert above[3, 1] == above[0, 1]
        assert margins_are_white(picture)

    def test_errors(self):
        images = noise(2, 4, 4, 1)
        with pytest.raises(ArgumentError, match="reconstructed must have the shape"):
            reconstructions(images, images[:1])
        with pytest.raises(ArgumentError, match="images must have shape"):
            reconstructions(images[0], images[0])
        with pytest.raises(ArgumentError, match="reconstructed must be uint8, or"):
            reconstructions(images, images.astype(np.float32))


class TestSamples:
    def test_groups_side_by_side_in_order(self):
        first, second = noise(6, 5, 5, 3), noise(3, 5, 5, 3, seed=1)
        picture = samples({"hierarchical": first, "N(0, I)": second}, num_columns=2)
        scale = 20
        left = np.array([place(picture, enlarged(x, scale)) for x in first])
        right = np.array([place(picture, enlarged(x, scale)) for x in second])
        assert left[:, 1].max() + 5 * scale < right[:, 1].min()
        # Row-major in each group, and the groups' rows are level.
        assert [left[0, 0], left[2, 0], left[4, 0]] == sorted(set(left[:, 0]))
        np.testing.assert_array_equal(right[:, 0], left[:3, 0])
        assert margins_are_white(picture)

    def test_errors(self):
        with pytest.raises(ArgumentError, match="at least one entry"):
            samples({})
        with pytest.raises(ArgumentError, match="one height and width"):
            samples({"a": noise(1, 4, 4, 1), "b": noise(1, 5, 4, 1)})
        with pytest.raises(ArgumentError, match=r"groups\['a'\] must have shape"):
            samples({"a": noise(4, 4, 1)})


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
        assert len(places(covariances(matrices, limit=1e4), cells)) == 1

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

    def test_all_zero(self):
        covariances({"zero": np.zeros((3, 3))})

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
        with pytest.raises(ArgumentError, match="limit must be greater than 0"):
            covariances({"a": np.eye(2)}, limit=0.0)


class TestHeatMap:
    def test_colours_diverge_from_zero(self):
        low, zero, high = diverging(np.array([-1.0, 0.0, 1.0])).astype(int)
        assert low[2] > low[0] and high[0] > high[2]
        assert zero.min() > 240
        np.testing.assert_array_equal(diverging(np.array([7.0])), [high])

    def test_bar_runs_from_limit_down_to_minus_limit(self):
        picture = heat_map(np.zeros((4, 4)), limit=2.0, cell=20)
        ramp = diverging(np.linspace(1, -1, 80))[:, np.newaxis]
        assert places(picture, ramp.repeat(12, axis=1))


def test_import_leaves_models_and_tensorflow_alone():
    code = (
        "import sys, tf_disentangle.visualization\n"
        "unwanted = {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)\n"
        "unwanted |= {m for m in sys.modules if m == 'tf_disentangle.models'}\n"
        "sys.exit(str(unwanted) if unwanted else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
