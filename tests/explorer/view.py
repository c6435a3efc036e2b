"""What tests read of a page that is open in the browser."""

import io
import time

import numpy as np
from PIL import Image

SETTLED = """() => new Promise((done) => {
  document.addEventListener("explorer:settled", done, { once: true });
  explorer.store.change({});
})"""
PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return { width, height, data: Array.from(data.filter((_, i) => i % 4 < 3)) };
}"""


class View:
    """A page that is ready, with what tests read of it."""

    def __init__(self, page):
        self.page = page

    def settle(self):
        self.page.evaluate(SETTLED)

    def until(self, condition):
        """Waits for an expression to hold; the page's policy forbids to poll there."""
        end = time.monotonic() + 30
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(20)

    def codes(self, run=0):
        codes = self.page.evaluate(f"explorer.store.state.codes[{run}]")
        return np.array([codes], np.float32)

    def pixels(self, selector):
        """What a canvas shows, uint8 [H, W, 3]."""
        seen = self.page.locator(selector).evaluate(PIXELS)
        flat = np.array(seen["data"], np.uint8)
        return flat.reshape(seen["height"], seen["width"], 3).astype(int)

    def slide(self, latent, value):
        """Moves a slider as a pointer does, and waits for the pictures."""
        self.page.evaluate(
            """([id, value]) => {
              const input = document.getElementById(id);
              input.focus();
              input.value = value;
              input.dispatchEvent(new Event("input"));
              input.dispatchEvent(new Event("change"));
            }""",
            [f"latent-{latent}", value],
        )
        self.settle()


def levels(images):
    """Images in [0, 1] as the page shows them, in 256 levels."""
    return np.round(255 * images).astype(int)


def assert_shows(view, run, selector="#stage .large canvas", place=0):
    """The canvas has what the model itself decodes from the codes of the page."""
    expected = levels(run.decode(view.codes(place)))[0]
    assert np.abs(view.pixels(selector) - expected).max() <= 1


def as_file(image, name="own.png"):
    """An image as a file that a page is given."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}
