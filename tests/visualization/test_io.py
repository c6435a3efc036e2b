import numpy as np
import pytest
from PIL import Image, ImageSequence

from tests.visualization.pixels import noise
from tf_disentangle.checks import ArgumentError
from tf_disentangle.visualization import save_gif, save_png


def grey(count, size=12):
    return np.repeat(noise(count, size, size, 1), 3, axis=-1)


class TestPng:
    def test_round_trip(self, tmp_path):
        image = noise(9, 7, 3)
        path = tmp_path / "new" / "folder" / "a.png"
        save_png(image, path)
        np.testing.assert_array_equal(np.array(Image.open(path)), image)
        assert [p.name for p in path.parent.iterdir()] == ["a.png"]

    def test_replaces_a_former_picture(self, tmp_path):
        path = tmp_path / "a.png"
        for seed in (0, 1):
            image = noise(4, 4, 3, seed=seed)
            save_png(image, str(path))
            np.testing.assert_array_equal(np.array(Image.open(path)), image)


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
        def save(self, file, **options):
            file.write(b"half a picture")
            raise OSError("disk full")

        monkeypatch.setattr(Image.Image, "save", save)

    def test_a_failure_leaves_nothing(self, failing, tmp_path):
        with pytest.raises(ArgumentError, match="disk full"):
            save_png(noise(4, 4, 3), tmp_path / "a.png")
        with pytest.raises(ArgumentError, match="disk full"):
            save_gif(grey(2), tmp_path / "a.gif")
        assert not list(tmp_path.iterdir())

    def test_a_picture_is_renamed_into_place(self, tmp_path):
        """Who has the former file open goes on seeing all of it."""
        (tmp_path / "a.png").write_bytes(b"former")
        with (tmp_path / "a.png").open("rb") as reader:
            save_png(noise(4, 4, 3), tmp_path / "a.png")
            assert reader.read() == b"former"

    def test_a_failure_leaves_the_former_picture(self, failing, tmp_path):
        (tmp_path / "a.png").write_bytes(b"former")
        with pytest.raises(ArgumentError, match="disk full"):
            save_png(noise(4, 4, 3), tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes() == b"former"
        assert len(list(tmp_path.iterdir())) == 1


class TestErrors:
    @pytest.mark.parametrize(
        ("image", "name", "match"),
        [
            (noise(4, 4, 1), "a.png", r"image must have shape \[H, W, 3\]"),
            (noise(2, 4, 4, 3), "a.png", r"image must have shape \[H, W, 3\]"),
            (np.zeros((4, 4, 3)), "a.png", "image must be uint8; received 'float64'"),
            (noise(4, 4, 3), "a.jpg", "path must end in .png"),
        ],
    )
    def test_png(self, image, name, match, tmp_path):
        with pytest.raises(ArgumentError, match=match):
            save_png(image, tmp_path / name)
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
