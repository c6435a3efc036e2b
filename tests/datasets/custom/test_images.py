"""A user's own folder of images, array file or `tf.data.Dataset`."""

import pathlib
import pickle
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from tf_disentangle.checks import ArgumentError
from tf_disentangle.datasets import ImageFile, ImageFolder
from tf_disentangle.datasets.files import source


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))


def write_folder(folder, count=6, size=(70, 90)):
    """Images 0.png, b/1.jpg, ... of one grey each, which survives resizing and JPEG."""
    (folder / "b").mkdir(parents=True)
    names = [f"{k}.png" if k % 2 else f"b/{k}.jpg" for k in range(count)]
    for k, name in enumerate(names):
        Image.new("RGB", size, (40 * k,) * 3).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_text("no image")
    return sorted(names)


def greys(data):
    """The number of each image, from its grey."""
    return np.round(data.images()[:, 5, 5, 0] / 40).astype(int)


class TestFolder:
    @pytest.mark.parametrize(("size", "channels"), [(64, 3), (32, 1), (128, 3)])
    def test_images(self, tmp_path, size, channels):
        names = write_folder(tmp_path / "mine")
        data = ImageFolder(tmp_path / "mine", size=size, channels=channels)
        assert data.image_shape == (size, size, channels)
        assert len(data) == 6
        assert data.factor_names == ()
        expected = [int(pathlib.PurePath(name).stem) for name in names]
        assert_array_equal(greys(data), expected)
        assert not data.images().flags.writeable

    def test_the_crop_is_the_middle(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8)
        (tmp_path / "mine").mkdir()
        Image.fromarray(pixels).save(tmp_path / "mine" / "a.png")
        data = ImageFolder(tmp_path / "mine", size=32, crop=32)
        assert_array_equal(data.images()[0], pixels[9:41, 24:56])
        whole = ImageFolder(tmp_path / "mine", size=25)
        square = Image.fromarray(pixels[:, 15:65]).resize((25, 25), Image.LANCZOS)
        assert_array_equal(whole.images()[0], square)
        with pytest.raises(ArgumentError, match="at least 60 x 60"):
            ImageFolder(tmp_path / "mine", crop=60)

    def test_transparent_and_palette_images(self, tmp_path):
        (tmp_path / "mine").mkdir()
        clear = Image.new("RGBA", (32, 32), (10, 20, 30, 0))
        clear.paste((200, 100, 50, 255), (0, 0, 16, 32))
        clear.save(tmp_path / "mine" / "a.png")
        Image.new("RGB", (32, 32), (9, 99, 199)).quantize(4).save(
            tmp_path / "mine" / "b.gif"
        )
        first, second = ImageFolder(tmp_path / "mine", size=32).images()
        assert first[0, 0].tolist() == [200, 100, 50]
        assert first[0, 31].tolist() == [255, 255, 255]
        assert second[0, 0].tolist() == [9, 99, 199]

    def test_a_zip(self, tmp_path):
        names = write_folder(tmp_path / "mine")
        with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
            for name in names:
                archive.write(tmp_path / "mine" / name, name)
        zipped = ImageFolder(tmp_path / "mine.zip").images()
        assert_array_equal(zipped, ImageFolder(tmp_path / "mine").images())

    def test_factors_from_a_csv(self, tmp_path):
        names = write_folder(tmp_path / "mine")
        lines = ["image,hue,side"]
        # In another order than the images, some with and some without suffix.
        lines += [f"b/{k}.jpg,{k % 3},left" for k in (4, 0, 2)]
        lines += [f"{k},{k % 3},right" for k in (5, 3, 1)]
        (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
        data = ImageFolder(tmp_path / "mine", factors=tmp_path / "table.csv")
        assert data.factor_names == ("hue", "side")
        numbers = np.array([int(pathlib.PurePath(name).stem) for name in names])
        expected = np.stack([numbers % 3, numbers % 2], axis=1)
        assert_array_equal(data.factors_of(range(len(data))), expected)
        one = ImageFolder(
            tmp_path / "mine", factors=tmp_path / "table.csv", factor_names=["hue"]
        )
        assert one.factor_sizes == (3,)

    @pytest.mark.parametrize(
        ("text", "names", "match"),
        [
            ("image,hue\n0,1\n", None, "a line for each image.*5 of 6 images without"),
            ("image,hue\n0,1,2\n", None, "2 values in each line"),
            ("", None, "a header"),
            ("image,hue\n", None, "a line for each image"),
            ("image,hue" + "\n%d,1" * 6 % (*range(6),), ["size"], "no size in hue"),
        ],
    )
    def test_tables_that_do_not_fit(self, tmp_path, text, names, match):
        write_folder(tmp_path / "mine")
        (tmp_path / "table.csv").write_text(text)
        with pytest.raises(ArgumentError, match=match):
            ImageFolder(
                tmp_path / "mine", factors=tmp_path / "table.csv", factor_names=names
            )

    def test_a_continuous_factor_is_cut_into_bins(self, tmp_path):
        write_folder(tmp_path / "mine", 6)
        lines = ["image,angle", *(f"{k},{k / 7}" for k in range(6))]
        (tmp_path / "table.csv").write_text("\n".join(lines))
        arguments = {"path": tmp_path / "mine", "factors": tmp_path / "table.csv"}
        with pytest.raises(ArgumentError, match="Give num_bins"):
            ImageFolder(**arguments)
        data = ImageFolder(**arguments, num_bins=2)
        assert data.factor_sizes == (2,)
        assert data.factors_of(range(len(data)))[greys(data), 0].tolist() != [0] * 6

    def test_names_of_factors_need_factors(self, tmp_path):
        write_folder(tmp_path / "mine")
        with pytest.raises(ArgumentError, match="no factors are known"):
            ImageFolder(tmp_path / "mine", factor_names=["hue"])

    def test_photographs_are_turned_upright(self, tmp_path):
        (tmp_path / "mine").mkdir()
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned: its left is the top
        lying = np.zeros((32, 32, 3), np.uint8)
        lying[:, :16] = 255
        Image.fromarray(lying).save(tmp_path / "mine" / "a.png", exif=exif)
        image = ImageFolder(tmp_path / "mine", size=32).images()[0]
        assert (image[:16] == 255).all()
        assert (image[16:] == 0).all()

    @pytest.mark.parametrize("name", ["a.png", "a.ppm", "a.tif"])
    def test_colours_of_16_bits_are_refused(self, tmp_path, name):
        import cv2

        (tmp_path / "mine").mkdir()
        colours = np.full((32, 32, 3), 40_000, np.uint16)
        cv2.imwrite(str(tmp_path / "mine" / name), colours)
        with pytest.raises(ArgumentError, match="8 bits for each value"):
            ImageFolder(tmp_path / "mine")

    def test_a_huge_image_is_one_message(self, tmp_path, monkeypatch):
        write_folder(tmp_path / "mine")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # they have 6,300
        with pytest.raises(ArgumentError, match=r"at most 6,000 pixels"):
            ImageFolder(tmp_path / "mine")

    def test_a_broken_image_is_named_without_an_address(self, tmp_path):
        write_folder(tmp_path / "mine")
        for content in (b"\x89PNG", (tmp_path / "mine" / "1.png").read_bytes()[:-40]):
            (tmp_path / "mine" / "1.png").write_bytes(content)
            match = r"mine/1\.png must be an intact image"
            with pytest.raises(ArgumentError, match=match) as error:
                ImageFolder(tmp_path / "mine")
            assert "0x" not in str(error.value)
            assert "Delete" not in str(error.value)

    def test_prepared_again_when_an_image_changes_and_only_then(self, tmp_path):
        write_folder(tmp_path / "mine")
        first = ImageFolder(tmp_path / "mine").images()
        again = ImageFolder(tmp_path / "mine").images()
        assert len(list((tmp_path / "cache").glob("own-mine-*.npy"))) == 1
        assert_array_equal(first, again)
        Image.new("RGB", (70, 90), (255,) * 3).save(tmp_path / "mine" / "1.png")
        changed = ImageFolder(tmp_path / "mine").images()
        assert changed.max() == 255
        assert first.max() < 255
        # In its place: what is superseded does not fill the disk.
        assert len(list((tmp_path / "cache").glob("own-*.npy"))) == 1
        assert len(list((tmp_path / "cache").glob(".own-*.lock"))) == 1

    def test_damaged_and_missing_images(self, tmp_path):
        Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
        with pytest.raises(ArgumentError, match="be a folder, or an intact"):
            ImageFolder(tmp_path / "a.png")
        with pytest.raises(ArgumentError, match="path must exist"):
            ImageFolder(tmp_path / "nowhere")
        (tmp_path / "empty").mkdir()
        match = r"hold images \(.png, .*received 'no files'"
        with pytest.raises(ArgumentError, match=match):
            ImageFolder(tmp_path / "empty")
        write_folder(tmp_path / "mine")
        Image.fromarray(np.zeros((40, 40), np.uint16)).save(tmp_path / "mine" / "3.png")
        with pytest.raises(ArgumentError, match="8 bits"):
            ImageFolder(tmp_path / "mine")
        assert not list((tmp_path / "cache").glob("*.npy"))


class TestFile:
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)

    def test_npy_of_bytes_is_mapped_where_it_lies(self, tmp_path):
        with open(tmp_path / "a.NPY", "wb") as file:  # a suffix in capitals
            np.save(file, self.images)
        data = ImageFile(tmp_path / "a.NPY")
        assert_array_equal(data.images(), self.images)
        assert not (tmp_path / "cache").exists()
        carried = pickle.dumps(data)
        assert len(carried) < self.images.nbytes / 10
        assert_array_equal(pickle.loads(carried).images(), self.images)

    @pytest.mark.parametrize("kind", ["npz", "h5", "h5 of bytes"])
    def test_a_file_with_factors(self, tmp_path, kind):
        import h5py

        factors = np.stack([np.arange(20) % 4, np.arange(20) % 5], axis=1)
        names = np.array(["hue", "side"], "S") if "bytes" in kind else ["hue", "side"]
        arrays = {"images": self.images, "factors": factors, "factor_names": names}
        path = tmp_path / f"a.{kind.split()[0]}"
        if kind == "npz":
            np.savez_compressed(path, **arrays)
        else:
            with h5py.File(path, "w") as file:
                file.update(arrays)
        np.save(tmp_path / "b.npy", self.images)
        for data in (ImageFile(path), ImageFile(tmp_path / "b.npy", factors=path)):
            assert data.factor_names == ("hue", "side")
            assert data.traits == {"known_rows", "indexed_images"}
            assert_array_equal(data.factors_of(range(20)), factors)
            assert_array_equal(data.render(factors), self.images)
        assert ImageFile(path, factor_names=["side"]).factor_sizes == (5,)
        with pytest.raises(ArgumentError, match="no size in hue, side"):
            ImageFile(path, factor_names=["size"])

    def test_factors_beside_a_npy(self, tmp_path):
        np.save(tmp_path / "a.npy", self.images)
        np.save(tmp_path / "f.npy", np.arange(20) % 4)
        data = ImageFile(
            tmp_path / "a.npy", factors=tmp_path / "f.npy", factor_names=["hue"]
        )
        assert data.factor_names == ("hue",)
        with pytest.raises(ArgumentError, match=r"have shape \[20, K\]"):
            np.save(tmp_path / "f.npy", np.arange(19) % 4)
            ImageFile(tmp_path / "a.npy", factors=tmp_path / "f.npy")

    @pytest.mark.parametrize("dtype", [bool, np.float32, np.float64, np.int64])
    def test_every_scale_becomes_bytes(self, tmp_path, dtype):
        expected = self.images[..., 0]
        if dtype is bool:
            expected = 255 * (expected > 127).astype(np.uint8)
        white = 255 if dtype is np.int64 else 1
        stored = (expected / (255 / white)).astype(dtype)
        np.save(tmp_path / "a.npy", stored)
        data = ImageFile(tmp_path / "a.npy")
        assert data.images().dtype == np.uint8
        assert data.image_shape == (32, 32, 1)
        assert_array_equal(data.images()[..., 0], expected)

    def test_bytes_of_0_and_1_ask_what_is_white(self, tmp_path):
        dark = (self.images > 127).astype(np.uint8)
        np.save(tmp_path / "a.npy", dark)
        with pytest.raises(ArgumentError, match="white=1"):
            ImageFile(tmp_path / "a.npy")
        data = ImageFile(tmp_path / "a.npy", white=1)
        assert_array_equal(data.images(), 255 * dark)

    @pytest.mark.parametrize(
        ("dtype", "late"),
        [(np.int16, 300), (np.int16, -5), (float, 1.5), (float, np.nan)],
    )
    def test_every_block_is_checked(self, tmp_path, monkeypatch, dtype, late):
        monkeypatch.setattr(source, "_BLOCK_BYTES", 4096)
        images = (self.images[..., 0] > 127).astype(dtype)
        images[0, 0, 0] = 1 if dtype is float else 200
        images[19, 3, 3] = late
        np.save(tmp_path / "a.npy", images)
        match = rf"pixels in.*{late}|in image 19"
        with pytest.raises(ArgumentError, match=match):
            ImageFile(tmp_path / "a.npy")
        assert not list((tmp_path / "cache").glob("*.npy"))

    def test_dark_images_before_bright_ones_are_bytes(self, tmp_path, monkeypatch):
        monkeypatch.setattr(source, "_BLOCK_BYTES", 4096)
        images = self.images.copy()
        images[:10] = images[:10] > 127
        np.save(tmp_path / "a.npy", images)
        assert_array_equal(ImageFile(tmp_path / "a.npy").images(), images)

    def test_resized(self, tmp_path):
        np.save(tmp_path / "a.npy", self.images)
        data = ImageFile(tmp_path / "a.npy", size=64)
        expected = Image.fromarray(self.images[3]).resize((64, 64), Image.LANCZOS)
        assert_array_equal(data.images()[3], expected)

    @pytest.mark.parametrize(
        ("arrays", "match"),
        [
            (
                dict.fromkeys("ab", np.zeros((3, 8, 8), np.uint8)),
                r"an array images.*a, b.*numpy.savez\(file, images=",
            ),
            ({"images": np.zeros((3, 8), np.uint8)}, r"\[n, h, w\]"),
            ({"images": np.ones((8, 8, 3), np.uint8)}, r"\[n, h, w\].*\(8, 8, 3\)"),
            ({"images": np.ones((3, 8, 8), "F")}, "hold pixels"),
            ({"images": np.asfortranarray(np.ones((3, 8, 8)))}, "ascontiguousarray"),
            ({"images": np.zeros((3, 8, 8, 2), np.uint8)}, r"1 or 3\]"),
            ({"images": np.full((3, 8, 8), 2.5)}, r"pixels in \[0, 1\].*2\.5"),
            ({"images": np.full((3, 8, 8), -1)}, r"pixels in \[0, 255\]"),
        ],
    )
    def test_arrays_that_are_no_images(self, tmp_path, arrays, match):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ArgumentError, match=match):
            ImageFile(tmp_path / "a.npz")

    def test_a_file_of_another_format_or_cut_short(self, tmp_path):
        Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
        with pytest.raises(ArgumentError, match=r"\.npz, \.h5 or.*'\.png'"):
            ImageFile(tmp_path / "a.png")
        np.save(tmp_path / "a.npy", self.images)
        np.savez(tmp_path / "a.npz", images=self.images)
        for path in (tmp_path / "a.npy", tmp_path / "a.npz"):
            path.write_bytes(path.read_bytes()[:5000])
            with pytest.raises(ArgumentError, match="intact file"):
                ImageFile(path)

    def test_python_objects_are_no_damage(self, tmp_path):
        names = np.array(["hue"], object)  # as pandas has its columns
        arrays = {"images": self.images, "factors": np.arange(20) % 4}
        np.savez(tmp_path / "a.npz", **arrays, factor_names=names)
        np.savez(tmp_path / "b.npz", images=self.images)
        np.save(tmp_path / "f.npy", names.repeat(20))
        for name, factors in (("a.npz", None), ("b.npz", tmp_path / "f.npy")):
            with pytest.raises(ArgumentError) as error:
                ImageFile(tmp_path / name, factors=factors)
            assert "received 'Python objects'. Save np.array(x" in str(error.value)
            assert "Delete" not in str(error.value)

    def test_names_that_do_not_fit_the_factors(self, tmp_path):
        table = np.stack([np.arange(20) % 4, np.arange(20) % 5], axis=1)
        file = tmp_path / "a.npz"
        cases = {"each column once": ["a", "a"], "2 factor_names": ["a"]}
        for match, names in cases.items():
            np.savez(file, images=self.images, factors=table, factor_names=names)
            with pytest.raises(ArgumentError, match=match):
                ImageFile(file)
        np.savez(tmp_path / "a.npz", images=self.images)
        with pytest.raises(ArgumentError, match="no factors are known"):
            ImageFile(tmp_path / "a.npz", factor_names=["a"])


SMALL = [
    "build_vae.encoder = @mlp_encoder",
    "build_vae.decoder = @mlp_decoder",
    "train.steps = 2",
    "train.batch_size = 4",
    "train.validation_size = 2",
    *("Intervals.log = 1", "Intervals.evaluate = 2"),
    *("Intervals.save = 2", "Intervals.pictures = 2"),
]


def train(tmp_path, capsys, *bindings):
    from tf_disentangle.cli.main import main

    options = [f"--gin_param={b}" for b in (*SMALL, *bindings)]
    folder = tmp_path / "run"
    code = main(["train", "--gin_file=vae.gin", f"--output={folder}", *options])
    return code, folder, capsys.readouterr()


@pytest.mark.slow
def test_a_folder_is_trained_on_from_the_command_line(tmp_path, capsys):
    write_folder(tmp_path / "mine", 8)
    code, folder, said = train(
        tmp_path,
        capsys,
        "train.data = @ImageFolder()",
        f"ImageFolder.path = '{tmp_path / 'mine'}'",
        "ImageFolder.size = 32",
        "ImageFolder.channels = 1",
        "train.metrics = []",
    )
    assert code == 0, said.err
    assert (folder / "pictures" / "reconstructions.png").exists()


@pytest.mark.parametrize("size", [32, 64, 128])
def test_networks_of_the_images_size_are_built(tmp_path, size):
    from tf_disentangle import models

    write_folder(tmp_path / "mine", 8)
    data = ImageFolder(tmp_path / "mine", size=size)
    model = models.build_vae(data.image_shape)
    assert model.reconstruct(data.images()[:2]).shape == (2, size, size, 3)


def test_a_table_that_is_no_grid_is_trained_on_and_scored(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = np.array([(a, b) for a in range(4) for b in range(4) if a != b])
    factors = np.repeat(rows, 2, axis=0)
    images = rng.integers(0, 256, (len(factors), 32, 32, 1), np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, factors=factors)
    code, _, said = train(
        tmp_path,
        capsys,
        "train.data = @ImageFile()",
        f"ImageFile.path = '{tmp_path / 'mine.npz'}'",
    )
    assert code == 0, said.err
    assert "fixed=rows" in said.out


def test_a_mistake_in_a_gin_file_is_told(tmp_path, capsys):
    code, _, said = train(
        tmp_path,
        capsys,
        "train.data = @ImageFolder()",
        "ImageFolder.path = 'nowhere'",
        "train.metrics = []",
    )
    assert code == 2
    assert "path must exist; received 'nowhere'" in said.err
