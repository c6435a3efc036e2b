"""Any `tf.data.Dataset` as a data set."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tf_disentangle import checks
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import from_tf_data

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)


@pytest.fixture
def tf():
    import tensorflow as tf

    return tf


@pytest.mark.parametrize("batch", [None, 7])
def test_images_alone(tf, batch):
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES)
    data = from_tf_data(dataset.batch(batch) if batch else dataset)
    assert_array_equal(data.images(), IMAGES)


@pytest.mark.parametrize("batch", [None, 7])
def test_grey_floats_with_one_label_each(tf, batch):
    arrays = {"image": np.float32(IMAGES[..., 0] / 255), "label": np.arange(20) % 4}
    for elements, names in ((tuple(arrays.values()), ()), (arrays, ("label",))):
        dataset = tf.data.Dataset.from_tensor_slices(elements)
        data = from_tf_data(dataset.batch(batch) if batch else dataset, factors=names)
        assert_array_equal(data.images(), IMAGES[..., :1])
        assert_array_equal(data.factors_of(range(20))[:, 0], arrays["label"])


def test_what_cannot_be_taken(tf):
    dataset = tf.data.Dataset.from_tensor_slices(IMAGES)
    with pytest.raises(ArgumentError, match="be finite"):
        from_tf_data(dataset.repeat())
    with pytest.raises(ArgumentError, match="not be empty"):
        from_tf_data(dataset.take(0))
    with pytest.raises(checks.ArgumentTypeError, match=r"tf\.data\.Dataset"):
        from_tf_data(IMAGES)
    keyed = tf.data.Dataset.from_tensor_slices({"picture": IMAGES})
    with pytest.raises(ArgumentError, match="no image in picture"):
        from_tf_data(keyed)


def sliced(tf, *arrays, batch=None):
    dataset = tf.data.Dataset.from_tensor_slices(arrays)
    return dataset.batch(batch) if batch else dataset


FACTORS = np.stack([np.arange(20) % 4, np.arange(20) % 5], axis=1)


@pytest.mark.parametrize("batch", [None, 7])
@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., 0]], ids=["rgb", "grey"])
@pytest.mark.parametrize("width", [1, 2])
def test_a_vector_of_factors(tf, batch, images, width):
    factors = FACTORS[:, :width]
    names = ["hue", "side"][:width]
    pairs = sliced(tf, images, factors, batch=batch)
    keyed = tf.data.Dataset.from_tensor_slices({"image": images, "v": factors})
    keyed = keyed.batch(batch) if batch else keyed
    parts = ["v"] if width == 1 else ["v_0", "v_1"]
    for dataset, keys, expected in ((pairs, names, names), (keyed, ["v"], parts)):
        data = from_tf_data(dataset, factors=keys)
        assert len(data) == 20
        assert data.factor_names == tuple(expected)
        assert_array_equal(data.factors_of(range(len(data))), factors)
        stack = images if images.ndim == 4 else images[..., np.newaxis]
        assert_array_equal(data.images(), stack)


@pytest.mark.parametrize("batch", [5, 7])
def test_grey_batches_without_labels(tf, batch):
    data = from_tf_data(tf.data.Dataset.from_tensor_slices(IMAGES[..., 0]).batch(batch))
    assert_array_equal(data.images(), IMAGES[..., :1])


def test_what_an_element_is_can_be_said(tf):
    many = np.zeros((20, 6, 8, 9), np.uint8)  # nine channels
    many[..., 0] = 255
    labels = np.arange(20) % 4
    match = r"taken for a batch.*Give batched=False"
    with pytest.raises(ArgumentError, match=match):
        from_tf_data(sliced(tf, many, labels))
    data = from_tf_data(sliced(tf, many, labels), batched=False)
    assert data.image_shape == (6, 8, 9)
    narrow = np.full((20, 32, 4), 9, np.uint8)  # a batch of images 32 x 4
    dataset = tf.data.Dataset.from_tensor_slices(narrow).batch(20)
    assert len(from_tf_data(dataset)) == 1
    assert from_tf_data(dataset, batched=True).image_shape == (32, 4, 1)
    match = r"beside images \[7, 32, 32, 3\]"
    with pytest.raises(ArgumentError, match=match) as e:
        from_tf_data(sliced(tf, IMAGES, IMAGES[:, 0], batch=7))
    assert "Give batched" not in str(e.value)
    with pytest.raises(ArgumentError, match=r"images \[h, w\].*one image"):
        from_tf_data(tf.data.Dataset.from_tensor_slices(IMAGES[0, 0]))


def test_columns_keep_their_types(tf):
    keyed = {
        "image": IMAGES,
        "count": (np.arange(20) % 2) * 8 + 2,
        "shape": np.array(["round", "square"] * 10),
    }
    dataset = tf.data.Dataset.from_tensor_slices(keyed)
    for each in (dataset, dataset.batch(7)):
        data = from_tf_data(each, factors=["shape", "count"])
        assert [v.tolist() for v in data.factor_values] == [
            ["round", "square"],
            [2, 10],
        ]


def test_bytes_of_0_and_1_ask_what_is_white(tf):
    """As TensorFlow Datasets has dsprites."""
    binary = (IMAGES > 127).astype(np.uint8)
    dataset = tf.data.Dataset.from_tensor_slices({"image": binary})
    with pytest.raises(ArgumentError, match="Give white=1"):
        from_tf_data(dataset)
    data = from_tf_data(dataset, white=1)
    assert_array_equal(data.images(), 255 * binary)
    assert from_tf_data(dataset, white=255).images().max() == 1


def test_one_dark_image_among_others(tf):
    images = IMAGES.copy()
    images[3] = images[3] > 127
    data = from_tf_data(tf.data.Dataset.from_tensor_slices(images))
    assert_array_equal(data.images(), images)


def test_a_pixel_out_of_range_in_a_late_element(tf):
    images = IMAGES / np.float32(255)
    images[-1, 0, 0, 0] = 1.5
    with pytest.raises(ArgumentError, match=r"pixels in \[0, 1\].*1\.5"):
        from_tf_data(tf.data.Dataset.from_tensor_slices(images))


def test_elements_that_would_lose_something(tf):
    label = np.arange(20) % 4
    with pytest.raises(ArgumentError, match="tuples of 3"):
        from_tf_data(sliced(tf, IMAGES, label, label))
    with pytest.raises(ArgumentError, match="factors must be left out"):
        from_tf_data(sliced(tf, IMAGES), factors=["hue"])
    assert len(from_tf_data(sliced(tf, IMAGES))) == 20  # a tuple of one
    nested = tf.data.Dataset.from_tensor_slices((IMAGES, (label, label)))
    with pytest.raises(ArgumentError, match="an array for the factors"):
        from_tf_data(nested)
    with pytest.raises(ArgumentError, match=r"factors must have \[\] or \[K\]"):
        from_tf_data(sliced(tf, IMAGES, IMAGES[:, 0]))
