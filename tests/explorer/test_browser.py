"""The page in a browser: opened as a file, with the network off."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tf_disentangle.serving import server as serving_server

MODELS = ["vae", "joint_vae", "infogan"]

SETTLED = """() => new Promise((done) => {
  document.addEventListener("explorer:settled", done, { once: true });
  explorer.store.change({});
})"""
PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return { width, height, data: Array.from(data.filter((_, i) => i % 4 === 0)) };
}"""


class View:
    """A page that is ready, with what tests read of it."""

    def __init__(self, page):
        self.page = page

    def settle(self):
        self.page.evaluate(SETTLED)

    def codes(self, run=0):
        codes = self.page.evaluate(f"explorer.store.state.codes[{run}]")
        return np.array([codes], np.float32)

    def pixels(self, selector):
        """The red channel of a canvas, uint8 [H, W]."""
        seen = self.page.locator(selector).evaluate(PIXELS)
        flat = np.array(seen["data"], np.uint8)
        return flat.reshape(seen["height"], seen["width"])

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


@pytest.fixture
def open_page(browser):
    """Opens files; at the end no page has reported an error."""
    contexts, errors = [], []

    def open_file(path, address="", *, wait="html[data-ready]", **options):
        options = {"viewport": {"width": 1280, "height": 900}, "offline": True} | options
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda note: errors.append(note.text) if note.type == "error" else None,
        )
        page.goto(f"{path.as_uri()}{address}")
        page.wait_for_selector(wait, state="attached")
        return View(page)

    yield open_file
    for context in contexts:
        context.close()
    assert not errors


def levels(images):
    """Images in [0, 1] as the page shows them: the first channel in 256 levels."""
    return np.round(255 * images[..., 0]).astype(int)


def assert_shows(view, run, selector="#stage .large canvas", place=0):
    """The canvas has what the model itself decodes from the codes of the page."""
    expected = levels(run.decode(view.codes(place)))[0]
    assert np.abs(view.pixels(selector) - expected).max() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_slider_draws_what_the_model_decodes(name, make_run, page_of, open_page):
    run, view = make_run(name), open_page(page_of(name))
    view.settle()
    start = view.codes()
    images = view.page.evaluate("explorer.runs[0].shelf_codes.length")
    assert images == 16  # all that this run held out
    assert_shows(view, run)
    first = view.pixels("#stage .large canvas")
    np.testing.assert_array_equal(first, view.pixels("#stage figure:not(.large):not(.data):not(.moved) canvas"))
    changed = 0
    for i, column in enumerate(run.model.columns):
        if column.kind == "categorical":
            value = (int(start[0, i]) + 1) % column.num_values
            view.page.check(f"input[name=latent-{i}][value='{value}']", force=True)
            view.settle()
        else:
            # Another end than the one it stands at.
            ends = view.page.evaluate(f"explorer.runs[0].latents[{i}]")
            middle = (ends["low"] + ends["high"]) / 2
            value = ends["low"] if start[0, i] > middle else ends["high"]
            view.slide(i, value)
        assert view.codes()[0, i] == pytest.approx(value, rel=1e-2, abs=1e-2)
        assert_shows(view, run)
        changed += (view.pixels("#stage .large canvas") != first).any()
    assert changed == len(run.model.columns)
    # The strip: the latent in hand over its range.
    latent = run.model.latents.num_latents - 1
    count = run.model.columns[latent].num_values or 9
    ends = view.page.evaluate(f"explorer.runs[0].latents[{latent}]")
    values = range(count) if ends["low"] is None or ends["kind"] == "categorical" else np.linspace(ends["low"], ends["high"], 9)
    rows = np.repeat(view.codes(), count, axis=0)
    rows[:, latent] = list(values)
    strip, width = view.pixels("#strip canvas"), run.model.image_shape[1]
    for i, expected in enumerate(levels(run.decode(rows))):
        shown = strip[:, i * (width + 1) : i * (width + 1) + width]
        assert np.abs(shown - expected).max() <= 1
