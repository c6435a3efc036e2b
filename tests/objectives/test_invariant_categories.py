"""What categories lack, and the views in which they should stay the same."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage, special, stats

from tests.objectives.one_batch import inference_of
from tf_disentangle import checks
from tf_disentangle.latents import CategoricalLatents, GaussianLatents
from tf_disentangle.objectives import InvariantCategories, RandomAffine

SEED = tf.constant([1, 2])


def one_hot(values, size):
    return tf.one_hot(values, size)


def test_beside_scipy():
    """Information and divergence one by one, in float64."""
    rng = np.random.default_rng(1)
    latents = CategoricalLatents([3, 5])
    raw, changed = rng.normal(size=(2, 50, 8)).astype("float32")
    inference = inference_of(latents, tf.constant(raw))
    posterior = latents.posterior(tf.constant(changed))
    inference = inference._replace(reencode=lambda change: posterior)
    lacking = changing = uneven = 0.0
    for part in (slice(0, 3), slice(3, 8)):
        both = (x[:, part].astype(float) for x in (raw, changed))
        p, q = (special.softmax(x, axis=1) for x in both)
        used, size = p.mean(axis=0), p.shape[1]
        lacking += np.log(size) - np.mean([stats.entropy(row, used) for row in p])
        changing += stats.entropy(p, q, axis=1).mean()
        uneven += stats.entropy(used, np.full(size, 1 / size))
    for mu in (1.0, 4.0):
        actual = InvariantCategories(3.0, mu)(inference)
        expected = 3.0 * (lacking + changing + (mu - 1.0) * uneven)
        assert float(actual) == pytest.approx(expected, rel=1e-5)


def test_the_images_are_changed_by_the_views_with_the_step_s_seed():
    latents, asked = CategoricalLatents([4]), []
    inference = inference_of(latents, tf.zeros([6, 4]))

    def reencode(change):
        asked.append(change(tf.ones([6, 2, 2, 1])))
        return inference.posterior

    penalty = InvariantCategories(views=lambda images, seed: images * seed[0])
    penalty(inference._replace(reencode=reencode, seed=tf.constant([7.0, 1.0])))
    np.testing.assert_array_equal(asked[0], np.full((6, 2, 2, 1), 7.0))


def penalty_of(own, others, size=4, weight=3.0):
    """Of values, certain, of images and their views."""
    latents = CategoricalLatents([size])
    posterior = latents.posterior(1000.0 * one_hot(others, size))
    inference = inference_of(latents, 1000.0 * one_hot(own, size))
    inference = inference._replace(reencode=lambda change: posterior)
    return float(InvariantCategories(weight)(inference))


def test_limits():
    values = np.arange(40) % 4
    # Certain, even, unchanged; one value for all; two values in place of four.
    assert penalty_of(values, values) == pytest.approx(0.0, abs=1e-4)
    one = penalty_of(0 * values, 0 * values)
    assert one == pytest.approx(4 * 3 * math.log(4), rel=1e-4)
    half = penalty_of(values % 2, values % 2)
    assert half == pytest.approx(4 * 3 * math.log(2), rel=1e-4)
    # A value that changes costs much more than one that is not used.
    assert penalty_of(values, values[::-1]) > 30


def test_categories_grow_from_near_nothing_where_views_agree_and_only_there():
    """The gradient at nearly uniform ones: what is unlike its view is worn away."""
    latents = CategoricalLatents([4])
    rng = np.random.default_rng(0)
    raw = tf.constant(0.01 * rng.normal(size=(200, 4)), tf.float32)

    def growth(others):
        with tf.GradientTape() as tape:
            tape.watch(raw)
            inference = inference_of(latents, raw)
            again = latents.posterior(others(raw))
            penalty = InvariantCategories()(
                inference._replace(reencode=lambda change: again)
            )
        return -float(tf.reduce_sum(raw * tape.gradient(penalty, raw)))

    assert growth(lambda raw: raw) > 0
    assert growth(lambda raw: -raw) < 0


def test_a_view_that_is_certainly_another_value_has_a_gradient():
    latents = CategoricalLatents([2])
    own = tf.constant([[40.0, 0.0], [0.0, 40.0]])
    raw = own[::-1]
    with tf.GradientTape() as tape:
        tape.watch(raw)
        other = latents.posterior(raw)
        inference = inference_of(latents, own)
        penalty = InvariantCategories(1.0)(
            inference._replace(reencode=lambda change: other)
        )
    expected = [[0.5, -0.5], [-0.5, 0.5]]  # That of a cross entropy on logits.
    np.testing.assert_allclose(-tape.gradient(penalty, raw), expected, rtol=1e-5)


def test_latents_without_categories_and_inferences_without_images():
    continuous = GaussianLatents(2)
    assert float(InvariantCategories()(inference_of(continuous, tf.zeros([4, 4])))) == 0
    categories = CategoricalLatents([4])
    with pytest.raises(checks.ArgumentError, match="reencode must be there"):
        InvariantCategories()(inference_of(categories, tf.zeros([4, 4])))


def test_a_view_is_the_image_at_the_points_of_its_map():
    """Beside scipy's linear interpolation, with the pixels of the edges beyond them."""
    views = RandomAffine(rotation=0.5, scale=0.3, shear=0.4, shift=0.2)
    images = np.random.default_rng(0).uniform(size=(3, 8, 12, 2)).astype("float32")
    actual = views(tf.constant(images), SEED).numpy()
    matrices, shifts = (part.numpy() for part in views.maps(3, SEED))
    y, x = np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 12), indexing="ij")
    for image, matrix, shift, found in zip(
        images, matrices, shifts, actual, strict=True
    ):
        points = np.stack([x, y], axis=-1) @ matrix.T + shift
        rows, columns = (points[..., 1] + 1) * 3.5, (points[..., 0] + 1) * 5.5
        for channel in range(2):
            expected = ndimage.map_coordinates(
                image[..., channel], [rows, columns], order=1, mode="nearest"
            )
            np.testing.assert_allclose(found[..., channel], expected, atol=1e-5)


def test_views_of_no_strength_are_the_images_and_others_differ_by_seed():
    images = tf.random.stateless_uniform([2, 6, 6, 1], SEED)
    still = RandomAffine(rotation=0, scale=0, shear=0, shift=0)
    np.testing.assert_allclose(still(images, SEED), images, atol=1e-6)
    moved = RandomAffine()
    first, second = moved(images, SEED), moved(images, SEED + 1)
    assert np.abs(first - images).max() > 0.01
    assert np.abs(first - second).max() > 0.01
    compiled = tf.function(moved, jit_compile=True)(images, SEED)
    assert compiled.shape == images.shape


def test_drawn_maps_keep_their_bounds():
    """Of 2,000: determinants and angles as far as they may go, and nearly so far."""
    views = RandomAffine(rotation=0.3, scale=0.2, shear=0.0, shift=0.1)
    matrices, shifts = (part.numpy() for part in views.maps(2000, SEED))
    scales = np.linalg.norm(matrices, axis=2)
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 1, 1])
    for values, most in ((scales - 1, 0.2), (angles, 0.3), (shifts, 0.2)):
        assert 0.98 * most < np.abs(values).max() <= most + 1e-5
        assert abs(values.mean()) < 0.05 * most


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InvariantCategories(-1.0), "weight must be at least 0"),
        (lambda: InvariantCategories(evenness=0.5), "evenness must be at least 1"),
        (lambda: InvariantCategories(views=3), "views must map images"),
        (lambda: RandomAffine(scale=1.0), "scale must be at most 0.9"),
        (lambda: RandomAffine(shift=-0.1), "shift must be at least 0"),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(checks.ArgumentError, match=message):
        make()
