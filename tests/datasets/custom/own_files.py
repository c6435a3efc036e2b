"""Small files of a user's, for the contract suite: what the sets that read them take.

Together they are a full grid, a table that lacks combinations, one with several images
for some, and a published set.
"""

import numpy as np
from PIL import Image

from tests.datasets.published.published_files import make
from tf_disentangle.datasets import SETS


def noise(count, shape=(16, 16, 3)):
    return np.random.default_rng(3).integers(0, 256, (count, *shape), np.uint8)


def array_file(folder):
    """A full grid of 12 x 5 in a random order."""
    factors = np.stack(np.indices((12, 5)).reshape(2, -1), axis=1)
    factors = np.random.default_rng(1).permutation(factors)
    np.savez(folder / "mine.npz", images=noise(60), factors=factors)
    return {"path": folder / "mine.npz"}


def image_folder(folder):
    """Images of which the combinations a + 2 b < 6 are missing."""
    (folder / "mine").mkdir()
    rows = [(a, b) for a in range(8) for b in range(8) if a + 2 * b >= 6]
    lines = ["image,a,b"]
    for k, (image, (a, b)) in enumerate(zip(noise(len(rows)), rows, strict=True)):
        Image.fromarray(image).save(folder / "mine" / f"{k}.png")
        lines.append(f"{k},{a},{b}")
    (folder / "table.csv").write_text("\n".join(lines))
    table = folder / "table.csv"
    return {"path": folder / "mine", "factors": table, "size": 16}


def tf_data():
    """Fifteen images of each of four labels."""
    import tensorflow as tf

    pairs = (noise(60), np.arange(60) % 4)
    return {"dataset": tf.data.Dataset.from_tensor_slices(pairs)}


def published(folder, monkeypatch):
    """Shapes3D, 96 images of it."""
    row = make("shapes3d", folder / "files").row
    monkeypatch.setitem(SETS, "shapes3d", row)
    return {"name": "shapes3d", "source": folder / "files"}
