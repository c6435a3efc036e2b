"""Pages opened as files in Debian's Chromium, with the network off."""

import os
import pathlib

import pytest

from tf_disentangle import pages

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# A phone in the dark and a very wide screen by day.
SCREENS = [(360, "dark"), (2560, "light")]


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not pathlib.Path(CHROMIUM).exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with sync_api.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(scored_run, other_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    one, two = folder / "one.html", folder / "two.html"
    pages.write_run_page(scored_run, one)
    pages.write_comparison([scored_run, other_run], two)
    return {"one": one, "two": two}


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
@pytest.mark.parametrize("name", ["one", "two"])
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
