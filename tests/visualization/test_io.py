import base64
import io
import xml.etree.ElementTree

import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests.visualization.pixels import noise
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import Picture, image_grid, save, save_gif, scatters

SVG = "{http://www.w3.org/2000/svg}"


def grey(count, size=12):
    return np.repeat(noise(count, size, size, 1), 3, axis=-1)


class TestPng:
    def test_round_trip(self, tmp_path):
        image = noise(9, 7, 3)
        path = tmp_path / "new" / "folder" / "a.png"
        save(image, path)
        np.testing.assert_array_equal(np.array(Image.open(path)), image)
        assert [p.name for p in path.parent.iterdir()] == ["a.png"]

    def test_replaces_a_former_picture(self, tmp_path):
        path = tmp_path / "a.png"
        for seed in (0, 1):
            image = noise(4, 4, 3, seed=seed)
            save(image, str(path))
            np.testing.assert_array_equal(np.array(Image.open(path)), image)


class TestVectors:
    """What is written as SVG is read here by an XML parser; PDF by its text objects."""

    @pytest.fixture
    def page(self):
        tiles = noise(2, 3, 6, 6, 1)
        labels = {"title": "A title", "row_labels": [("z0", "KL 1.5\n<x> & y"), "z1"]}
        return image_grid(tiles, scale=8, **labels)

    def test_text_is_text_and_tiles_are_a_picture_without_it(self, page, tmp_path):
        save(page, tmp_path / "a.svg")
        root = xml.etree.ElementTree.parse(tmp_path / "a.svg").getroot()
        texts = ["".join(e.itertext()) for e in root.iter(f"{SVG}text")]
        assert texts == ["A title", "z0", "KL 1.5", "<x> & y", "z1"]
        (image,) = root.iter(f"{SVG}image")
        data = image.get("{http://www.w3.org/1999/xlink}href").partition("base64,")[2]
        seen = np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        np.testing.assert_array_equal(seen, page.tiles)
        differs = np.argwhere((page.tiles != page).any(axis=-1))
        assert len(differs), "the letters alone"
        assert set(np.unique(page.tiles[tuple(differs.T)])) == {255}

    def test_pdf_is_one_and_keeps_its_fonts(self, page, tmp_path):
        save(page, tmp_path / "a.pdf")
        content = (tmp_path / "a.pdf").read_bytes()
        assert content.startswith(b"%PDF") and b"/FontFile2" in content
        save(page, tmp_path / "b.pdf")
        assert (tmp_path / "b.pdf").read_bytes() == content

    def test_a_chart_is_text_and_paths(self, tmp_path):
        save(scatters({"a panel": {"": np.eye(2)}}), tmp_path / "a.svg")
        root = xml.etree.ElementTree.parse(tmp_path / "a.svg").getroot()
        assert ["".join(e.itertext()) for e in root.iter(f"{SVG}text")] == ["a panel"]
        assert not list(root.iter(f"{SVG}image"))

    def test_a_part_of_a_page_is_pixels_alone(self, page, tmp_path):
        part = page[20:60, 20:90]
        assert isinstance(part, Picture) and part.tiles is None
        save(part, tmp_path / "a.svg")
        root = xml.etree.ElementTree.parse(tmp_path / "a.svg").getroot()
        assert not list(root.iter(f"{SVG}text")) and list(root.iter(f"{SVG}image"))

    def test_a_notebook_shows_the_page(self, page):
        seen = np.array(Image.open(io.BytesIO(page._repr_png_())).convert("RGB"))
        np.testing.assert_array_equal(seen, page)
        assert (page > 3)._repr_png_() is None
        height, width, _ = page.shape
        assert repr(page) == f"<Picture, {width} x {height} pixels>"
        assert repr(page[0, 0]) == "Picture([255, 255, 255], dtype=uint8)"
        red = page.copy()
        red[0, 0] = (255, 0, 0)
        seen = np.array(Image.open(io.BytesIO(red._repr_png_())))
        np.testing.assert_array_equal(seen, red)

    def test_a_notebook_shows_a_chart_without_pyplot(self):
        figure = scatters({"a panel": {"": np.eye(2)}})
        with Image.open(io.BytesIO(figure._repr_png_())) as seen:
            assert seen.format == "PNG" and seen.width > 100


class TestGif:
    def test_frames_loop_and_duration(self, tmp_path):
        frames = grey(5)
        save_gif(frames, tmp_path / "a.gif", fps=8)
        with Image.open(tmp_path / "a.gif") as gif:
            assert gif.n_frames == 5
            assert gif.info["loop"] == 0
            seen = []
            for frame in ImageSequence.Iterator(gif):
                assert frame.info["duration"] == 120
                seen.append(np.array(frame.convert("RGB")))
        np.testing.assert_array_equal(seen, frames)

    def test_one_frame(self, tmp_path):
        save_gif(grey(1), tmp_path / "a.gif")
        with Image.open(tmp_path / "a.gif") as gif:
            assert gif.n_frames == 1

    def test_colours_share_a_palette_and_the_page_stays_white(self, tmp_path):
        frames = np.full((3, 40, 40, 3), 255, np.uint8)
        ramp = np.linspace(0, 255, 20).astype(np.uint8)
        for number, frame in enumerate(frames):
            frame[10:30, 10:30, number] = ramp
        save_gif(frames, tmp_path / "a.gif")
        with Image.open(tmp_path / "a.gif") as gif:
            seen = np.array(
                [np.array(f.convert("RGB")) for f in ImageSequence.Iterator(gif)]
            )
        assert np.all(seen[:, :10] == 255)
        error = np.abs(seen.astype(int) - frames)
        assert error.max() <= 16


class TestAtomic:
    @pytest.fixture
    def failing(self, monkeypatch):
        def save(self, file, *args, **options):
            file.write(b"half a picture")
            raise OSError("disk full")

        monkeypatch.setattr(Image.Image, "save", save)

    def test_a_failure_leaves_nothing(self, failing, tmp_path):
        with pytest.raises(ArgumentError, match="disk full"):
            save(noise(4, 4, 3), tmp_path / "a.png")
        with pytest.raises(ArgumentError, match="disk full"):
            save_gif(grey(2), tmp_path / "a.gif")
        assert not list(tmp_path.iterdir())

    def test_a_picture_is_renamed_into_place(self, tmp_path):
        """Who has the former file open goes on seeing all of it."""
        (tmp_path / "a.png").write_bytes(b"former")
        with (tmp_path / "a.png").open("rb") as reader:
            save(noise(4, 4, 3), tmp_path / "a.png")
            assert reader.read() == b"former"

    def test_a_failure_leaves_the_former_picture(self, failing, tmp_path):
        (tmp_path / "a.png").write_bytes(b"former")
        with pytest.raises(ArgumentError, match="disk full"):
            save(noise(4, 4, 3), tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes() == b"former"
        assert len(list(tmp_path.iterdir())) == 1


class TestErrors:
    @pytest.mark.parametrize(
        ("image", "name", "match"),
        [
            (noise(4, 4, 1), "a.png", r"picture must have shape \[H, W, 3\]"),
            (noise(2, 4, 4, 3), "a.png", r"picture must have shape \[H, W, 3\]"),
            (np.zeros((4, 4, 3)), "a.png", "picture must be uint8; received 'float64'"),
            (noise(4, 4, 3), "a.jpg", "path must end in .png, .pdf or .svg"),
        ],
    )
    def test_png(self, image, name, match, tmp_path):
        with pytest.raises(ArgumentError, match=match):
            save(image, tmp_path / name)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("frames", "options", "match"),
        [
            (noise(4, 4, 3), {}, r"frames must have shape \[T, H, W, 3\]"),
            (grey(2), {"fps": 0}, "fps must be greater than 0"),
            (grey(2), {"fps": 60}, "fps must be at most 50"),
        ],
    )
    def test_gif(self, frames, options, match, tmp_path):
        with pytest.raises(ArgumentError, match=match):
            save_gif(frames, tmp_path / "a.gif", **options)
