"""Tiny sets in the published formats, and what must come out of them.

`make(name, folder)` writes the files of a set of a few images and returns its row of
the table, made as small, with the images and factors that reading them must give.
"""

import dataclasses
import gzip
import io
import tarfile

import numpy as np
from PIL import Image

from tf_disentangle.datasets.published import SETS

# Enough for every format, few enough for milliseconds.
SIZES = {
    "dsprites": (3, 2, 2, 2, 2),
    "shapes3d": (2, 2, 2, 2, 2, 3),
    "smallnorb": (2, 4, 2, 3, 2),
    "cars3d": (2, 3, 4),
    "mpi3d_toy": (2, 2, 2, 1, 1, 2, 2),
    "chairs3d": (3, 2, 4),
}
COUNTS = {"celeb_a": 12, "mnist": 20, "faces3d": 5}


@dataclasses.dataclass
class Made:
    """A tiny set: its row, what must be read from it, and its files' folder."""

    row: object
    images: np.ndarray
    factors: np.ndarray


def make(name, folder):
    """Writes the files of a tiny set below `folder`."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True, exist_ok=True)
    images, factors = WRITERS[name](folder, rng)
    return Made(_row(name, len(images)), images, factors)


def _row(name, count):
    """The row with the tiny sizes and no published checksums."""
    row = SETS[name]
    factors = row.factors
    if name in SIZES:
        factors = dict(zip(row.factors, SIZES[name], strict=True))
    counts = {s: None if c is None else count for s, c in row.counts.items()}
    files = {
        split: {
            key: dataclasses.replace(file, url=nowhere(file), content_md5=None)
            for key, file in of_split.items()
        }
        for split, of_split in row.files.items()
    }
    return dataclasses.replace(row, counts=counts, factors=factors, files=files)


def nowhere(file):
    """An address of this machine that nobody answers, and that TFDS does not know."""
    return file.url and f"http://127.0.0.1:9/{file.name}"


def grid(name):
    """All combinations in order, int64 [n, K]."""
    sizes = SIZES[name]
    return np.stack(np.indices(sizes).reshape(len(sizes), -1), axis=1)


def _dsprites(folder, rng):
    factors = grid("dsprites")
    pixels = rng.integers(0, 2, (len(factors), 64, 64), np.uint8)
    with_colour = np.column_stack([np.zeros(len(factors), np.int64), factors])
    np.savez_compressed(
        folder / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
        imgs=pixels,
        latents_classes=with_colour,
        metadata=np.array({"author": "someone"}, dtype=object),
    )
    return pixels[..., np.newaxis] * np.uint8(255), factors


def _shapes3d(folder, rng):
    import h5py

    factors = grid("shapes3d")
    images = rng.integers(0, 256, (len(factors), 64, 64, 3), np.uint8)
    values = [
        np.linspace(0.75 if k == 3 else 0, 30, s)
        for k, s in enumerate(SIZES["shapes3d"])
    ]
    labels = np.stack([v[factors[:, k]] for k, v in enumerate(values)], axis=1)
    with h5py.File(folder / "3dshapes.h5", "w") as file:
        file.create_dataset("images", data=images, chunks=(8, 64, 64, 3))
        file["labels"] = labels
    return images, factors


def _mpi3d(folder, rng):
    factors = grid("mpi3d_toy")
    images = rng.integers(0, 256, (len(factors), 64, 64, 3), np.uint8)
    np.savez(folder / "mpi3d_toy.npz", images=images)
    return images, factors


def _smallnorb(folder, rng):
    factors = grid("smallnorb")
    pixels = rng.integers(0, 256, (len(factors), 2, 96, 96), np.uint8)
    for part, instances in (("training", (0, 2)), ("testing", (1, 3))):
        here = rng.permutation(np.flatnonzero(np.isin(factors[:, 1], instances)))
        category, instance, elevation, azimuth, lighting = factors[here].T
        info = np.stack([instance, elevation, 2 * azimuth, lighting], axis=1)
        name = f"smallnorb-5x46789x9x18x6x2x96x96-{part}"
        _norb(folder / f"{name}-dat.mat", 0x1E3D4C55, pixels[here])
        _norb(folder / f"{name}-cat.mat.gz", 0x1E3D4C54, category.astype("<i4"))
        _norb(folder / f"{name}-info.mat.gz", 0x1E3D4C54, info.astype("<i4"))
    images = [Image.fromarray(p[0]).resize((64, 64), Image.LANCZOS) for p in pixels]
    return np.stack(images)[..., np.newaxis], factors


def _norb(path, magic, array):
    shape = [*array.shape] + [1] * (3 - array.ndim)
    header = np.array([magic, array.ndim, *shape], "<i4").tobytes()
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        file.write(header + array.tobytes())


def _cars3d(folder, rng):
    import scipy.io

    num_elevations, num_azimuths, num_cars = SIZES["cars3d"]
    shape = (num_cars, 128, 128, 3, num_azimuths, num_elevations)
    views = rng.integers(0, 256, shape, np.uint8)
    with tarfile.open(folder / "nips2015-analogy-data.tar.gz", "w:gz") as archive:
        # Not in the order of their names, as in the published archive.
        for car in rng.permutation(num_cars):
            data = io.BytesIO()
            masks = np.zeros((2, 2))
            scipy.io.savemat(data, {"im": views[car], "mask": masks})
            _add(archive, f"data/cars/car_{car + 1:03}_mesh.mat", data.getvalue())
        _add(archive, "data/cars/._car_001_mesh.mat", b"left by a Mac")
        _add(archive, "data/sprites/sprites_1.mat", b"another set")
    factors = grid("cars3d")
    images = np.stack(
        [
            Image.fromarray(views[car, ..., azimuth, elevation]).resize(
                (64, 64), Image.LANCZOS
            )
            for elevation, azimuth, car in factors
        ]
    )
    return images, factors


def _add(archive, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _chairs3d(folder, rng):
    angles = (0, 90, 180, 270)
    factors, images = grid("chairs3d"), []
    for chair, elevation, azimuth in factors:
        pixels = rng.integers(0, 256, (30, 30, 3), np.uint8).repeat(20, 0).repeat(20, 1)
        renders = folder / "rendered_chairs" / "cba"[2 - chair] / "renders"
        renders.mkdir(parents=True, exist_ok=True)
        # The full turn is published as 360 degrees.
        degrees = angles[azimuth] or 360
        name = (
            f"image_{len(images):03}_p{(20, 30)[elevation]:03}_t{degrees:03}_r096.png"
        )
        Image.fromarray(pixels).save(renders / name, compress_level=1)
        middle = Image.fromarray(pixels[100:500, 100:500]).convert("L")
        images.append(middle.resize((64, 64), Image.LANCZOS))
    return np.stack(images)[..., np.newaxis], factors


def _celeb_a(folder, rng):
    count, names = COUNTS["celeb_a"], list(SETS["celeb_a"].factors)
    half = np.resize([-1, 1], count)[:, np.newaxis].repeat(40, axis=1)
    signs = rng.permuted(half, axis=0)
    lines, images = [str(count), " ".join(names)], []
    (folder / "img_align_celeba").mkdir()
    for k in range(count):
        pixels = rng.integers(0, 256, (218, 178, 3), np.uint8)
        path = folder / "img_align_celeba" / f"{k + 1:06}.jpg"
        Image.fromarray(pixels).save(path, quality=95)
        decoded = np.asarray(Image.open(path))[35:183, 15:163]
        images.append(Image.fromarray(decoded).resize((64, 64), Image.LANCZOS))
        lines.append(f"{k + 1:06}.jpg  " + "  ".join(map(str, signs[k])))
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    return np.stack(images), (signs > 0).astype(np.int64)


def _mnist(folder, rng):
    count = COUNTS["mnist"]
    pixels = rng.integers(0, 256, (count, 28, 28), np.uint8)
    labels = rng.permutation(np.resize(np.arange(10), count)).astype(np.uint8)
    idx(folder / "train-images-idx3-ubyte.gz", pixels)
    idx(folder / "train-labels.idx1-ubyte", labels)
    images = [Image.fromarray(p).resize((32, 32), Image.BILINEAR) for p in pixels]
    return np.stack(images)[..., np.newaxis], labels.astype(np.int64)[:, np.newaxis]


def idx(path, array):
    """Writes bytes in the form of MNIST's files."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        file.write(header + array.tobytes())


def _faces3d(folder, rng):
    images = []
    for k in range(COUNTS["faces3d"]):
        pixels = rng.integers(0, 256, (80, 100), np.uint8)
        Image.fromarray(pixels).save(folder / f"face{k}.png")
        middle = Image.fromarray(pixels[:, 10:90])
        images.append(middle.resize((64, 64), Image.LANCZOS))
    return np.stack(images)[..., np.newaxis], np.empty((len(images), 0), np.int64)


WRITERS = {
    "dsprites": _dsprites,
    "shapes3d": _shapes3d,
    "smallnorb": _smallnorb,
    "cars3d": _cars3d,
    "mpi3d_toy": _mpi3d,
    "chairs3d": _chairs3d,
    "celeb_a": _celeb_a,
    "mnist": _mnist,
    "faces3d": _faces3d,
}
