"""Planes of two latents: which code is decoded where."""

import numpy as np
import pytest

from tests.visualization.pixels import margins_are_white, place
from tests.visualization.test_traversals import CODE, Recorder, category
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.visualization import plane

STEPS = [-1.0, 0.5, 2.0]


def places_of(picture, decode, across, down, right, below):
    """(y, x) of the tile of each pair of values, [R, C, 2]."""
    found = np.zeros((len(below), len(right), 2), int)
    for row, low in enumerate(below):
        for column, value in enumerate(right):
            code = CODE.copy()
            code[across], code[down] = value, low
            found[row, column] = place(picture, decode.tile(code, 2))
    return found


def test_values_grow_to_the_right_and_upwards():
    decode = Recorder()
    picture = plane(decode, CODE, 2, 0, values=STEPS, scale=2)
    at = places_of(picture, decode, 2, 0, STEPS, STEPS[::-1])
    assert (np.diff(at[..., 0], axis=0) > 0).all() and not np.ptp(at[..., 0], 1).any()
    assert (np.diff(at[..., 1], axis=1) > 0).all() and not np.ptp(at[..., 1], 0).any()
    assert margins_are_white(picture)


def test_each_latent_may_have_its_own_steps():
    decode = Recorder()
    values = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    picture = plane(decode, CODE, 1, 2, values=values, scale=2)
    places_of(picture, decode, 1, 2, [2.0, 3.0], [5.0, 4.0])


def test_a_row_for_each_category_while_a_latent_moves():
    decode = Recorder()
    columns = [CodeColumn("z0"), CodeColumn("z1"), category(4)]
    picture = plane(decode, CODE, 0, 2, values=STEPS, columns=columns, scale=2)
    at = places_of(picture, decode, 0, 2, STEPS, range(4))
    assert (np.diff(at[..., 0], axis=0) > 0).all(), "from the first downwards"
    texts = [text.text for text in picture.texts]
    assert texts[:4] == ["z0", "-1.0", "0.5", "2.0"]
    assert texts[4:] == [f"c0 = {k}" for k in range(4)]


@pytest.mark.parametrize(
    ("across", "down", "options", "words"),
    [
        (3, 0, {}, "across must be below 3"),
        (1, 1, {}, "down must be another latent than across"),
        (0, 1, {"values": np.zeros((2, 3))}, r"values must have shape \[S\] or \[3, S"),
        (0, 1, {"columns": [CodeColumn("z0")]}, "columns must have one entry"),
    ],
)
def test_mistakes(across, down, options, words):
    with pytest.raises(ArgumentError, match=words):
        plane(Recorder(), CODE, across, down, **options)
