import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, noise, place
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import reconstructions


def test_original_above_reconstruction():
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


def test_errors():
    images = noise(2, 4, 4, 1)
    with pytest.raises(ArgumentError, match="reconstructed must have the shape"):
        reconstructions(images, images[:1])
    with pytest.raises(ArgumentError, match="images must have shape"):
        reconstructions(images[0], images[0])
    with pytest.raises(ArgumentError, match="reconstructed must be uint8, or"):
        reconstructions(images, images.astype(np.float32))
