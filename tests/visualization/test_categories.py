"""Samples by category, and images with one latent moved."""

import numpy as np
import pytest

from tests.visualization.pixels import enlarged, margins_are_white, noise, place
from tests.visualization.test_traversals import COLUMNS, Recorder, category
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import (
    edit,
    edits,
    normal_quantiles,
    samples_by_category,
)

MIXED = [*COLUMNS[:2], category(4)]


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


IMAGES = noise(2, 6, 6, 1)
CODES = np.array([[0.1, 0.2, 1.0], [-0.5, 0.7, 3.0]], np.float32)


def encode(images):
    assert np.array_equal(images, IMAGES)
    return CODES


class TestEditing:
    def test_one_latent_is_set_and_the_others_stay(self):
        found = edit(encode, Recorder(), IMAGES, 1, 2.5)
        expected = [Recorder().image([code[0], 2.5, code[2]]) for code in CODES]
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(CODES[:, 1], np.float32([0.2, 0.7]))

    @pytest.mark.parametrize(
        ("latent", "column", "values"),
        [(0, None, normal_quantiles(5)), (2, category(4), range(4))],
    )
    def test_original_reconstruction_and_edits_in_a_row(self, latent, column, values):
        decode = Recorder()
        picture = edits(encode, decode, IMAGES, latent, column=column, scale=2)
        for image, code in zip(IMAGES, CODES, strict=True):
            moved = np.tile(code, (len(values), 1))
            moved[:, latent] = values
            own = moved[:, latent] == code[latent]
            at = [place(picture, enlarged(image, 2))]
            at += [place(picture, decode.tile(c, 2)) for c in moved[~own]]
            assert len({y for y, _ in at}) == 1
            assert [x for _, x in at] == sorted({x for _, x in at})
        assert margins_are_white(picture)

    def test_errors(self):
        with pytest.raises(ArgumentError, match="latent must be below 3"):
            edits(encode, Recorder(), IMAGES, 3)
