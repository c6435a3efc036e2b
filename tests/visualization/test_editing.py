import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, noise, place
from tests.visualization.test_traversals import Recorder, category
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import attribute_editing, normal_quantiles

IMAGES = noise(2, 6, 6, 1)
CODES = np.array([[0.1, 0.2, 1.0], [-0.5, 0.7, 3.0]], np.float32)


def encode(images):
    assert np.array_equal(images, IMAGES)
    return CODES


@pytest.mark.parametrize(
    ("latent", "column", "values"),
    [(0, None, normal_quantiles(5)), (2, category(4), range(4))],
)
def test_original_reconstruction_and_edits_in_a_row(latent, column, values):
    decode = Recorder()
    picture = attribute_editing(encode, decode, IMAGES, latent, column=column, scale=2)
    for image, code in zip(IMAGES, CODES, strict=True):
        moved = np.tile(code, (len(values), 1))
        moved[:, latent] = values
        own = moved[:, latent] == code[latent]
        at = [place(picture, enlarged(image, 2))]
        at += [place(picture, decode.tile(c, 2)) for c in moved[~own]]
        assert len({y for y, _ in at}) == 1
        assert [x for _, x in at] == sorted({x for _, x in at})
    assert margins_are_white(picture)
    np.testing.assert_array_equal(CODES[:, 1], np.float32([0.2, 0.7]))


def test_no_such_latent():
    with pytest.raises(ArgumentError, match="latent must be below 3"):
        attribute_editing(encode, Recorder(), IMAGES, 3)
