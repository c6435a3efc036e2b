"""Folders that TensorFlow Datasets prepared."""

import dataclasses
import gzip
import shutil

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.conftest import SHARED
from tests.datasets.published.published_files import make
from tf_disentangle import checks
from tf_disentangle.datasets import published
from tf_disentangle.datasets.files.source import idx
from tf_disentangle.datasets.published import SETS, Preparation, PublishedGrid

# TFDS and its parts are not free of warnings of their own.
pytestmark = pytest.mark.filterwarnings("default")

tfds = pytest.importorskip("tensorflow_datasets")
REAL_MNIST = SHARED / "data" / "mnist-t10k-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))


def store(name, split, arrays, folder, version="9.0.0"):
    """Has TFDS prepare a folder with the features of its builder `name`."""
    import tensorflow as tf

    features = tfds.builder(name).info.features
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        features=features,
        split_datasets={split: tf.data.Dataset.from_tensor_slices(arrays)},
        data_dir=folder,
        disable_shuffling=False,
    )


@pytest.fixture(scope="module")
def dsprites(tmp_path_factory):
    """A tiny dSprites with pixels 0 and 1, shuffled by TFDS."""
    folder = tmp_path_factory.mktemp("dsprites")
    made = make("dsprites", folder / "files")
    factors = made.factors
    arrays = {"image": (made.images > 0).astype(np.uint8)}
    for k, feature in enumerate(SETS["dsprites"].tfds.factors):
        arrays[feature] = factors[:, k]
        arrays[feature.replace("label", "value")] = factors[:, k].astype(np.float32)
    store("dsprites", "train", arrays, folder / "tfds")
    return made, folder / "tfds"


def test_a_grid_is_put_in_order_and_0_and_1_become_0_and_255(dsprites, monkeypatch):
    made, folder = dsprites
    monkeypatch.setitem(SETS, "dsprites", made.row)
    stored = tfds.builder_from_directory(next(folder.rglob("dataset_info.json")).parent)
    plain = np.stack([e["image"] for e in tfds.as_numpy(stored.as_dataset("train"))])
    assert plain.max() == 1
    assert not np.array_equal(255 * plain, made.images), "TFDS has its own order"
    data = published("dsprites", source=folder / "dsprites")
    assert isinstance(data, PublishedGrid)
    assert_array_equal(data.images()[:], made.images)


def test_tfds_own_folder_is_found(dsprites, monkeypatch, tmp_path):
    made, folder = dsprites
    monkeypatch.setitem(SETS, "dsprites", made.row)
    shutil.copytree(folder, tmp_path / "tfds")
    assert_array_equal(published("dsprites").images()[:], made.images)


def test_published_files_give_the_same_array(dsprites, monkeypatch, tmp_path):
    made, folder = dsprites
    monkeypatch.setitem(SETS, "dsprites", made.row)
    first = published("dsprites", source=folder / "dsprites", data_dir=tmp_path / "a")
    files = folder.parent / "files"
    second = published("dsprites", source=files, data_dir=tmp_path / "b")
    assert_array_equal(first.images()[:], second.images()[:])


def test_a_folder_of_another_set(dsprites, tmp_path):
    _, folder = dsprites
    with pytest.raises(checks.ArgumentError, match="TensorFlow Datasets does not have"):
        published("cars3d", source=folder / "dsprites").images()
    with pytest.raises(
        checks.ArgumentError, match="hold shapes3d; received 'dsprites'"
    ):
        published("shapes3d", source=folder / "dsprites").images()
    with pytest.raises(checks.ArgumentError, match="TensorFlow Datasets has no cars3d"):
        Preparation("cars3d", source="tfds", may_download=True).images()


def mnist_files(count):
    """MNIST's real test images, or a few made ones."""
    if REAL_MNIST.exists():
        labels = REAL_MNIST.with_name("mnist-t10k-labels-idx1-ubyte.gz")
        return idx(REAL_MNIST).all()[:count], idx(labels).all()[:count]
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (40, 28, 28), np.uint8), np.arange(40) % 10


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mnist_through_a_folder_that_tfds_prepared(
    tmp_path, monkeypatch, capsys, count
):
    """Prepare a TFDS folder from the idx files, load it by our path, train on it."""
    from tf_disentangle.cli.main import main

    pixels, labels = mnist_files(count)
    row = SETS["mnist"]
    counts = {"train": 60_000, "test": len(pixels)}
    monkeypatch.setitem(SETS, "mnist", dataclasses.replace(row, counts=counts))
    arrays = {"image": pixels[..., np.newaxis], "label": labels.astype(np.int64)}
    store("mnist", "test", arrays, tmp_path / "tfds")
    assert main(["data", "prepare", "mnist", "--split=test"]) == 0, capsys.readouterr()
    data = published("mnist", split="test")
    assert len(data) == len(pixels)
    # The same pairs as in the idx files, in TFDS's order.
    enlarged, digits = (
        row.preprocessing(pixels),
        data.factors_of(range(len(data)))[:, 0],
    )
    pairs = (
        sorted(
            (int(label), image.tobytes()) for label, image in zip(*side, strict=True)
        )
        for side in ((digits, data.images()), (labels, enlarged))
    )
    assert next(pairs) == next(pairs)
    assert not np.array_equal(data.images(), enlarged)
    bindings = [
        "train.data = @published()",
        "published.name = 'mnist'",
        "published.split = 'test'",
        "conv_encoder.width = 8",
        "conv_decoder.width = 8",
        "train.steps = 20",
        "train.batch_size = 8",
        "train.validation_size = 16",
        "train.metrics = []",
        "keras.optimizers.Adam.learning_rate = 1e-3",
        "Intervals.log = 10",
        "Intervals.evaluate = 20",
        "Intervals.save = 20",
        "Intervals.pictures = 20",
    ]
    options = [f"--gin_param={binding}" for binding in bindings]
    output = f"--output={tmp_path / 'run'}"
    code = main(["train", "--gin_file=vae.gin", output, *options])
    assert code == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "pictures" / "reconstructions.png").exists()


@pytest.mark.skipif(not REAL_MNIST.exists(), reason="../shared/data is not there")
def test_the_real_test_images_of_mnist(tmp_path):
    """Counts of each digit as published; the first digits are 7, 2, 1, 0, 4."""
    data = published("mnist", "test", source=SHARED / "data")
    digits = data.factors_of(range(len(data)))[:, 0]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(digits).tolist() == counts
    assert digits[:5].tolist() == [7, 2, 1, 0, 4]
    with gzip.open(REAL_MNIST) as file:
        raw = np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 28, 28)
    # Enlarging keeps the mean grey, but for the border.
    means = data.images().mean(axis=(1, 2, 3))
    assert np.abs(means - raw.mean(axis=(1, 2))).max() < 1.5
