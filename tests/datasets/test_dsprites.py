"""Our dSprites against its formulas pixel by pixel, and against published images."""

import itertools
import pathlib
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tf_disentangle import checks, datasets
from tf_disentangle.datasets import dsprites

DATA = datasets.DSprites()
IMAGES = DATA.images()
# 150 images of the published file, their factors unknown, beside the repository.
FRAMES = pathlib.Path(__file__).parents[3] / "shared" / "golden" / "dsprites_frames.npz"
SQUARE, ELLIPSE, HEART = range(3)
LARGEST = 5


def white(*factors):
    """Pixels [64, 64] of one image."""
    return DATA.render(np.array([factors]))[0, ..., 0] > 0


def size(pixels):
    """Height and width of what is white."""
    return tuple(np.ptp(np.flatnonzero(pixels.any(axis))) + 1 for axis in (1, 0))


def drawn_slowly(shape, scale, orientation, x, y):
    """One image, each midpoint turned back and tested by the shape's own inequality."""
    scale = np.linspace(0.5, 1, 6)[scale]
    angle = np.linspace(0, 2 * np.pi, 40)[orientation]
    centre_x, centre_y = 16 + 32 * np.linspace(0, 1, 32)[[x, y]]
    right, down = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    turned = (right - centre_x + 1j * (down - centre_y)) * np.exp(-1j * angle) / scale
    u, v = turned.real, turned.imag
    if shape == SQUARE:
        return np.maximum(abs(u), abs(v)) <= 9.6
    if shape == ELLIPSE:
        return (u / 12.77) ** 2 + (v / 7.21) ** 2 <= 1
    # By the winding number about each midpoint of a much finer curve than is drawn.
    t = np.linspace(0, 2 * np.pi, 3001)
    height = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    curve = 9.6 * np.sin(t) ** 3 + 1j * (-1.44 - 19.2 / 29 * height)
    near = abs(turned) < 13
    seen = curve - turned[near][:, np.newaxis]
    turns = np.angle(seen[:, 1:] / seen[:, :-1]).sum(axis=1)
    inside = np.zeros((64, 64), bool)
    inside[near] = abs(turns) > np.pi
    return inside


@pytest.mark.parametrize("shape", [SQUARE, ELLIPSE, HEART])
def test_every_pixel_is_that_of_the_formulas(shape):
    factors = DATA.sample_factors(60, np.random.default_rng(shape))
    factors[:, 0] = shape
    factors[:5, 1:3] = [[0, 0], [LARGEST, 0], [0, 39], [LARGEST, 39], [LARGEST, 10]]
    images = DATA.render(factors)[..., 0]
    assert set(np.unique(images)) == {0, 255}
    wrong = [
        (drawn_slowly(*f) != (i > 0)).sum()
        for f, i in zip(factors, images, strict=True)
    ]
    # Curves have 200 vertices, which cut off a fiftieth of a pixel at most.
    assert sum(wrong) == 0 if shape == SQUARE else sum(wrong) <= 3


def test_published_order_and_values():
    indices = np.random.default_rng(0).integers(len(DATA), size=50)
    every = itertools.product(
        [1.0],
        [1.0, 2.0, 3.0],
        np.linspace(0.5, 1, 6),
        np.linspace(0, 2 * np.pi, 40),
        np.linspace(0, 1, 32),
        np.linspace(0, 1, 32),
    )
    table = np.array(list(every))
    assert len(table) == len(DATA) == 737_280
    factors = DATA.factors_of(indices)
    assert_array_equal(DATA.values(factors), table[indices])
    assert_array_equal(DATA.render(factors), IMAGES[indices])
    assert tuple(DATA.factor_values) == ("color", *DATA.factor_names)


@pytest.mark.parametrize("scale", range(6))
def test_sizes_that_were_measured_on_published_images(scale):
    side = (10, 12, 14, 16, 18, 20)[scale]
    assert size(white(SQUARE, scale, 0, 0, 0)) == (side, side)
    assert white(SQUARE, scale, 0, 0, 0).sum() == side**2
    ellipse = ((8, 12), (8, 16), (10, 18), (12, 20), (12, 22), (14, 26))[scale]
    assert size(white(ELLIPSE, scale, 0, 0, 0)) == ellipse
    assert size(white(HEART, LARGEST, 0, 0, 0)) == (17, 20)


def test_factors_move_what_they_are_named_after():
    def centre(*factors):
        return np.argwhere(white(*factors)).mean(axis=0) + 0.5

    for shape in (SQUARE, ELLIPSE):
        assert_array_equal(centre(shape, LARGEST, 7, 0, 0), (16, 16))
        assert_array_equal(centre(shape, LARGEST, 7, 31, 0), (16, 48))
        assert_array_equal(centre(shape, LARGEST, 7, 0, 31), (48, 16))
    # The tip of the heart points down, and then, turning clockwise, to the left.
    lowest = np.argwhere(white(HEART, LARGEST, 0, 0, 0))[-1]
    assert abs(lowest[1] + 0.5 - 16) < 1
    leftmost = np.argwhere(white(HEART, LARGEST, 10, 0, 0).T)[0]
    assert abs(leftmost[1] + 0.5 - 16) < 2


def test_nothing_touches_the_border():
    corners = itertools.product(range(3), [LARGEST], range(40), [0, 31], [0, 31])
    images = DATA.render(np.array(list(corners)))
    edges = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not edges.any()
    assert not images[:, [0, 1, -2, -1]].any()
    assert not images[:, :, [0, 1, -2, -1]].any()


def test_which_images_are_equal():
    every = np.array(list(itertools.product(range(3), range(6), range(40), [4], [9])))
    images = np.packbits(DATA.render(every)[..., 0] > 0, axis=2).reshape(3, 6, 40, -1)
    assert_array_equal(images[:, :, 0], images[:, :, 39])
    apart = {SQUARE: set(), ELLIPSE: set(), HEART: set()}
    for shape, scale, i in np.ndindex(3, 6, 39):
        for j in range(i):
            if (images[shape, scale, i] == images[shape, scale, j]).all():
                apart[shape].add(min(i - j, 39 - i + j))
    assert apart[SQUARE] <= {1, 9, 10, 19}
    assert apart[ELLIPSE] <= {19}
    assert apart[HEART] == set()
    # No other factor makes equal images.
    assert len(np.unique(images[:, :, 0].reshape(18, -1), axis=0)) == 18


def test_small_in_memory_and_in_a_pickle():
    assert sum(table.nbytes for table in IMAGES.tables) < 25e6
    assert len(pickle.dumps(DATA)) < 1000
    assert len(pickle.dumps(IMAGES)) < 1000
    assert_array_equal(pickle.loads(pickle.dumps(IMAGES))[:3], IMAGES[:3])
    with pytest.raises(ValueError, match="read-only"):
        IMAGES.tables[0][0] = 0


def test_wrong_factors_have_no_values():
    with pytest.raises(checks.ArgumentError, match=r"factors\[:, 2\] \(orientation\)"):
        DATA.values(np.array([[0, 0, 40, 0, 0]]))


def overlap(frame, indices):
    """Intersection over union of a frame [64, 64] with each image."""
    images = IMAGES[indices][..., 0] > 0
    return (images & frame).sum((1, 2)) / (images | frame).sum((1, 2))


def best_overlap(frame, offsets):
    """Of the image nearest to a frame: all sprites by their centroid, then around."""
    place = (np.argwhere(frame).mean(axis=0) + 0.5 - 16 - offsets) * 31 / 32
    y, x = np.clip(np.round(place), 0, 31).astype(int).T
    indices = np.arange(720) * 1024 + 32 * x + y
    likely = indices[np.argsort(overlap(frame, indices))[-4:]]
    steps = np.array([32 * dx + dy for dx in (-1, 0, 1) for dy in (-1, 0, 1)])
    around = (likely[:, np.newaxis] + steps).ravel()
    around = around[(around >= 0) & (around < len(IMAGES))]
    found = overlap(frame, around)
    return found.max(), around[found.argmax()]


@pytest.mark.skipif(not FRAMES.exists(), reason=f"no published images at {FRAMES}")
def test_published_images_are_in_the_grid():
    frames = np.load(FRAMES)["images"] > 0
    assert frames.shape == (150, 64, 64)
    sprites = IMAGES[np.arange(720) * 1024][..., 0] > 0
    offsets = [np.argwhere(sprite).mean(axis=0) + 0.5 - 16 for sprite in sprites]
    best = [best_overlap(frame, np.array(offsets)) for frame in frames]
    overlaps = np.array([value for value, _ in best])
    shapes = DATA.factors_of(np.array([index for _, index in best]))[:, 0]
    assert overlaps.mean() > 0.999
    assert overlaps.min() > 0.985
    for shape, count in ((SQUARE, 23), (ELLIPSE, 25), (HEART, 102)):
        assert (shapes == shape).sum() == count
        assert overlaps[shapes == shape].mean() > 0.999


def test_outlines_fit_between_the_centres_and_the_lattice():
    for outline in dsprites.outlines():
        assert np.hypot(*outline.T).max() < 14 - 1 / 31


def test_it_is_the_prepared_set_by_its_factors_and_shape():
    row = datasets.SETS["dsprites"]
    assert dict(zip(DATA.factor_names, DATA.factor_sizes, strict=True)) == row.factors
    assert DATA.image_shape == row.preprocessing.image_shape
    assert row.counts == {"all": len(DATA)}
