import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, noise, place
from tests.visualization.test_traversals import COLUMNS, Recorder, category
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import (
    reconstructions,
    samples,
    samples_by_category,
)

MIXED = [*COLUMNS[:2], category(4)]


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
        scale = 13
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


class TestSamplesByCategory:
    def test_a_row_for_each_category_a_column_for_each_code(self):
        decode, codes = Recorder(), np.random.default_rng(0).normal(size=(3, 3))
        picture = samples_by_category(decode, codes, 2, MIXED, scale=2)
        at = np.empty((4, 3, 2), int)
        for row in range(4):
            for column, code in enumerate(codes.astype(np.float32)):
                tile = decode.tile([*code[:2], row], 2)
                at[row, column] = place(picture, tile)
        assert (at[:, :, 0] == at[:, :1, 0]).all() and (np.diff(at[:, 0, 0]) > 0).all()
        assert (at[:, :, 1] == at[:1, :, 1]).all() and (np.diff(at[0, :, 1]) > 0).all()
        assert margins_are_white(picture)

    @pytest.mark.parametrize(
        ("codes", "latent", "match"),
        [
            (np.zeros((2, 3)), 0, "latent must be a categorical one.*traversals"),
            (np.zeros((2, 3)), 3, "latent must be below 3"),
            (np.zeros((2, 2)), 2, r"codes must have shape \[N, 3\]"),
        ],
    )
    def test_errors(self, codes, latent, match):
        with pytest.raises(ArgumentError, match=match):
            samples_by_category(Recorder(), codes, latent, MIXED)
