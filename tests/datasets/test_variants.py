"""The nuisance, read back from the images, against the study's definitions."""

import zlib

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from tests.datasets.tiny import Tiny
from tf_disentangle import checks, configs
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import (
    Colored,
    Noisy,
    OnBackground,
    Pinwheel,
    Subset,
    variants,
)
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.datasets.variants import texture

VARIANTS = [Colored, Noisy, OnBackground]
TINY = Tiny()


class Flat(Grid):
    """Images of one grey value, or of one colour: the value is the factor."""

    factor_names = ("value", "other")
    factor_sizes = (256, 2)

    def __init__(self, channels=1):
        self.image_shape = (8, 8, channels)

    def images(self):
        return self.render(self.factors_of(range(len(self))))

    def render(self, factors, rng=None):
        self.index_of(factors)
        values = factors[:, :1] + np.zeros(self.image_shape[2], int)
        values[:, -1] = (values[:, -1] + factors[:, 1]) % 256
        images = np.empty((len(factors), *self.image_shape), np.uint8)
        images[:] = values[:, None, None]
        return images


class Unnumbered(Tiny):
    """A set that does not know the factors of its images."""

    traits = frozenset()


def rendered(data, rng):
    """(images of the wrapped set, the same with a nuisance drawn by `render`)."""
    factors = data.sample_factors(2000, rng)
    return data.dataset.render(factors), data.render(factors, rng)


def numbered(data, rng):
    """(images of the wrapped set, the same training images), under several seeds."""
    sets = [type(data)(data.dataset, seed=seed) for seed in range(34)]
    some = [rng.permutation(len(data)) for _ in sets]
    base = data.dataset.images()[np.concatenate(some)]
    pairs = zip(sets, some, strict=True)
    return base, np.concatenate([each.images()[which] for each, which in pairs])


WAYS = pytest.mark.parametrize("way", [rendered, numbered])


class TestColored:
    @WAYS
    def test_white_is_one_colour_in_the_upper_half_and_black_stays(self, way):
        base, images = way(Colored(TINY), np.random.default_rng(0))
        assert_array_equal(images[base[..., 0] == 0], 0)
        colours = images.max(axis=(1, 2))
        white = images[base[..., 0] == 255]
        per_image = (base[..., 0] == 255).sum(axis=(1, 2))
        assert_array_equal(white, colours.repeat(per_image, axis=0))
        for channel in (colours.T + 0.0) / 255:
            assert stats.kstest(channel, stats.uniform(0.5, 0.5).cdf).pvalue > 1e-3
        correlations = np.corrcoef(colours.T)[np.triu_indices(3, 1)]
        assert np.abs(correlations).max() < 5 / np.sqrt(len(colours))

    def test_grey_and_rgb_are_multiplied(self):
        for channels in (1, 3):
            data = Colored(Flat(channels))
            white, some = np.array([[255, 0]]), np.array([[77, 1]])
            colour = data.render(white, np.random.default_rng(3)) / 255
            image = data.render(some, np.random.default_rng(3))
            expected = data.dataset.render(some) * colour
            np.testing.assert_allclose(image, expected, atol=1)


class TestNoisy:
    @WAYS
    def test_black_is_uniform_noise_and_white_stays(self, way):
        base, images = way(Noisy(TINY), np.random.default_rng(0))
        assert_array_equal(images[base[..., 0] == 255], 255)
        noise = images[base[..., 0] == 0]
        for channel in noise.T:
            counts = np.bincount(channel, minlength=256)
            assert stats.chisquare(counts).pvalue > 1e-3
        correlations = np.corrcoef(noise.T)[np.triu_indices(3, 1)]
        assert np.abs(correlations).max() < 5 / np.sqrt(len(noise))

    @pytest.mark.parametrize("channels", [1, 3])
    def test_sums_are_cut_at_white(self, channels):
        data = Noisy(Flat(channels))
        factors = np.tile([[100, 0]], (400, 1))
        images = data.render(factors, np.random.default_rng(0))
        counts = np.bincount(images.ravel(), minlength=256)
        assert counts[:100].sum() == 0
        # 100, ..., 254 once each, and the 101 larger sums.
        expected = np.array([*[1 / 256] * 155, 101 / 256]) * images.size
        assert stats.chisquare(counts[100:], expected).pvalue > 1e-3


class TestOnBackground:
    PICTURE = np.random.default_rng(8).integers(256, size=(18, 20, 3), dtype=np.uint8)

    @pytest.mark.parametrize("which", ["render", "images"])
    def test_images_are_shifted_patches_inverted_at_the_shapes(self, which):
        data = OnBackground(TINY, self.PICTURE)
        factors = TINY.factors_of(range(60))
        if which == "render":
            images = data.render(factors, np.random.default_rng(0))
        else:
            images = data.images()[:]
        places, shifts = [], []
        for base, image in zip(TINY.images(), images, strict=True):
            # The background, as b = (patch + shift) / 2.
            behind = np.where(base == 255, 255 - image.astype(int), image)
            for row, column in np.ndindex(3, 5):
                patch = self.PICTURE[row : row + 16, column : column + 16]
                shift = 2 * behind - patch
                # Rounded by half, so twice it by one, to either side.
                if np.ptp(shift, axis=(0, 1)).max() <= 2:
                    places.append((row, column))
                    shifts.append(np.median(shift, axis=(0, 1)))
        assert len(places) == 60, "each image fits one place"
        assert {row for row, _ in places} == {0, 1, 2}
        assert {column for _, column in places} == {0, 1, 2, 3, 4}
        shifts = np.stack(shifts)
        assert shifts.min() >= -1 and shifts.max() <= 256
        for channel in shifts.T:
            assert stats.kstest(channel / 255, stats.uniform.cdf).pvalue > 1e-3

    @pytest.mark.parametrize("channels", [1, 3])
    def test_grey_is_between(self, channels):
        data = OnBackground(Flat(channels), self.PICTURE)
        black, some, white = (
            data.render(np.array([[value, 0]]), np.random.default_rng(4)).astype(float)
            for value in (0, 100, 255)
        )
        np.testing.assert_allclose(some, black + 100 / 255 * (white - black), atol=1)

    def test_pictures_from_files_and_large_ones(self, tmp_path):
        path = tmp_path / "picture.png"
        cv2.imwrite(str(path), self.PICTURE[..., ::-1])
        for given in (path, str(path)):
            data = OnBackground(TINY, given)
            assert_array_equal(data.background, self.PICTURE)
        large = texture(600, 700)
        assert OnBackground(TINY, large).background.shape == (274, 320, 3)
        assert OnBackground(TINY, large[:, :100]).background.shape[0] == 274
        shown = OnBackground(TINY).background
        assert shown.shape == (274, 350, 3)
        # Patches show something: values vary within most of them.
        assert np.median([shown[y : y + 64, :64].std() for y in range(0, 200, 20)]) > 25

    def test_the_picture_is_the_sets_own(self):
        picture = self.PICTURE.copy()
        data = OnBackground(TINY, picture)
        before = data.images()[:5]
        picture[:] = 0
        assert_array_equal(data.images()[:5], before)

    def test_wrong_pictures(self, tmp_path):
        text = tmp_path / "text.png"
        text.write_text("no image")
        for wrong, words in [
            (str(tmp_path / "nothing.png"), "readable image file"),
            (str(text), "readable image file"),
            (self.PICTURE[:15], "at least as large as the images, 16 x 16"),
            (self.PICTURE[..., :1], r"shape \[h, w, 3\]"),
        ]:
            with pytest.raises(ArgumentError, match=words):
                OnBackground(TINY, wrong)
        with pytest.raises(checks.ArgumentTypeError, match="uint8"):
            OnBackground(TINY, self.PICTURE / 255)


@pytest.mark.parametrize("variant", VARIANTS)
def test_nuisance_is_a_function_of_seed_and_number(variant):
    data = variant(TINY, seed=5)
    images = data.images()[:]
    assert_array_equal(variant(Tiny(), seed=5).images()[:], images)
    assert (variant(TINY, seed=6).images()[:] != images).any(axis=(1, 2, 3)).all()
    # Of one grey value no two images have the same nuisance.
    flat = Subset(Flat(), np.full(50, 200))
    assert len(np.unique(variant(flat).images()[:], axis=0)) == 50


def test_training_images_are_pinned():
    # Whoever trained on a set gets the same images from later versions.
    sets = [
        Colored(TINY, 1),
        Noisy(TINY, 1),
        OnBackground(TINY, TestOnBackground.PICTURE, 1),
    ]
    found = [zlib.crc32(data.images()[:].tobytes()) for data in sets]
    assert found == [769224530, 1413984499, 371888115]


def test_variants_wrap_variants_and_say_what_they_are():
    data = Colored(Noisy(TINY))
    assert data.image_shape == (16, 16, 3)
    assert data.traits - TINY.traits == {"stochastic_images"}
    images = data.images()[:]
    assert_array_equal(images, data.images()[:])
    # Noise first, and then the colour on top: nothing is brighter than it.
    colours = images.max(axis=(1, 2))
    assert (colours.min(axis=0) < 160).all() and colours.max() > 240


def test_another_picture_under_the_same_name_is_told_apart(tmp_path):
    path = str(tmp_path / "picture.png")
    cv2.imwrite(path, np.full((40, 40, 3), 9, np.uint8))
    record = configs.serialize(OnBackground(TINY, path))
    again = configs.deserialize(record)
    assert_array_equal(again.images()[:3], OnBackground(TINY, path).images()[:3])
    cv2.imwrite(path, np.full((40, 40, 3), 10, np.uint8))
    with pytest.raises(configs.CannotRebuildError, match="changed since"):
        configs.deserialize(record)


def test_what_cannot_be_wrapped():
    with pytest.raises(ArgumentError, match="not vectors"):
        Noisy(Pinwheel())
    for wrong in (Tiny, None, TINY.images()):
        with pytest.raises(ArgumentError, match="dataset must be a data set"):
            Colored(wrong)
    with pytest.raises(ArgumentError, match="seed"):
        Colored(TINY, seed=2**64)


def test_a_variant_knows_of_factors_what_the_wrapped_set_does():
    indices = np.array([3, 59])
    data = Noisy(Colored(TINY))
    assert_array_equal(data.factors_of(indices), TINY.factors_of(indices))
    assert "known_rows" in data.traits
    assert "known_rows" not in Colored(Unnumbered()).traits


def test_blocks_do_not_show():
    # As many images as fit no block, against one at a time.
    for variant in VARIANTS:
        data = variant(TINY)
        images = data.images()
        singles = np.stack([images[i] for i in range(2 * variants._BLOCK + 1)])
        assert_array_equal(images[: len(singles)], singles)
