"""Pages opened as files in Debian's Chromium, with the network off."""

import io

import numpy as np
import pytest
from PIL import Image

from tf_disentangle import pages
from tf_disentangle.pages import gallery

SLOW = pytest.mark.slow
# A phone in the dark and a very wide screen by day: by default one page on each.
SCREENS = [
    ("one", 360, "dark"),
    ("two", 2560, "light"),
    pytest.param("one", 2560, "light", marks=SLOW),
    pytest.param("two", 360, "dark", marks=SLOW),
]


@pytest.fixture(scope="module")
def files(scored_run, other_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    one, two = folder / "one.html", folder / "two.html"
    pages.write_run_page(scored_run, one)
    pages.write_comparison([scored_run, other_run], two)
    return {"one": one, "two": two}


@pytest.mark.parametrize(("name", "width", "scheme"), SCREENS)
def test_a_page_fits_is_accessible_and_asks_for_nothing(
    browser, files, name, width, scheme
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page, said = context.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto(files[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    pictures = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert pictures and all(pictures)
    # Curves take the colours of the page, so that they are seen on both grounds.
    colours = page.evaluate(
        """[...document.querySelectorAll('.chart svg text')].map(
            text => getComputedStyle(text).fill)"""
    )
    ink = {"light": "rgb(28, 29, 31)", "dark": "rgb(233, 234, 236)"}[scheme]
    assert set(colours) == {ink}
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert said == []
    context.close()


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=SLOW), "dark"])
def test_paper_is_dark_in_the_dark_and_images_keep_their_colours(
    browser, files, scored_run, scheme
):
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    page.goto(files["one"].as_uri())
    place = page.locator(".picture.grid", has=page.get_by_alt_text("reconstructions"))
    with Image.open(io.BytesIO(place.first.screenshot())) as shot:
        seen = np.asarray(shot.convert("RGB")).astype(int)
    with Image.open(scored_run.folder.pictures / "reconstructions.png") as image:
        drawn = np.asarray(image.resize(seen.shape[1::-1])).astype(int)
    card = {"light": (255, 255, 255), "dark": (29, 31, 34)}[scheme]
    assert np.abs(seen[3, 20:-20] - card).max() <= 1
    left, top, right, bottom = gallery.tiles_of(np.asarray(image_of(scored_run)))[0]
    inside = (slice(top, bottom), slice(left, right))
    scale = seen.shape[1] / image_of(scored_run).width
    ys, xs = (slice(int(s.start * scale) + 4, int(s.stop * scale) - 4) for s in inside)
    assert np.abs(seen[ys, xs] - drawn[ys, xs]).mean() < 12
    context.close()


def image_of(run):
    return Image.open(run.folder.pictures / "reconstructions.png").convert("RGB")
