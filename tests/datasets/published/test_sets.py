"""Published formats -> prepared arrays, on tiny files that `published_files` makes."""

import pathlib
import pickle
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from tests.datasets.published.published_files import WRITERS, make
from tf_disentangle.checks import ArgumentError
from tf_disentangle.cli.main import main
from tf_disentangle.datasets import SETS, PackedImages, published
from tf_disentangle.datasets.published import Preparation, PublishedGrid
from tf_disentangle.visualization import dataset_figure

GRIDS = ("dsprites", "shapes3d", "smallnorb", "cars3d", "mpi3d_toy", "chairs3d")


@pytest.fixture
def made(request, tmp_path, monkeypatch):
    """A tiny set; its row stands in the table in place of the published one."""
    result = make(request.param, tmp_path / "files")
    monkeypatch.setitem(SETS, request.param, result.row)
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no_tfds"))
    return request.param, result


each = pytest.mark.parametrize("made", sorted(WRITERS), indirect=True)


def only(*names):
    return pytest.mark.parametrize("made", names, indirect=True)


@each
def test_images_and_factors_are_the_published_ones(made, tmp_path):
    name, result = made
    data = published(name, source=tmp_path / "files")
    images = data.images()
    assert_array_equal(images[:], result.images)
    assert images.dtype == np.uint8
    stored = images.tables[0] if isinstance(images, PackedImages) else images
    assert isinstance(stored.base, np.memmap) or isinstance(stored, np.memmap)
    assert not stored.flags.writeable
    assert stored.nbytes * (8 if name == "dsprites" else 1) == result.images.nbytes
    if name in GRIDS:
        assert isinstance(data, PublishedGrid)
        assert_array_equal(data.factors_of(range(len(data))), result.factors)
        assert_array_equal(data.render(result.factors), result.images)
    elif result.factors.size:
        assert_array_equal(data.factors_of(range(len(data))), result.factors)
    else:
        assert data.factor_names == ()


@each
def test_a_prepared_set_needs_its_source_no_more(made, tmp_path):
    name, result = made
    published(name, source=tmp_path / "files").images()
    shutil.rmtree(tmp_path / "files")
    data = published(name)
    assert_array_equal(data.images()[:], result.images)
    copy = pickle.loads(pickle.dumps(data))
    assert_array_equal(copy.images()[:], result.images)


@only(*sorted(set(WRITERS) - {"faces3d"}))
def test_files_put_into_the_downloads_folder_are_found(made, tmp_path):
    name, result = made
    downloads = Preparation(name).downloads
    downloads.parent.mkdir(parents=True)
    shutil.move(tmp_path / "files", downloads)
    assert_array_equal(published(name).images()[:], result.images)


def test_the_table_holds_the_published_counts():
    """Counts as their papers and pages give them; grids have one image each."""
    counts = {
        "dsprites": {"all": 737_280},
        "shapes3d": {"all": 480_000},
        "smallnorb": {"all": 48_600},
        "cars3d": {"all": 17_568},
        "mpi3d_toy": {"all": 1_036_800},
        "mpi3d_realistic": {"all": 1_036_800},
        "mpi3d_real": {"all": 1_036_800},
        "mpi3d_toy_challenge": {"all": 460_800},
        "chairs3d": {"all": 86_366},
        "faces3d": {"all": None},
        "celeb_a": {"all": 202_599},
        "mnist": {"train": 60_000, "test": 10_000},
        "fashion_mnist": {"train": 60_000, "test": 10_000},
    }
    assert {name: dict(row.counts) for name, row in SETS.items()} == counts
    grids = {name for name, row in SETS.items() if row.is_grid(next(iter(row.counts)))}
    assert grids == {name for name in counts if name.startswith("mpi3d")} | set(GRIDS)


@pytest.mark.parametrize("name", sorted(set(SETS) - {"dsprites"}))
def test_each_set_has_its_gin_file(name):
    """dSprites' file is that of the renderer, which needs no download."""
    root = pathlib.Path(__file__).resolve().parents[3]
    text = (root / "gin" / "datasets" / f"{name}.gin").read_text()
    assert f"published.name = '{name}'" in text
    assert f"bin/data prepare {name}" in text


def test_the_table_agrees_with_tensorflow_datasets():
    """Its builders know the files, so their checksums, and the sizes of factors."""
    import tensorflow_datasets as tfds

    for row in SETS.values():
        if row.tfds is None:
            continue
        builder = tfds.builder(row.tfds.name)
        for file in (f for of_split in row.files.values() for f in of_split.values()):
            assert file.url in builder.url_infos, file.name
        for feature, size in zip(row.tfds.factors, row.factors.values(), strict=True):
            item = builder.info.features
            for part in feature.split("/"):
                item = item[part]
            assert getattr(item, "num_classes", 2) == size, feature


@only("dsprites")
def test_pixels_of_0_and_1_become_0_and_255(made, tmp_path):
    images = published("dsprites", source=tmp_path / "files").images()[:]
    assert set(np.unique(images)) == {0, 255}


@only("dsprites")
def test_dsprites_also_as_hdf5_and_already_white(made, tmp_path):
    import h5py

    _, result = made
    with h5py.File(tmp_path / "dsprites.h5", "w") as file:
        file["imgs"] = result.images[..., 0]
        colour = np.zeros((len(result.factors), 1), np.int64)
        file["latents/classes"] = np.hstack([colour, result.factors])
    data = published("dsprites", source=tmp_path / "dsprites.h5")
    assert_array_equal(data.images()[:], result.images)


@only("cars3d")
def test_cars_from_the_unpacked_folder(made, tmp_path):
    _, result = made
    with tarfile.open(tmp_path / "files" / "nips2015-analogy-data.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    data = published("cars3d", source=tmp_path / "unpacked" / "data" / "cars")
    assert_array_equal(data.images()[:], result.images)


@only("chairs3d")
def test_chairs_from_the_tar(made, tmp_path):
    _, result = made
    with tarfile.open(tmp_path / "rendered_chairs.tar", "w") as archive:
        archive.add(tmp_path / "files" / "rendered_chairs", "rendered_chairs")
    data = published("chairs3d", source=tmp_path / "rendered_chairs.tar")
    assert_array_equal(data.images()[:], result.images)


@only("celeb_a")
def test_celeba_from_the_zip_and_kaggles_csv(made, tmp_path):
    _, result = made
    folder = tmp_path / "kaggle"
    folder.mkdir()
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for path in sorted((tmp_path / "files" / "img_align_celeba").iterdir()):
            archive.write(path, f"img_align_celeba/{path.name}")
    lines = (tmp_path / "files" / "list_attr_celeba.txt").read_text().splitlines()
    rows = ["image_id " + lines[1], *lines[2:]]
    csv = "\n".join(",".join(row.split()) for row in rows)
    (folder / "list_attr_celeba.csv").write_text(csv + "\n")
    data = published("celeb_a", source=folder)
    assert_array_equal(data.images()[:], result.images)
    assert_array_equal(data.factors_of(range(len(data))), result.factors)
    assert "missing_combinations" in data.traits


@only("chairs3d")
def test_the_chairs_angles_are_sorted_by_degrees(made, tmp_path):
    """The full turn is written as 360 degrees and is angle 0."""
    _, result = made
    data = published("chairs3d", source=tmp_path / "files")
    assert data.factor_names == ("chair", "elevation", "azimuth")
    first = data.render(np.array([[0, 0, 0]]))[0]
    written = tmp_path / "files" / "rendered_chairs" / "a" / "renders"
    assert any("_p020_t360_" in path.name for path in written.iterdir())
    assert_array_equal(first, result.images[0])


@only("mnist")
def test_several_images_share_a_digit(made, tmp_path):
    _, result = made
    data = published("mnist", source=tmp_path / "files")
    assert data.factor_sizes == (10,)
    assert "stochastic_images" in data.traits
    assert "missing_combinations" not in data.traits
    digits = np.arange(10)[:, np.newaxis]
    rows = data.rows_of(digits, np.random.default_rng(0))
    assert_array_equal(result.factors[rows], digits)


def test_unknown_names_and_splits():
    with pytest.raises(ArgumentError, match="Did you mean shapes3d"):
        published("shapes3")
    with pytest.raises(ArgumentError, match="'train', 'test'"):
        published("mnist", split="validation")


def test_what_is_not_there_is_told_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(ArgumentError) as error:
        published("shapes3d", data_dir=tmp_path)
    text = str(error.value)
    assert "tf_disentangle data prepare shapes3d" in text
    assert "https://storage.googleapis.com/3d-shapes/3dshapes.h5" in text
    assert str(tmp_path / "downloads" / "shapes3d") in text
    assert not list(tmp_path.rglob("*.npy"))


@only("cars3d")
def test_the_sample_is_the_sheet_of_the_set(made, tmp_path):
    sheet = tmp_path / "sheet.png"
    source, output = f"--source={tmp_path / 'files'}", f"--output={sheet}"
    assert main(["data", "sample", "cars3d", source, output, "--seed=3"]) == 0
    picture = np.asarray(Image.open(sheet).convert("RGB"))
    title, rng = "cars3d: 24 images", np.random.default_rng(3)
    data = published("cars3d")
    expected = dataset_figure(data, rng, num_sample_rows=4, title=title)
    assert_array_equal(picture, expected)
