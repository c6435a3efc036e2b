import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, noise, place, places
from tests.visualization.test_traversals import Recorder, category
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.visualization import (
    attribute_editing,
    interpolation,
    normal_quantiles,
)

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


class TestInterpolation:
    FIRST, LAST = noise(2, 6, 6, 1), noise(2, 6, 6, 1, seed=1)
    ENDS = np.float32([[0.0, 2.0, 1.0], [1.0, -2.0, 0.0]])

    def encode(self, images):
        is_first = np.array_equal(images, self.FIRST)
        return self.ENDS if is_first else self.ENDS[::-1]

    def test_codes_are_on_the_line_and_categories_change_half_way(self):
        decode = Recorder()
        columns = [CodeColumn("z0"), CodeColumn("z1"), category(2)]
        picture = interpolation(
            self.encode,
            decode,
            self.FIRST,
            self.LAST,
            num_steps=5,
            columns=columns,
            scale=2,
        )
        # Row 0 by hand: z0 from 0 to 1, z1 from 2 to -2, c0 from 1 to 0.
        way = [[0, 2, 1], [0.25, 1, 1], [0.5, 0, 0], [0.75, -1, 0], [1, -2, 0]]
        at = [place(picture, enlarged(self.FIRST[0], 2))]
        # Both rows pass through the same middle code but for the category.
        for code in way:
            found = places(picture, decode.tile(np.float32(code), 2))
            at.append(next((y, x) for y, x in found if y == at[0][0]))
        at.append(place(picture, enlarged(self.LAST[0], 2)))
        assert len({y for y, _ in at}) == 1
        assert [x for _, x in at] == sorted({x for _, x in at})

    def test_mistakes(self):
        with pytest.raises(ArgumentError, match="last must have the shape of first"):
            interpolation(self.encode, Recorder(), self.FIRST, self.LAST[:1])
        with pytest.raises(ArgumentError, match="num_steps must be at least 2"):
            interpolation(self.encode, Recorder(), self.FIRST, self.LAST, num_steps=1)
        columns = [CodeColumn("z0")]
        with pytest.raises(ArgumentError, match="columns must have one entry per lat"):
            interpolation(
                self.encode, Recorder(), self.FIRST, self.LAST, columns=columns
            )
