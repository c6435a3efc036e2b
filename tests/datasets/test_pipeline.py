"""Stateless batches and resident images."""

import gc
import pathlib
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from tf_disentangle import checks
from tf_disentangle.datasets import pipeline

IMAGES = np.random.default_rng(0).integers(0, 256, (500, 8, 8, 1)).astype(np.uint8)


def batches(num_steps, *, n=100, batch_size=16, seed=0, **options):
    made = pipeline.index_batches(
        np.arange(n), batch_size, seed, num_steps=num_steps, **options
    )
    return np.stack(list(made.as_numpy_iterator()))


def test_split():
    train, validation = pipeline.split_indices(1000, 200, seed=3)
    assert (len(train), len(validation)) == (800, 200)
    assert train.dtype == validation.dtype == np.int64
    np.testing.assert_array_equal(
        np.sort(np.concatenate([train, validation])), np.arange(1000)
    )
    np.testing.assert_array_equal(pipeline.split_indices(1000, 200, 3)[1], validation)
    assert set(pipeline.split_indices(1000, 200, 4)[1]) != set(validation)
    assert len(pipeline.split_indices(1000, 0, 0)[1]) == 0


def test_split_takes_every_image_equally_often():
    counts = np.zeros(50)
    for seed in range(1000):
        counts[pipeline.split_indices(50, 10, seed)[1]] += 1
    # Without replacement within a split, so the variance is below the multinomial's.
    assert stats.chi2.sf(np.sum((counts - 200) ** 2 / (200 * 0.8)), 49) > 1e-4


@pytest.mark.parametrize("size", [1000, 1001, -1])
def test_wrong_split(size):
    with pytest.raises(checks.ArgumentError, match="validation_size"):
        pipeline.split_indices(1000, size, 0)


def test_element_spec():
    made = pipeline.index_batches(np.arange(100), 16, 0)
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
    made = pipeline.index_batches(indices, 3, 0, num_steps=4)
    for batch in made.as_numpy_iterator():
        np.testing.assert_array_equal(np.sort(batch), indices)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"batch_size": 101}, ValueError, "at most the number of images, 100"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**63}, ValueError, "seed must be less than 2"),
        ({"first_step": -1}, ValueError, "first_step"),
        ({"num_steps": -1}, ValueError, "num_steps"),
        ({"indices": np.zeros((2, 2), int)}, ValueError, r"have shape \[n\]"),
        ({"indices": np.zeros(0, int)}, ValueError, "not be empty"),
        ({"indices": np.array([-1])}, ValueError, "indices must be at least 0"),
        ({"indices": np.zeros(3)}, TypeError, "indices must be integers"),
    ],
)
def test_wrong_arguments(arguments, error, text):
    given = {"indices": np.arange(100), "batch_size": 10, "seed": 0} | arguments
    with pytest.raises(error, match=text):
        pipeline.index_batches(**given)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_resident_images_gather_in_a_function(jit_compile):
    resident = pipeline.ResidentImages(IMAGES)
    gather = tf.function(resident.__call__, jit_compile=jit_compile)
    indices = tf.constant([3, 499, 0, 3], tf.int64)
    np.testing.assert_array_equal(gather(indices), IMAGES[indices.numpy()])
    np.testing.assert_array_equal(resident(indices), IMAGES[indices.numpy()])
    assert len(resident) == 500
    assert resident.shape == IMAGES.shape
    # The function takes the images as an input and holds no constant of them.
    graph = gather.get_concrete_function(indices).graph.as_graph_def()
    assert graph.ByteSize() < IMAGES.nbytes / 4


@pytest.mark.parametrize("offset", range(0, 64, 7))
def test_any_alignment(offset):
    buffer = np.empty(IMAGES.nbytes + 64, np.uint8)
    images = buffer[offset : offset + IMAGES.nbytes].reshape(IMAGES.shape)
    images[...] = IMAGES
    resident = pipeline.ResidentImages(images)
    np.testing.assert_array_equal(resident(tf.range(500)), IMAGES)


def test_any_strides():
    images = IMAGES[::-2, :, ::2]
    resident = pipeline.ResidentImages(images)
    np.testing.assert_array_equal(resident(tf.range(len(images))), images)


def test_a_memory_map_is_shared_and_kept_alive(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    address = images.ctypes.data
    resident = pipeline.ResidentImages(images)
    (copy,) = resident._copies
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("shared on the CPU only")
    assert np.frombuffer(copy, np.uint8).ctypes.data == address
    gather = tf.function(resident.__call__)
    gather(tf.constant([0]))
    del images, resident, copy
    gc.collect()
    np.testing.assert_array_equal(gather(tf.constant([7])), IMAGES[[7]])


class Holder(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.resident = pipeline.ResidentImages(IMAGES)

    def call(self, indices):
        x = tf.cast(self.resident(indices), tf.float32)
        return self.dense(tf.reshape(x, [-1, 64]) / 255)


# Keras 3.15's save_weights under numpy 2.4.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_images_land_in_no_checkpoint(tmp_path):
    model = Holder()
    model(tf.constant([1, 2]))
    assert len(model.variables) == 2
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    saved = tf.train.list_variables(path)
    assert all("resident" not in name for name, _ in saved)
    model.save_weights(tmp_path / "model.weights.h5")
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) < IMAGES.nbytes


@pytest.mark.parametrize(
    ("images", "error"),
    [
        (IMAGES[0], ValueError),
        (IMAGES.astype(np.float32), TypeError),
        (IMAGES[:0], ValueError),
    ],
)
def test_wrong_images(images, error):
    with pytest.raises(error, match="images must"):
        pipeline.ResidentImages(images)


def test_vectors_are_gathered_as_they_are():
    vectors = np.random.default_rng(0).normal(size=(50, 1, 1, 3)).astype(np.float32)
    resident = pipeline.ResidentImages(vectors)
    gathered = resident(tf.constant([3, 0, 49], tf.int64))
    assert gathered.dtype == tf.float32
    np.testing.assert_array_equal(gathered, vectors[[3, 0, 49]])
    with pytest.raises(checks.ArgumentTypeError, match="dtype float32"):
        pipeline.ResidentImages(vectors.astype(np.float64))


def test_wrong_devices():
    with pytest.raises(checks.ArgumentError, match="devices must"):
        pipeline.ResidentImages(IMAGES, devices=[])


def test_replicas_gather_their_share():
    """In a process of its own: two CPU devices are set before TensorFlow starts."""
    code = """
    import numpy as np
    import tensorflow as tf
    from tf_disentangle.datasets import pipeline

    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    images = np.arange(4000).astype(np.uint8).reshape(1000, 2, 2, 1)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        inside = pipeline.ResidentImages(images)
    assert len(inside.devices) == 2
    outside = pipeline.ResidentImages(images)
    indices = pipeline.index_batches(np.arange(1000), 10, 0, num_steps=30)
    for resident in (inside, outside):

        @tf.function
        def step(batch):
            return strategy.run(resident, args=(batch,))

        shared = strategy.experimental_distribute_dataset(indices)
        for whole, batch in zip(indices, shared, strict=True):
            parts = strategy.experimental_local_results(step(batch))
            assert [len(part) for part in parts] == [5, 5]
            gathered = np.concatenate([part.numpy() for part in parts])
            np.testing.assert_array_equal(gathered, images[whole.numpy()])
    """
    root = pathlib.Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
