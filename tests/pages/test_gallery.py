"""The gallery of a page: where the images of a picture are, and what is left out."""

import re

import numpy as np
from PIL import Image

from tests.visualization.pixels import noise
from tf_disentangle import visualization
from tf_disentangle.pages import gallery


def grid():
    """Two by three images, one place empty, with labels of all kinds."""
    return visualization.image_grid(
        noise(2, 3, 20, 20, 3),
        title="title",
        row_labels=["l", "---"],
        column_labels=["|", "a", "b"],
        present=np.array([[True, True, True], [True, True, False]]),
        scale=2,
    )


def test_images_are_found_by_their_frames():
    picture = grid()
    tiles = gallery.tiles_of(np.asarray(picture))
    assert len(tiles) == 5
    for left, top, right, bottom in tiles:
        assert (right - left, bottom - top) == (42, 42)  # 2 x 20 and the frame
    # All that is not white is in an image, or in a text.
    outside = np.asarray(picture.tiles).copy()
    for left, top, right, bottom in tiles:
        outside[top:bottom, left:right] = 255
    assert (outside == 255).all()


def test_a_picture_without_images_has_none():
    assert gallery.tiles_of(np.full((40, 40, 3), 255, np.uint8)) == []
    assert gallery.tiles_of(np.full((4, 4, 3), 185, np.uint8)) == []


def test_pictures_of_one_width_stand_together(tmp_path):
    sizes = {"narrow": 300, "wide": 1800, "posteriors": 300, "broken": 0}
    for name, width in sizes.items():
        if width:
            Image.new("RGB", (width, 90), "white").save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    visualization.save(grid(), tmp_path / "samples.png")
    visualization.save(grid(), tmp_path / "traversals.png")
    visualization.save_gif(np.stack([grid(), grid()]), tmp_path / "traversals.gif")
    (tmp_path / "samples.pdf").write_bytes(b"for a paper")
    text = gallery.of_files(sorted(tmp_path.iterdir()))
    wide, columns = text.split('<div class="columns">')
    assert wide.count("<figure>") == 1 and "1200px" in wide
    assert columns.count("<figure>") == 5
    kinds = dict(re.findall(r'class="picture ([^"]*)".*?<b>(.*?)</b>', text)[::-1])
    assert set(kinds) == {"", "plot", "grid", "moving grid"}
    assert kinds["plot"] == "posteriors" and kinds["moving grid"] == "traversals"
    # Around the picture, and around each of five images.
    corners = re.search(r"polygon\(evenodd,([^)]*)\)", text)[1].split(",")
    assert len(corners) == 5 + 5 * 6
    assert gallery.of_files([]) == ""
