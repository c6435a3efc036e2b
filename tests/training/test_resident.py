"""Images held on the device, gathered and decoded there."""

import gc
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks, datasets
from tf_disentangle.training import resident
from tf_disentangle.training.resident import ResidentImages

IMAGES = np.random.default_rng(0).integers(0, 256, (500, 8, 8, 1)).astype(np.uint8)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_resident_images_gather_in_a_function(jit_compile):
    held = ResidentImages(IMAGES)
    gather = tf.function(held.__call__, jit_compile=jit_compile)
    indices = tf.constant([3, 499, 0, 3], tf.int64)
    np.testing.assert_array_equal(gather(indices), IMAGES[indices.numpy()])
    np.testing.assert_array_equal(held(indices), IMAGES[indices.numpy()])
    assert len(held) == 500
    assert held.shape == IMAGES.shape
    # The function takes the images as an input and holds no constant of them.
    graph = gather.get_concrete_function(indices).graph.as_graph_def()
    assert graph.ByteSize() < IMAGES.nbytes / 4


@pytest.mark.parametrize("offset", range(0, 64, 7))
def test_any_alignment(offset):
    buffer = np.empty(IMAGES.nbytes + 64, np.uint8)
    images = buffer[offset : offset + IMAGES.nbytes].reshape(IMAGES.shape)
    images[...] = IMAGES
    held = ResidentImages(images)
    np.testing.assert_array_equal(held(tf.range(500)), IMAGES)


def test_any_strides():
    images = IMAGES[::-2, :, ::2]
    held = ResidentImages(images)
    np.testing.assert_array_equal(held(tf.range(len(images))), images)


def test_a_memory_map_is_shared_and_kept_alive(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    address = images.ctypes.data
    held = ResidentImages(images)
    ((copy,),) = held._copies
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("shared on the CPU only")
    assert np.frombuffer(copy, np.uint8).ctypes.data == address
    gather = tf.function(held.__call__)
    gather(tf.constant([0]))
    del images, held, copy
    gc.collect(1)  # Of all that a worker of the suite holds it takes ten seconds.
    np.testing.assert_array_equal(gather(tf.constant([7])), IMAGES[[7]])


class Holder(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.held = ResidentImages(IMAGES)

    def call(self, indices):
        x = tf.cast(self.held(indices), tf.float32)
        return self.dense(tf.reshape(x, [-1, 64]) / 255)


# Keras 3.15's save_weights under numpy 2.4.
def test_images_land_in_no_checkpoint(tmp_path):
    model = Holder()
    model(tf.constant([1, 2]))
    assert len(model.variables) == 2
    path = tf.train.Checkpoint(model=model).write(str(tmp_path / "checkpoint"))
    saved = tf.train.list_variables(path)
    assert all("held" not in name for name, _ in saved)
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
        ResidentImages(images)


def test_vectors_are_gathered_as_they_are():
    vectors = np.random.default_rng(0).normal(size=(50, 1, 1, 3)).astype(np.float32)
    held = ResidentImages(vectors)
    gathered = held(tf.constant([3, 0, 49], tf.int64))
    assert gathered.dtype == tf.float32
    np.testing.assert_array_equal(gathered, vectors[[3, 0, 49]])
    with pytest.raises(checks.ArgumentTypeError, match="dtype float32"):
        ResidentImages(vectors.astype(np.float64))


def test_wrong_devices():
    with pytest.raises(checks.ArgumentError, match="devices must"):
        ResidentImages(IMAGES, devices=[])


# test_loop.py trains on two devices, with images that lie on them.
@pytest.mark.slow
def test_replicas_gather_their_share(warm):
    """In a process of its own: two CPU devices are set before TensorFlow starts."""
    code = """
    import numpy as np
    import tensorflow as tf
    from tf_disentangle.training import input_pipeline
    from tf_disentangle.training.resident import ResidentImages

    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    images = np.arange(4000).astype(np.uint8).reshape(1000, 2, 2, 1)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        inside = ResidentImages(images)
    assert len(inside.devices) == 2
    outside = ResidentImages(images)
    indices = input_pipeline.index_batches(np.arange(1000), 10, 0, num_steps=6)
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
    done = warm.run(textwrap.dedent(code))
    assert done.returncode == 0, done.stderr


PACKED = datasets.PackedImages(datasets.pack(IMAGES > 127), (8, 8, 1))
SPRITES = datasets.DSprites().images()


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("images", [PACKED, SPRITES], ids=["packed", "sprites"])
def test_binary_images_are_decoded_in_a_function(images, jit_compile):
    held = ResidentImages(images)
    gather = tf.function(held.__call__, jit_compile=jit_compile)
    chosen = np.random.default_rng(0).integers(len(images), size=64)
    for indices in (tf.constant(chosen), tf.constant(chosen, tf.int32)):
        batch = gather(indices)
        assert batch.dtype == tf.uint8
        np.testing.assert_array_equal(batch, images[chosen])
    assert len(held) == len(images)
    assert held.shape == images.shape
    graph = gather.get_concrete_function(tf.constant(chosen)).graph.as_graph_def()
    assert graph.ByteSize() < 30_000


def test_what_would_be_held(monkeypatch):
    for images, num_bytes in ((IMAGES, 32_000), (PACKED, 4_000), (SPRITES, 30e6)):
        monkeypatch.setattr(resident, "device_bytes", lambda size=num_bytes: 2 * size)
        assert resident.may_reside(images)
    monkeypatch.setattr(resident, "device_bytes", lambda: 7_999)
    assert not resident.may_reside(IMAGES) and not resident.may_reside(PACKED)
    assert not resident.may_reside([IMAGES])


def test_a_limit_of_the_shell_counts():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert resident.available_bytes() > 1e8
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    try:
        assert resident.available_bytes() <= 1 << 40
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
