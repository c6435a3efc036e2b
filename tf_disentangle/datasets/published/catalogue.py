"""The published sets, one row each: what they hold, where they are, how they are read.

A further set is a row here, and a reader if its format is a new one.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

from tf_disentangle.datasets.files import readers
from tf_disentangle.datasets.files.preprocessing import Preprocessing
from tf_disentangle.datasets.files.source import Source


@dataclasses.dataclass(frozen=True)
class File:
    """A published file.

    Attributes:
        name: Its published name, under which it is looked for and kept.
        url: Where it is; "" where nobody may publish it.
        patterns: What else it may be called or unpacked to (glob); a folder counts.
        content_md5: MD5 of what the file unpacks to, so that the same content in other
            packing is accepted; None if it is not known.
        or_folder: Whether a folder with what it unpacks to will do as well.
    """

    name: str
    url: str
    patterns: tuple[str, ...] = ()
    content_md5: str | None = None
    or_folder: bool = False


#: The files of each split, by the key that the reader knows them by.
Files = Mapping[str, Mapping[str, File]]


@dataclasses.dataclass(frozen=True)
class TFDSNames:
    """The set in TensorFlow Datasets.

    Attributes:
        name: Name of the builder.
        splits: Our splits to theirs.
        factors: Features that hold the factors, in our order; "/" leads into a nested
            one.
    """

    name: str
    splits: Mapping[str, str]
    factors: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class PublishedSet:
    """A row of the table.

    Attributes:
        title: One line.
        counts: Published number of images of each split; the first is the default.
            None where each user has other files.
        factors: Sizes of the factors by name. A split is a full grid if it has
            one image for each combination.
        preprocessing: What is done with the images.
        files: See `Files`.
        reader: (paths by key, factors) -> `Source`.
        licence: Its short name.
        reference: Paper or page to cite.
        notes: What else users should know.
        tfds: None where TensorFlow Datasets does not have it.
    """

    title: str
    counts: Mapping[str, int | None]
    factors: Mapping[str, int]
    preprocessing: Preprocessing
    files: Files
    reader: Callable[[Mapping, Mapping], Source]
    licence: str
    reference: str
    notes: str = ""
    tfds: TFDSNames | None = None

    def is_grid(self, split: str) -> bool:
        """Whether the split has each combination of factors once."""
        combinations = math.prod(self.factors.values())
        return bool(self.factors) and combinations == self.counts[split]


def _single(name: str, url: str, *patterns: str, or_folder: bool = False) -> Files:
    """The files of a set of one split that lies in one file."""
    return {"all": {"images": File(name, url, patterns, or_folder=or_folder)}}


_GREY_64, _RGB_64 = Preprocessing(64, 1), Preprocessing(64, 3)
_read_rgb = functools.partial(readers.read_arrays, shape=(64, 64, 3))

_SPRITES = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64"
_DSPRITES = PublishedSet(
    title="2D shapes, white on black",
    counts={"all": 737_280},
    factors={"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32},
    preprocessing=dataclasses.replace(_GREY_64, white=1),
    files=_single(
        f"{_SPRITES}.hdf5",
        "https://github.com/deepmind/dsprites-dataset/blob/master/"
        f"{_SPRITES}.hdf5?raw=true",
        *("dsprites*.npz", "dsprites*.hdf5", "dsprites*.h5"),
    ),
    reader=functools.partial(
        readers.read_arrays,
        shape=(64, 64),
        images=("imgs",),
        factors=("latents_classes", "latents/classes"),
        first_factor=1,
    ),
    licence="Apache-2.0",
    reference="Matthey et al. (2017), github.com/deepmind/dsprites-dataset",
    notes="Published with pixels 0 and 1; prepared with 0 and 255. DSprites draws the "
    "same grid without a download.",
    tfds=TFDSNames(
        "dsprites",
        {"all": "train"},
        tuple(
            f"label_{name}"
            for name in ("shape", "scale", "orientation", "x_position", "y_position")
        ),
    ),
)

_HUES = {"floor_hue": 10, "wall_hue": 10, "object_hue": 10}
_SHAPES3D = PublishedSet(
    title="a coloured solid in a coloured room",
    counts={"all": 480_000},
    factors={**_HUES, "scale": 8, "shape": 4, "orientation": 15},
    preprocessing=_RGB_64,
    files=_single(
        "3dshapes.h5",
        "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
        *("3dshapes*.h5", "3dshapes*.npz", "shapes3d*.npz"),
    ),
    reader=functools.partial(_read_rgb, factors=("labels",), are_values=True),
    licence="Apache-2.0",
    reference="Burgess and Kim (2018), github.com/deepmind/3d-shapes",
    tfds=TFDSNames(
        "shapes3d",
        {"all": "train"},
        tuple(f"label_{n}" for n in (*_HUES, "scale", "shape", "orientation")),
    ),
)

_NORB_URL = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_NORB_PARTS = {
    "training": "smallnorb-5x46789x9x18x6x2x96x96-training",
    "testing": "smallnorb-5x01235x9x18x6x2x96x96-testing",
}
_SMALLNORB = PublishedSet(
    title="photographs of 50 toys, the left camera's",
    counts={"all": 48_600},
    factors=dict(category=5, instance=10, elevation=9, azimuth=18, lighting=6),
    preprocessing=_GREY_64,
    files={
        "all": {
            f"{part}-{kind}": File(
                f"{name}-{kind}.mat.gz",
                f"{_NORB_URL}{name}-{kind}.mat.gz",
                (f"{name}-{kind}.mat", f"*{part}-{kind}.mat", f"*{part}-{kind}.mat.gz"),
            )
            for part, name in _NORB_PARTS.items()
            for kind in ("dat", "cat", "info")
        }
    },
    reader=readers.read_norb,
    licence="for research only",
    reference="LeCun, Huang and Bottou (CVPR 2004), cs.nyu.edu/~ylclab/data/norb-v1.0",
    notes="Training and testing parts together. The 2019 study scores all factors but "
    "the instance, which varies: METRIC.factors = ['category', 'elevation', 'azimuth', "
    "'lighting'].",
    tfds=TFDSNames(
        "smallnorb",
        {"all": "train+test"},
        (
            *("label_category", "instance"),
            *("label_elevation", "label_azimuth", "label_lighting"),
        ),
    ),
)

_CARS3D = PublishedSet(
    title="183 cars in 96 views",
    counts={"all": 17_568},
    factors={"elevation": 4, "azimuth": 24, "object": 183},
    preprocessing=_RGB_64,
    files=_single(
        "nips2015-analogy-data.tar.gz",
        "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
        *("nips2015-analogy-data*", "cars", "cars3d"),
        or_folder=True,
    ),
    reader=readers.read_cars,
    licence="none stated",
    reference="Reed et al., Deep Visual Analogy-Making (NIPS 2015)",
    notes="Cars are numbered by their files' names; the code of the 2019 study took "
    "the order of its directory listing.",
)

_GOOGLE = "https://storage.googleapis.com"
_MPI3D_URL = f"{_GOOGLE}/mpi3d_disentanglement_dataset/data"


def _mpi3d(
    kind: str, name: str, colours: int = 6, shapes: int = 6, folder: str = _MPI3D_URL
) -> PublishedSet:
    factors = dict(object_color=colours, object_shape=shapes, object_size=2)
    factors |= dict(camera_height=3, background_color=3)
    factors |= dict(horizontal_axis=40, vertical_axis=40)
    return PublishedSet(
        title=f"an object on a robot's arm, {kind}",
        counts={"all": math.prod(factors.values())},
        factors=factors,
        preprocessing=_RGB_64,
        # By its name alone: the kinds have equally many images of one shape.
        files=_single(name, f"{folder}/{name}"),
        reader=_read_rgb,
        licence="CC BY 4.0",
        reference="Gondal et al. (NeurIPS 2019), arXiv:1906.03292, "
        "github.com/rr-learning/disentanglement_dataset",
        notes="Images lie in the order of the grid. The file is 12.7 GB, not packed."
        if colours == 6
        else "The file of the 2019 challenge and of disentanglement_lib, without the "
        "held out colours and shapes; its published address is dead.",
    )


_CHAIRS3D = PublishedSet(
    title="1,393 chairs in 62 views",
    counts={"all": 86_366},
    factors={"chair": 1393, "elevation": 2, "azimuth": 31},
    preprocessing=dataclasses.replace(_GREY_64, crop=400),
    files=_single(
        "rendered_chairs.tar",
        "https://www.di.ens.fr/willow/research/seeing3Dchairs/data/rendered_chairs.tar",
        "rendered_chairs*",
        or_folder=True,
    ),
    reader=readers.read_chairs,
    licence="none stated",
    reference="Aubry et al., Seeing 3D chairs (CVPR 2014)",
    notes="The angles are in the files' names; they are numbered by their degrees.",
)

_FACES3D = PublishedSet(
    title="rendered faces, from a folder of yours",
    counts={"all": None},
    factors={},
    preprocessing=_GREY_64,
    files=_single("faces3d", "", "faces3d*", or_folder=True),
    reader=readers.read_images,
    licence="the Basel Face Model's, for research",
    reference="Paysan et al. (AVSS 2009), faces.dmi.unibas.ch/bfm",
    notes="Nobody may publish the images: render them from the model (FactorVAE had "
    "239,840) and name their folder with --source.",
)

_ATTRIBUTES = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips "
    "Big_Nose Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby "
    "Double_Chin Eyeglasses Goatee Gray_Hair Heavy_Makeup High_Cheekbones Male "
    "Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face Pale_Skin "
    "Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair "
    "Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
_CELEBA_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
_GOOGLE_DRIVE = "https://drive.google.com/uc?export=download&id="
_CELEB_A = PublishedSet(
    title="faces with 40 attributes of yes or no",
    counts={"all": 202_599},
    factors=dict.fromkeys(_ATTRIBUTES.split(), 2),
    preprocessing=dataclasses.replace(_RGB_64, crop=148),
    files={
        "all": {
            "images": File(
                "img_align_celeba.zip",
                f"{_GOOGLE_DRIVE}0B7EVK8r0v71pZjFTYXZWM3FlRnM",
                ("img_align_celeba*",),
            ),
            "attributes": File(
                "list_attr_celeba.txt",
                f"{_GOOGLE_DRIVE}0B7EVK8r0v71pblRyaVFSWGxPY0U",
                ("list_attr_celeba*",),
            ),
        }
    },
    reader=readers.read_celeba,
    licence="for research, not commercial",
    reference=f"Liu et al. (ICCV 2015), {_CELEBA_PAGE}",
    notes="Google Drive often refuses programs: then fetch it by hand from "
    f"{_CELEBA_PAGE}. Cropped to the middle 148 x 148.",
    tfds=TFDSNames(
        "celeb_a",
        {"all": "train+validation+test"},
        tuple(f"attributes/{name}" for name in _ATTRIBUTES.split()),
    ),
)


def _mnist(
    names: tuple[str, str, str],
    url: str,
    licence: str,
    reference: str,
    content_md5: tuple[str | None, ...] = (None,) * 4,
) -> PublishedSet:
    """MNIST and what is published in its form: four files in the folder `url`."""
    factor, title, tfds = names  # `tfds` is that of TensorFlow Datasets.
    md5 = iter(content_md5)
    # Files of both sets in one folder are told apart by what stands in front.
    fronts = ("", f"{tfds.replace('_', '[-_]')}-")
    files = {
        split: {
            key: File(
                f"{prefix}-{kind}-ubyte.gz",
                f"{url}{prefix}-{kind}-ubyte.gz",
                tuple(
                    f"{front}{prefix}-{kind.replace('-', '[-.]')}-ubyte*"
                    for front in fronts
                ),
                next(md5),
            )
            for key, kind in (("images", "images-idx3"), ("labels", "labels-idx1"))
        }
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }
    return PublishedSet(
        title=title,
        counts={"train": 60_000, "test": 10_000},
        factors={factor: 10},
        preprocessing=Preprocessing(32, 1, filter="bilinear"),
        files=files,
        reader=readers.read_idx,
        licence=licence,
        reference=reference,
        notes="28 x 28, enlarged to 32 x 32 as in JointVAE's code.",
        tfds=TFDSNames(tfds, {"train": "train", "test": "test"}, ("label",)),
    )


# The MD5 of the unpacked training files are the well-known ones. Those of the test
# files were computed from a copy with other gzip framing, whose 10,000 digits have the
# published counts (tests/datasets/published/test_tfds.py).
_MNIST = _mnist(
    ("digit", "handwritten digits", "mnist"),
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "CC BY-SA 3.0",
    "LeCun, Cortes and Burges, yann.lecun.com/exdb/mnist",
    (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
)
_FASHION_MNIST = _mnist(
    ("article", "photographs of clothes", "fashion_mnist"),
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "MIT",
    "Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747",
)

_CHALLENGE = f"{_GOOGLE}/disentanglement_dataset/data_npz"

#: The table.
SETS: dict[str, PublishedSet] = {
    "dsprites": _DSPRITES,
    "shapes3d": _SHAPES3D,
    "smallnorb": _SMALLNORB,
    "cars3d": _CARS3D,
    "mpi3d_toy": _mpi3d("simply rendered", "mpi3d_toy.npz"),
    "mpi3d_realistic": _mpi3d("realistically rendered", "mpi3d_realistic.npz"),
    "mpi3d_real": _mpi3d("photographed", "mpi3d_real.npz"),
    "mpi3d_toy_challenge": _mpi3d(
        "simply rendered, 4 colours and 4 shapes",
        "sim_toy_64x_ordered_without_heldout_factors.npz",
        4,
        4,
        _CHALLENGE,
    ),
    "chairs3d": _CHAIRS3D,
    "faces3d": _FACES3D,
    "celeb_a": _CELEB_A,
    "mnist": _MNIST,
    "fashion_mnist": _FASHION_MNIST,
}
