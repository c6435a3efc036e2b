"""The page in a browser: opened as a file, with the network off."""

import numpy as np
import pytest
from PIL import Image

from tests.explorer.view import as_file, assert_shows, levels

MODELS = [
    "joint_vae",
    *[pytest.param(name, marks=pytest.mark.slow) for name in ("vae", "infogan")],
]


@pytest.mark.parametrize("name", MODELS)
def test_a_slider_draws_what_the_model_decodes(name, make_run, view_of):
    run, view = make_run(name), view_of(name)
    start = view.codes()
    images = view.page.evaluate("explorer.runs[0].shelf_codes.length")
    assert images == 20  # all that this run held out
    assert_shows(view, run)
    first = view.pixels("#stage .large canvas")
    moves = view.page.evaluate("explorer.runs[0].latents.map((l) => l.moves)")
    np.testing.assert_array_equal(first, view.pixels("#stage .again canvas"))
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
    assert changed >= sum(moves) > 1
    # The strip: the latent in hand over its range.
    latent = run.model.latents.num_latents - 1
    count = run.model.columns[latent].num_values or 9
    ends = view.page.evaluate(f"explorer.runs[0].latents[{latent}]")
    is_number = ends["kind"] == "continuous"
    values = np.linspace(ends["low"], ends["high"], 9) if is_number else range(count)
    rows = np.repeat(view.codes(), count, axis=0)
    rows[:, latent] = list(values)
    strip, width = view.pixels("#strip canvas"), run.model.image_shape[1]
    for i, expected in enumerate(levels(run.decode(rows))):
        shown = strip[:, i * (width + 1) : i * (width + 1) + width]
        assert np.abs(shown - expected).max() <= 1


@pytest.fixture
def run(make_run):
    return make_run("vae")


@pytest.fixture
def view(view_of):
    return view_of("vae")


def shelf_of(run):
    """The images on the shelf: held out, in the order that the seed gives."""
    rng = np.random.default_rng(run.batches.seed)
    return np.asarray(run.data.images()[rng.permutation(run.batches.held_out)])


def test_it_starts_from_an_image_of_the_shelf(view, run):
    images = shelf_of(run)
    np.testing.assert_allclose(
        view.codes(), run.encode(images[:1]), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(view.pixels("#stage .original canvas"), images[0])
    view.page.check("#shelf input[value='7']", force=True)
    view.settle()
    np.testing.assert_allclose(
        view.codes(), run.encode(images[7:8]), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(view.pixels("#stage .original canvas"), images[7])
    assert_shows(view, run)
    assert_shows(view, run, "#stage .again canvas")


def test_a_latent_that_moves_nothing_is_folded_away_and_has_no_factor(view, run):
    # The decoder was made deaf to the last, which a score has for the size.
    titles = "#controls {} .latent-title"
    shown = view.page.locator(titles.format("> .latent")).all_inner_texts()
    assert sorted(" ".join(text.split()) for text in shown) == ["x z0", "y z1", "z2"]
    folded = view.page.locator(titles.format(".unused")).all_text_contents()
    assert folded == ["z3"]
    assert view.page.locator(".unused summary").inner_text() == (
        "1 latent that changes nothing"
    )
    notes = view.page.locator("#latent-0 + .notes").inner_text()
    assert notes.startswith("75% of its 40 votes · KL ")


def test_randomise_undo_and_reset(view, run):
    start = view.codes()
    view.page.click("#randomise")
    view.settle()
    drawn = view.codes()
    prior = view.page.evaluate("explorer.runs[0].prior_codes")
    assert drawn[0].tolist() in np.array(prior, np.float32).tolist()
    # 200 draws of N(0, I): their spread is that of the prior to 5 standard errors.
    assert np.std(prior) == pytest.approx(1, abs=5 / np.sqrt(2 * 800))
    assert_shows(view, run)
    view.slide(0, 0.5)
    view.page.click("#undo")
    view.settle()
    np.testing.assert_allclose(view.codes(), drawn, rtol=1e-5)
    view.page.keyboard.press("Control+z")
    view.settle()
    np.testing.assert_allclose(view.codes(), start, rtol=1e-5)
    view.page.click("#undo")
    assert view.page.locator("#said").inner_text() == "Nothing to undo."
    view.slide(1, -0.7)
    view.page.click("#reset")
    view.settle()
    np.testing.assert_allclose(view.codes(), start, rtol=1e-5)


def test_an_own_image_is_encoded_in_the_page(view, run):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, run.model.image_shape, dtype=np.uint8)
    view.page.set_input_files("#file", as_file(image))
    view.until("explorer.store.state.image === 'own'")
    view.settle()
    # The encoder's weights have 16 bits in the page.
    np.testing.assert_allclose(
        view.codes(), run.encode(image[None]), rtol=1e-2, atol=5e-3
    )
    np.testing.assert_array_equal(view.pixels("#stage .original canvas"), image)
    caption = view.page.locator("#stage .original figcaption")
    assert caption.inner_text() == "your image"
    assert_shows(view, run)
    # A wide picture: its middle, resized.
    wide = np.repeat(np.repeat(image, 4, 0), 4, 1)
    wide = np.pad(wide, ((0, 0), (40, 40), (0, 0)))
    view.page.check("#shelf input[value='2']", force=True)
    view.page.set_input_files("#file", as_file(wide, "wide.png"))
    view.until("explorer.store.state.image === 'own'")
    view.settle()
    difference = view.pixels("#stage .original canvas") - image
    assert np.abs(difference).max() <= 2
    view.page.check("#shelf input[value='2']", force=True)
    view.settle()
    assert caption.inner_text() == "data image"


def test_a_value_beyond_the_range_is_told(view, run):
    latent = view.page.evaluate("explorer.runs[0].latents[0]")
    length = latent["high"] - latent["low"]
    values = {"below": latent["low"] - length, "": latent["low"]}
    for place, value in values.items():
        view.page.evaluate("(value) => explorer.store.set(0, value)", value)
        view.settle()
        note = ", beyond the range" if place else ""
        said = f"{value:.2f}{note}".replace("-", "\N{MINUS SIGN}")
        assert view.page.locator("output[for=latent-0]").inner_text() == said
        slider = view.page.locator("#latent-0")
        assert slider.get_attribute("aria-valuetext") == said
        mark = view.page.locator("#strip .mark")
        assert mark.get_attribute("class").split() == ["mark", *place.split()]
        assert_shows(view, run)
        # The mark hides no number.
        number = view.page.locator("#strip .ends span").first.evaluate(
            """(span) => {
              const range = document.createRange();
              range.selectNodeContents(span);
              return range.getBoundingClientRect().top;
            }"""
        )
        box = mark.bounding_box()
        assert box["y"] + box["height"] <= number


def test_a_file_that_is_no_image_is_named_and_nothing_is_lost(view, run):
    start = view.codes()
    file = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no image"}
    view.page.set_input_files("#file", file)
    view.page.wait_for_selector("#message:not([hidden])")
    assert view.page.locator("#message").inner_text() == (
        "notes.txt is not an image that this browser can read. "
        "PNG, JPEG, WebP and GIF work."
    )
    np.testing.assert_array_equal(view.codes(), start)
    view.slide(0, 1.0)
    assert_shows(view, run)


def test_the_url_holds_the_state(view, run, page_of, open_page):
    view.page.check("#shelf input[value='3']", force=True)
    view.slide(1, 1.25)
    address = view.page.evaluate("location.hash")
    again = open_page(page_of("vae"), address)
    again.settle()
    # It stays in the URL, and is what undo would go back to.
    assert again.page.evaluate("location.hash") == address
    again.page.click("#undo")
    assert again.page.locator("#said").inner_text() == "Nothing to undo."
    np.testing.assert_allclose(again.codes(), view.codes(), rtol=1e-5)
    shown = [v.pixels("#stage .large canvas") for v in (view, again)]
    assert np.abs(shown[0] - shown[1]).max() <= 1
    assert again.page.evaluate("explorer.store.state.image") == 3
    assert again.page.locator("#strip-title").inner_text().startswith("y (z1)")


def test_the_code_as_python_gives_the_picture(view, run, monkeypatch):
    monkeypatch.chdir(run.folder.path.parent)  # It names the run's folder alone.
    view.slide(0, 0.75)
    view.page.click("#copy-code")
    names = {}
    exec(view.page.locator("#code").inner_text(), names)
    # The weights of the run were changed after its last checkpoint, so its own decoder.
    np.testing.assert_allclose(names["codes"], view.codes(), rtol=1e-5)
    assert names["model"].folder.path.samefile(run.folder.path)
    assert (
        np.abs(view.pixels("#stage .large canvas") - levels(names["image"])).max() <= 1
    )
    # It goes on with the sliders.
    view.slide(0, -0.25)
    exec(view.page.locator("#code").inner_text(), names)
    np.testing.assert_allclose(names["codes"], view.codes(), rtol=1e-5)


def test_pictures_are_saved(view, run, tmp_path):
    with view.page.expect_download() as download:
        view.page.click("#save-png")
    download.value.save_as(tmp_path / "a.png")
    image = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert image.shape == (512, 512, 3)
    np.testing.assert_array_equal(
        image[16::32, 16::32], view.pixels("#stage .large canvas")
    )
    with view.page.expect_download() as download:
        view.page.click("#save-gif")
    download.value.save_as(tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 46  # 24 there, 22 back
        film.seek(23)
        last = np.asarray(film.convert("RGB"))[16::32, 16::32].astype(int)
    latent = view.page.evaluate("explorer.store.state.hand")
    rows = view.codes()
    rows[0, latent] = view.page.evaluate(f"explorer.runs[0].latents[{latent}].high")
    expected = levels(run.decode(rows))[0]
    assert np.abs(last - expected).max() <= 26  # the palette's steps are 51


def test_two_latents_move_in_the_plane(view, run):
    view.page.click("#plane-section summary")
    view.settle()
    x, y = view.page.evaluate("explorer.store.state.axes")
    before = view.codes()[0]
    view.page.focus("#plane")
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("ArrowUp")
    view.settle()
    after = view.codes()[0]
    ranges = view.page.evaluate("explorer.runs[0].latents.map((l) => l.high - l.low)")
    step = np.array(ranges) / 40
    assert after[x] - before[x] == pytest.approx(step[x], rel=1e-3)
    assert after[y] - before[y] == pytest.approx(step[y], rel=1e-3)
    others = [i for i in range(4) if i not in (x, y)]
    np.testing.assert_array_equal(after[others], before[others])
    box = view.page.locator("#plane").bounding_box()
    view.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    view.settle()
    ends = view.page.evaluate("explorer.runs[0].latents")
    for axis in (x, y):
        middle = (ends[axis]["low"] + ends[axis]["high"]) / 2
        assert view.codes()[0, axis] == pytest.approx(middle, abs=0.02)
    assert_shows(view, run)


def test_between_two_images(view, run):
    view.page.click("#between-section summary")
    view.page.check("#between input[value='5']", force=True)
    view.settle()
    codes = run.encode(shelf_of(run)[[0, 5]])
    shares = np.linspace(0, 1, 9, dtype=np.float32)[:, None]
    expected = levels(run.decode((1 - shares) * codes[0] + shares * codes[1]))
    strip = view.pixels("#between > canvas")
    for i, image in enumerate(expected):
        assert np.abs(strip[:, 17 * i : 17 * i + 16] - image).max() <= 1
    view.page.fill("#share", "0.25")
    view.settle()
    np.testing.assert_allclose(
        view.codes()[0], 0.75 * codes[0] + 0.25 * codes[1], rtol=1e-4, atol=1e-5
    )


def test_two_runs_side_by_side(make_run, view_of):
    runs = [make_run("vae"), make_run("joint_vae")]
    view = view_of("vae", "joint_vae")
    image = shelf_of(runs[0])[:1]
    for place, run in enumerate(runs):
        np.testing.assert_allclose(
            view.codes(place), run.encode(image), rtol=1e-4, atol=1e-6
        )
        assert_shows(view, run, f".panel:nth-child({place + 1}) .large canvas", place)
    # z0 stands for x in both, and moves in both by the same part of its range.
    before = view.codes(1)
    lengths = view.page.evaluate(
        "explorer.runs.map((run) => run.latents[0].high - run.latents[0].low)"
    )
    start = view.codes(0)[0, 0]
    view.slide(0, float(start) + 0.1)
    moved = view.codes(0)[0, 0] - start
    change = (view.codes(1) - before)[0]
    assert abs(change[0]) == pytest.approx(
        abs(moved) * lengths[1] / lengths[0], rel=1e-3
    )
    np.testing.assert_array_equal(change[1:], 0)
    assert_shows(view, runs[1], ".panel:nth-child(2) .large canvas", 1)
    # The sliders of the other run.
    view.page.check("input[name=lead][value='1']", force=True)
    view.settle()
    assert view.page.locator("#controls fieldset").count() == 1
    view.page.click("#randomise")
    view.settle()
    picture = np.round(255 * runs[1].decode(view.codes(1))).astype(np.uint8)
    np.testing.assert_allclose(
        view.codes(0), runs[0].encode(picture), rtol=1e-2, atol=5e-3
    )
