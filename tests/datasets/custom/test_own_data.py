"""Own images and vectors as people bring them: read, or refused with a remedy."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from tf_disentangle import configs
from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import (
    ImageFile,
    ImageFolder,
    ImageTable,
    Noisy,
    from_tf_data,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    def write(**sizes):
        (tmp_path / "mine").mkdir()
        for name, size in sizes.items():
            pixels = np.full((*size, 3), 200, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / name.replace("_", "."))
        return tmp_path / "mine"

    return write


# ---- Pixels.


@pytest.mark.parametrize(
    ("images", "white", "remedy", "mended"),
    [
        (IMAGES / 127.5 - 1, None, r"\(x \+ 1\) / 2", (lambda x: (x + 1) / 2, 1)),
        (
            IMAGES / 50 - 2.5,
            None,
            r"\(x - x.min\(\)\) / \(x.max\(\) - x.min\(\)\)",
            (lambda x: (x - x.min()) / (x.max() - x.min()), 1),
        ),
        (IMAGES.astype(float), None, "Give white=255", (np.array, 255)),
        (np.uint16(IMAGES) * 257, None, "Give white=65535", (np.array, 65535)),
        (np.uint16(IMAGES) * 257, 1, "Give white=65535", (np.array, 65535)),
    ],
)
def test_remedies_give_all_of_the_image(tmp_path, images, white, remedy, mended):
    np.save(tmp_path / "a.npy", images)
    with pytest.raises(ArgumentError, match=remedy) as error:
        ImageFile(tmp_path / "a.npy", white=white)
    assert "clip" not in str(error.value)
    change, white = mended
    np.save(tmp_path / "a.npy", change(images))
    data = ImageFile(tmp_path / "a.npy", white=white)
    assert_array_equal(data.images(), IMAGES)


def test_the_image_with_nan_is_named(tmp_path):
    images = IMAGES / 255
    images[13, 2, 2, 0] = np.nan
    np.save(tmp_path / "a.npy", images)
    match = r"infinity in image 13'.*nan_to_num"
    with pytest.raises(ArgumentError, match=match):
        ImageFile(tmp_path / "a.npy")


@pytest.mark.parametrize("kind", ["array", "file", "tf.data", "tf.data in batches"])
def test_channels_first_are_refused_with_the_remedy(tmp_path, kind):
    first = np.moveaxis(IMAGES, -1, 1)
    with pytest.raises(ArgumentError, match=r"numpy.moveaxis\(images, -3, -1\)"):
        if kind == "array":
            ImageTable(first)
        elif kind == "file":
            np.save(tmp_path / "a.npy", first)
            ImageFile(tmp_path / "a.npy")
        else:
            import tensorflow as tf

            data = tf.data.Dataset.from_tensor_slices(first)
            from_tf_data(data if kind == "tf.data" else data.batch(5))


def test_a_list_of_images():
    assert_array_equal(ImageTable(list(IMAGES)).images(), IMAGES)
    grey = ImageTable(list(IMAGES[..., 0])).images()
    assert_array_equal(grey, IMAGES[..., :1])
    with pytest.raises(ArgumentError, match=r"be of one shape.*Resize them"):
        ImageTable([IMAGES[0], IMAGES[0, :8]])


# ---- Vectors.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["a.npy", "a.npz", None])
def test_vectors(tmp_path, dtype, name):
    vectors = np.random.default_rng(0).standard_normal((30, 5)).astype(dtype)
    if name is None:
        data = ImageTable(vectors, {"k": np.arange(30) % 3})
    else:
        save = np.save if name == "a.npy" else lambda p, x: np.savez(p, images=x)
        save(tmp_path / name, vectors)
        np.save(tmp_path / "k.npy", np.arange(30) % 3)
        data = ImageFile(tmp_path / name, factors=tmp_path / "k.npy")
    assert data.image_shape == (1, 1, 5)
    assert {"vectors", "known_rows", "indexed_images"} <= data.traits
    assert data.images().dtype == np.float32
    np.testing.assert_allclose(data.images()[:, 0, 0], vectors, rtol=1e-6)


def test_numbers_that_are_no_vectors(tmp_path):
    with pytest.raises(ArgumentError, match="be finite"):
        ImageTable(np.full((3, 5), np.nan))
    with pytest.raises(ArgumentError, match=r"or vectors, floats \[n, D\]"):
        ImageTable(np.zeros((3, 5), np.uint8))
    np.save(tmp_path / "a.npy", np.ones((3, 5)))
    with pytest.raises(ArgumentError, match="size must be left out for vectors"):
        ImageFile(tmp_path / "a.npy", size=32)


# ---- Files.


def test_what_is_there_is_told_where_there_is_nothing_to_read(folder):
    path = folder(a_png=(8, 8))
    (path / "a.png").rename(path / "a.heic")
    for k in range(3):
        np.save(path / f"{k}.npy", IMAGES[0])
    with pytest.raises(ArgumentError, match=r"received '3 .npy, 1 .heic'") as e:
        ImageFolder(path)
    assert ".png, .jpg, .jpeg, .jfif" in str(e.value)


def test_jfif_and_linked_folders_are_read(folder, tmp_path):
    path = folder(a_jpg=(8, 8), b_png=(8, 8))
    (path / "a.jpg").rename(path / "a.jfif")
    (tmp_path / "linking").mkdir()
    (tmp_path / "linking" / "there").symlink_to(path)
    (path / "back").symlink_to(tmp_path / "linking")  # no end of links
    assert len(ImageFolder(tmp_path / "linking", size=8)) == 2


def test_edges_are_cut_with_a_word_or_kept(folder, caplog):
    path = folder(a_png=(40, 20), b_png=(20, 20))
    cut = ImageFolder(path, size=20)
    assert "1 of 2 images are not square" in caplog.text
    assert "crop='pad'" in caplog.text
    assert (cut.images() == 200).all()
    caplog.clear()
    padded = ImageFolder(path, size=40, crop="pad").images()
    assert not caplog.text
    assert (padded[0, :, 10:30] == 200).all()
    assert (padded[0, :, :10] == 0).all() and (padded[0, :, 30:] == 0).all()
    ImageFolder(path, size=10, crop=20)
    assert not caplog.text


def test_tables_in_memory_beside_files(folder, tmp_path):
    path = folder(a_png=(8, 8), b_png=(8, 8), c_png=(8, 8), d_png=(8, 8))
    names = ["mine/d", "mine/b", "mine/c", "mine/a", "not/there"]
    table = {"file": names, "k": [4, 2, 4, 2, 9], "s": ["x", "y", "y", "x", "z"]}
    data = ImageFolder(path, size=8, factors=table)
    assert data.factor_names == ("k", "s")
    assert data.factors_of(range(4)).tolist() == [[0, 0], [0, 1], [1, 1], [1, 0]]
    record = configs.serialize(data)
    assert configs.serialize(configs.deserialize(record)) == record
    assert ImageFolder(path, 8, factors=table, factor_names=["s"]).factor_sizes == (2,)
    np.save(tmp_path / "a.npy", IMAGES)
    data = ImageFile(tmp_path / "a.npy", factors={"k": np.arange(20) % 4})
    assert (data.factor_names, data.factor_sizes) == (("k",), (4,))
    data = ImageFile(
        tmp_path / "a.npy", factors=np.arange(20) % 4, factor_names=["digit"]
    )
    assert data.factor_names == ("digit",)


@pytest.mark.parametrize("name", ["factors", "labels", "latents_classes"])
def test_factors_beside_images_under_their_usual_names(tmp_path, name):
    rows = np.arange(20) % 4
    np.savez(tmp_path / "a.npz", images=IMAGES, **{name: rows})
    data = ImageFile(tmp_path / "a.npz", factor_names=["digit"])
    assert data.factor_names == ("digit",)
    assert_array_equal(data.factors_of(range(20))[:, 0], rows)


def test_arrays_that_are_not_used_are_named(tmp_path, caplog):
    np.savez(tmp_path / "a.npz", images=IMAGES, y=np.arange(20))
    ImageFile(tmp_path / "a.npz")
    assert "arrays y are not used. Factors are read from factors or" in caplog.text


def test_a_lone_array_needs_no_name(tmp_path):
    np.savez(tmp_path / "a.npz", IMAGES)
    assert_array_equal(ImageFile(tmp_path / "a.npz").images(), IMAGES)
    np.savez(tmp_path / "b.npz", x_train=IMAGES, y_train=np.arange(20))
    with pytest.raises(ArgumentError, match=r"numpy.savez\(file, images="):
        ImageFile(tmp_path / "b.npz")


@pytest.mark.parametrize("one_hot", [False, True])
def test_class_names_of_keras(one_hot):
    import tensorflow as tf

    numbers = np.arange(20) % 3
    labels = np.eye(3, dtype=np.float32)[numbers] if one_hot else numbers
    data = tf.data.Dataset.from_tensor_slices((IMAGES, labels)).batch(8)
    data.class_names = ["cat", "dog", "fish"]
    table = from_tf_data(data)
    assert table.factor_names == ("class",)
    assert table.factor_values[0].tolist() == ["cat", "dog", "fish"]
    assert_array_equal(table.factors_of(range(20))[:, 0], numbers)


# ---- What a run remembers of them.


def test_other_pixels_or_factors_of_the_same_shape_are_told_apart(folder, tmp_path):
    path = folder(a_png=(8, 8), b_png=(8, 8))
    np.save(tmp_path / "f.npy", IMAGES)
    np.save(tmp_path / "k.npy", np.arange(20) % 2)

    def read():
        arguments = {"path": tmp_path / "f.npy", "factors": tmp_path / "k.npy"}
        sets = [ImageFolder(path, size=8), ImageFile(**arguments)]
        return [*sets, ImageTable(IMAGES.copy()), ImageTable(IMAGES[:2, :4, :4, :1])]

    before = [configs.serialize(data) for data in read()]
    assert [configs.serialize(data) for data in read()] == before
    assert configs.deserialize(before[3]).fingerprint() == read()[3].fingerprint()
    Image.new("RGB", (8, 8)).save(path / "b.png")
    np.save(tmp_path / "k.npy", np.arange(20)[::-1] % 2)
    after = [configs.serialize(data) for data in read()]
    for old, new in zip(before[:2], after[:2], strict=True):
        (difference,) = configs.differences(old, new)
        assert difference.startswith("fingerprint: ")
        with pytest.raises(configs.CannotRebuildError, match="content of its files"):
            configs.deserialize(old)
    changed = IMAGES.copy()
    changed[3, 3, 3] += 1
    assert configs.serialize(ImageTable(changed)) != before[2]


def test_files_that_are_gone_cannot_be_rebuilt_but_may_have_moved(folder):
    path = folder(a_png=(8, 8))
    record = configs.serialize(Noisy(ImageFolder(path)))
    moved = path.rename(path.with_name("moved"))
    with pytest.raises(configs.CannotRebuildError, match="path must exist"):
        configs.deserialize(record)
    assert (
        configs.differences(record, configs.serialize(Noisy(ImageFolder(moved)))) == []
    )
    smaller = configs.serialize(Noisy(ImageFolder(moved, size=32)))
    names = [line.split(":")[0] for line in configs.differences(record, smaller)]
    assert names == [f"dataset.{name}" for name in ("fingerprint", "path", "size")]
