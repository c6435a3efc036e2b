"""Stateless batches."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tf_disentangle import checks
from tf_disentangle.training import input_pipeline


def batches(num_steps, *, n=100, batch_size=16, seed=0, **options):
    made = input_pipeline.index_batches(
        np.arange(n), batch_size, seed, num_steps=num_steps, **options
    )
    return np.stack(list(made.as_numpy_iterator()))


def test_split():
    train, validation = input_pipeline.split_indices(1000, 200, seed=3)
    assert (len(train), len(validation)) == (800, 200)
    assert train.dtype == validation.dtype == np.int64
    np.testing.assert_array_equal(
        np.sort(np.concatenate([train, validation])), np.arange(1000)
    )
    np.testing.assert_array_equal(
        input_pipeline.split_indices(1000, 200, 3)[1], validation
    )
    assert set(input_pipeline.split_indices(1000, 200, 4)[1]) != set(validation)
    assert len(input_pipeline.split_indices(1000, 0, 0)[1]) == 0


def test_split_takes_every_image_equally_often():
    counts = np.zeros(50)
    for seed in range(1000):
        counts[input_pipeline.split_indices(50, 10, seed)[1]] += 1
    # Without replacement within a split, so the variance is below the multinomial's.
    assert stats.chi2.sf(np.sum((counts - 200) ** 2 / (200 * 0.8)), 49) > 1e-4


@pytest.mark.parametrize("size", [1000, 1001, -1])
def test_wrong_split(size):
    with pytest.raises(checks.ArgumentError, match="validation_size"):
        input_pipeline.split_indices(1000, size, 0)


def test_element_spec():
    made = input_pipeline.index_batches(np.arange(100), 16, 0)
    assert made.element_spec == tf.TensorSpec([16], tf.int64)
    assert made.cardinality() == tf.data.INFINITE_CARDINALITY


@pytest.mark.parametrize("with_replacement", [False, True])
def test_starting_later_goes_on_exactly(with_replacement):
    whole = batches(50, with_replacement=with_replacement)
    for k in (0, 1, 6, 7, 33):
        rest = batches(50 - k, first_step=k, with_replacement=with_replacement)
        np.testing.assert_array_equal(rest, whole[k:])


def test_starting_very_late():
    last = batches(3, first_step=10**12)
    assert ((last >= 0) & (last < 100)).all()
    assert len(np.unique(last)) > 30


@pytest.mark.parametrize(("n", "batch_size"), [(100, 16), (100, 100), (7, 3), (1, 1)])
def test_every_index_once_per_epoch(n, batch_size):
    flat = batches(n, n=n, batch_size=batch_size).ravel()
    for epoch in flat.reshape(batch_size, n):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(n))


def test_epochs_and_seeds_have_their_own_order():
    orders = batches(20, batch_size=100)
    assert len({tuple(order) for order in orders}) == 20
    other = batches(20, batch_size=100, seed=1)
    assert not (orders == other).all(axis=1).any()
    # Every bit of the seed counts.
    high = batches(20, batch_size=100, seed=2**40)
    assert not (orders == high).all(axis=1).any()


def test_orders_of_successive_epochs_are_unrelated():
    num_epochs, n = 2000, 60
    orders = batches(num_epochs, n=n, batch_size=n)
    p_values = []
    for place in range(0, n, 5):
        counts = np.bincount(orders[:, place], minlength=n)
        p_values.append(stats.chisquare(counts).pvalue)
    assert min(p_values) > 1e-4
    standard_error = 1 / np.sqrt(num_epochs * n)
    r = np.corrcoef(orders[:-1].ravel(), orders[1:].ravel())[0, 1]
    assert abs(r) < 5 * standard_error
    # Neighbours in a random order of n have correlation -1 / (n - 1).
    r = np.corrcoef(orders[:, :-1].ravel(), orders[:, 1:].ravel())[0, 1]
    assert abs(r + 1 / (n - 1)) < 5 * standard_error


def test_with_replacement_is_uniform():
    drawn = batches(1000, batch_size=50, with_replacement=True)
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=100)).pvalue > 1e-4
    # A batch repeats indices, as independent draws do: P(no repeat) is 1e-7.
    assert all(len(np.unique(batch)) < 50 for batch in drawn)
    other = batches(1000, batch_size=50, seed=1, with_replacement=True)
    assert (drawn == other).mean() == pytest.approx(0.01, abs=0.003)


def test_the_given_indices_are_drawn():
    indices = np.array([5, 50, 500])
    made = input_pipeline.index_batches(indices, 3, 0, num_steps=4)
    for batch in made.as_numpy_iterator():
        np.testing.assert_array_equal(np.sort(batch), indices)


class Squares:
    """An image array that is no numpy array: image i has the value i."""

    shape = (200, 4, 4, 1)
    dtype = np.dtype(np.uint8)

    def __len__(self):
        return 200

    def __getitem__(self, key):
        values = np.arange(200, dtype=np.uint8)[key]
        return np.broadcast_to(values[:, None, None, None], (len(values), 4, 4, 1))


def test_streamed_images_are_those_of_the_indices():
    indices = input_pipeline.index_batches(np.arange(200), 16, 3, num_steps=40)
    made = input_pipeline.streamed(indices, Squares())
    assert made.element_spec == tf.TensorSpec([16, 4, 4, 1], tf.uint8)
    batches = list(made.as_numpy_iterator())
    for wanted, batch in zip(indices.as_numpy_iterator(), batches, strict=True):
        np.testing.assert_array_equal(batch, Squares()[wanted])


def test_streaming_from_a_step_goes_on_exactly():
    def stream(first_step):
        indices = input_pipeline.index_batches(
            np.arange(200), 16, 3, first_step=first_step, num_steps=30 - first_step
        )
        return list(input_pipeline.streamed(indices, Squares()).as_numpy_iterator())

    np.testing.assert_array_equal(stream(11), stream(0)[11:])


def test_an_error_of_the_image_array_is_told():
    class Broken(Squares):
        def __getitem__(self, key):
            raise OSError("the disk is gone")

    indices = input_pipeline.index_batches(np.arange(200), 16, 3, num_steps=2)
    with pytest.raises(tf.errors.OpError, match="the disk is gone"):
        list(input_pipeline.streamed(indices, Broken()))


def test_vectors_are_streamed():
    vectors = np.random.default_rng(0).normal(size=(50, 1, 1, 3)).astype(np.float32)
    indices = input_pipeline.index_batches(np.arange(50), 5, 0, num_steps=2)
    batches = input_pipeline.streamed(indices, vectors).as_numpy_iterator()
    for wanted, batch in zip(indices.as_numpy_iterator(), batches, strict=True):
        np.testing.assert_array_equal(batch, vectors[wanted])
