"""Rooms3D: the composition, and that each factor moves what it is named after."""

import colorsys

import numpy as np
import pytest

from tf_disentangle.datasets import Rooms3D, rooms3d

ROOMS = Rooms3D()
FLOOR, WALL, OBJECT, HIGHLIGHT = range(4)


@pytest.fixture(scope="module")
def tables():
    """Weights by scale, shape, orientation, row, column and surface."""
    return rooms3d._weights().reshape(8, 4, 15, 64, 64, 4)


def test_pixels_are_the_documented_sums(tables):
    factors = ROOMS.sample_factors(6, np.random.default_rng(0))
    images = ROOMS.render(factors).astype(int)
    rng = np.random.default_rng(1)
    for image, (*hues, scale, shape, turn) in zip(images, factors, strict=True):
        colours = [colorsys.hsv_to_rgb(hue / 10, 0.8, 1) for hue in hues]
        colours = [[round(255 * value) for value in c] for c in [*colours, (1, 1, 1)]]
        for row, column, channel in rng.integers([64, 64, 3], size=(300, 3)):
            weights = tables[scale, shape, turn, row, column].astype(int).tolist()
            sums = sum(w * c[channel] for w, c in zip(weights, colours, strict=True))
            assert image[row, column, channel] == (sums + 128) // 256


def test_sums_are_exact_and_do_not_overflow(tables):
    np.testing.assert_array_equal(tables, np.rint(tables))
    assert tables.min() >= 0
    assert tables.sum(axis=-1).max() <= 256
    # And no pixel is dark, whatever its colours: a fifth of a hue is its least value.
    assert tables.sum(axis=-1).min() > 40


def test_all_tables_differ(tables):
    assert len(np.unique(tables.reshape(480, -1), axis=0)) == 480


def test_every_surface_is_seen_in_every_image(tables):
    seen = (tables > 64).sum(axis=(3, 4))
    assert seen[..., [FLOOR, WALL]].min() > 500
    assert seen[..., OBJECT].min() > 100


@pytest.mark.parametrize(("first", "second"), [(0, 1), (0, 2), (1, 2)])
def test_hues_colour_different_pixels(first, second):
    factors = ROOMS.sample_factors(30, np.random.default_rng(2))
    before, places = ROOMS.render(factors).astype(int), []
    for k in (first, second):
        changed = factors.copy()
        changed[:, k] = (changed[:, k] + 5) % 10
        differs = np.abs(ROOMS.render(changed) - before).max(axis=-1) > 20
        assert differs.mean(axis=(1, 2)).min() > 0.01
        places.append(differs)
    # Only along the edges, where a pixel shows two surfaces.
    shared = (places[0] & places[1]).sum()
    assert shared < 0.3 * min(place.sum() for place in places)


def test_objects_grow_with_the_scale(tables):
    areas = (tables[..., OBJECT] > 0).sum(axis=(3, 4))
    assert (np.diff(areas, axis=0) > 0).all()
    # As the square of the scale, in perspective a little more.
    ratio = areas[-1] / areas[0]
    assert (ratio > (1.25 / 0.75) ** 2 * 0.9).all()
    assert (ratio < (1.25 / 0.75) ** 2 * 1.5).all()


def test_the_room_turns_with_the_orientation(tables):
    # A sphere is the same from everywhere: the corner of the room moves to the left.
    walls = tables[4, 2, :, 2, :, WALL]
    corners = np.abs(np.diff(walls, axis=1)).argmax(axis=1)
    assert (np.diff(corners) < 0).all()
    assert corners[0] > 45 and corners[-1] < 18
    assert abs(corners[7] - 31.5) < 3


def test_edges_are_soft(tables):
    border = (tables[..., OBJECT] > 0) & (tables[..., [FLOOR, WALL]].sum(axis=-1) > 0)
    assert border.sum(axis=(3, 4)).min() > 20


def test_few_images_or_many_are_the_same():
    images = ROOMS.images()
    indices = np.random.default_rng(4).integers(len(images), size=33)
    singles = np.stack([images[i] for i in indices])
    np.testing.assert_array_equal(images[indices], singles)
    assert images.shape == (480_000, 64, 64, 3)
