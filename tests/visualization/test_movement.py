"""What a latent moves, against decoders whose images are known by formula."""

import numpy as np
import pytest

from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.visualization import movement, moves_image, occurring_values

CODES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
VALUES = [np.array([-1.0, 0.5, 1.0])] * 3


def two_pixels(codes):
    """Latent 0 moves one of two pixels by a tenth, latent 1 both, latent 2 none."""
    first = 0.5 + 0.1 * codes[:, 0] + 0.05 * codes[:, 1] ** 2
    second = 0.5 + 0.05 * codes[:, 1] ** 2
    return np.stack([first, second], axis=1)[:, None, :, None]


def test_is_the_mean_range_of_the_pixels():
    found = movement(two_pixels, CODES, VALUES)
    # 0.1 (1 - (-1)) in one of two pixels; 0.05 (1 - 0.25) in both, not from the ends.
    np.testing.assert_allclose(found, [0.1, 0.0375, 0.0], atol=1e-6)


def test_is_the_mean_over_codes():
    def decode(codes):
        """The second latent decides how much the first one moves."""
        image = 0.5 + 0.1 * codes[:, :1] * codes[:, 1:2]
        return image[:, None, None, :]

    codes = np.array([[0, 1], [0, 2], [0, 0]], np.float32)
    found = movement(decode, codes, [np.array([-1.0, 1.0])] * 2)
    np.testing.assert_allclose(found, [0.2 * (1 + 2 + 0) / 3, 0.0], atol=1e-6)


def test_grey_levels_and_floats_agree():
    def as_bytes(codes):
        return np.round(255 * two_pixels(codes)).astype(np.uint8)

    found = movement(as_bytes, CODES, VALUES)
    np.testing.assert_allclose(found, [0.1, 0.0375, 0.0], atol=1 / 255)


def test_values_that_occur():
    rng = np.random.default_rng(1)
    codes = np.stack([rng.uniform(-1, 3, 4000), rng.choice([0, 2], 4000)], axis=1)
    columns = [CodeColumn("z0"), CodeColumn("c0", "categorical", "c", 4)]
    steps, categories = occurring_values(codes, columns, num_steps=3)
    np.testing.assert_allclose(steps, [-0.8, 1.0, 2.8], atol=0.05)
    assert categories.tolist() == [0, 2]


def test_a_latent_that_is_never_encoded_moves_nothing():
    """Its decoder answers to values that no image has."""
    codes = np.stack([np.linspace(-1, 1, 9), np.full(9, 0.2)], axis=1)
    columns = [CodeColumn("z0"), CodeColumn("z1")]

    def decode(codes):
        return (0.5 + 0.1 * codes)[:, None, :, None]

    used, unused = movement(decode, codes, occurring_values(codes, columns))
    assert used > 0.08 and unused == 0
    assert movement(decode, codes, [np.array([-2, 2])] * 2)[1] > 0.1


def test_threshold_is_a_share_of_the_largest_and_a_part_of_a_grey_level():
    assert moves_image([0.1, 0.0051, 0.0049, 0.0]).tolist() == [
        True,
        True,
        False,
        False,
    ]
    levels = np.array([0.3, 0.11, 0.09]) / 255
    assert moves_image(levels).tolist() == [True, True, False]
    assert not moves_image(np.zeros(3)).any()


def test_errors():
    with pytest.raises(ArgumentError, match=r"codes must have shape \[N, L\]"):
        movement(two_pixels, CODES[0], VALUES)
    with pytest.raises(ArgumentError, match="values must have one entry per latent, 3"):
        movement(two_pixels, CODES, VALUES[:2])
    with pytest.raises(ArgumentError, match="return images of shape"):
        movement(lambda codes: codes, CODES, VALUES)
