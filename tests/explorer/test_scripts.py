"""The page's modules alone, in the browser, on arrays with known answers."""

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="module")
def page(browser, page_of):
    page = browser.new_page()
    page.goto(page_of("vae").as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    page.close()


def test_shares_of_two_traversals(page):
    """Two pixels, two traversals of two images: worked by hand."""
    found = page.evaluate(
        """async () => {
          const { pixelVariances, shares } = await import("explorer/pictures");
          const shape = [1, 2, 1];
          // Pixel 0: from 0 to 1, and from 0 to 0.5; pixel 1: still, and 0 to 1.
          const rows = [[0, 0.3, 1, 0.3], [0, 0, 0.5, 1]];
          const images = rows.map((row) => new Float32Array(row));
          const variances = pixelVariances(images, shape);
          const one = shares(variances, 0);
          return {
            variances: variances.map((v) => Array.from(v)),
            pixels: Array.from(one.pixels),
            all: one.all,
          };
        }"""
    )
    variances = np.array([[0.25, 0.0], [0.0625, 0.25]])
    np.testing.assert_allclose(found["variances"], variances, atol=1e-6)
    totals = variances.sum(axis=0)
    expected = variances[0] / totals * np.sqrt(totals / totals.max())
    np.testing.assert_allclose(found["pixels"], expected, atol=1e-6)
    assert found["all"] == pytest.approx(0.25 / 0.5625, rel=1e-6)


@pytest.mark.parametrize("size", [(3, 5), (96, 90)])
def test_a_gif_is_read_by_pillow(size, page):
    """Noise fills LZW's table several times over; flat pictures never."""
    width, height = size
    rng = np.random.default_rng(0)
    frames = rng.choice([0, 51, 102, 153, 204, 255], (3, height, width, 3))
    frames[2] = [51, 0, 255]
    film = page.evaluate(
        """async ([frames, width, height]) => {
          const { encodeGif } = await import("explorer/gif");
          const images = frames.map((frame) => {
            const image = new ImageData(width, height);
            frame.forEach((value, i) => {
              image.data[4 * Math.floor(i / 3) + (i % 3)] = value;
            });
            return image;
          });
          return Array.from(new Uint8Array(await encodeGif(images, 7).arrayBuffer()));
        }""",
        [[frame.ravel().tolist() for frame in frames], width, height],
    )
    with Image.open(io.BytesIO(bytes(film))) as read:
        assert read.size == size
        assert read.n_frames == 3
        for i, frame in enumerate(frames):
            read.seek(i)
            assert read.info["duration"] == 70
            shown = np.asarray(read.convert("RGB")).astype(int)
            grey = (frame == frame[..., :1]).all(axis=-1)
            np.testing.assert_array_equal(shown[~grey], frame[~grey])
            assert np.abs(shown - frame).max() <= 4  # 40 greys


def test_a_state_is_read_as_it_was_written(page):
    told, read = page.evaluate(
        """async () => {
          const { parse, serialize } = await import("explorer/state");
          const { runs } = explorer;
          const state = { image: 4, other: 2, lead: 0, hand: 1, axes: [2, 0],
            codes: [[0.123456, -1e-7, 1234.5, 0]] };
          return [state, parse(serialize(state, runs), runs, 20)];
        }"""
    )
    assert read == told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "image=20",
        "image=-1",
        "image=1.5",
        "codes=1+2",
        "hand=__proto__",
        "axes=z0+q",
    ],
)
def test_a_state_that_makes_no_sense_is_left_out(text, page):
    read = page.evaluate(
        """async (text) => {
          const { parse } = await import("explorer/state");
          return parse(text, explorer.runs, 20);
        }""",
        text,
    )
    assert read == {}
