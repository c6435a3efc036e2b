"""The page for everybody: keyboard, screen readers, any width, speed; its two homes."""

import socket

import numpy as np
import pytest

from tests.explorer.view import View, as_file, assert_shows
from tf_disentangle import explorer

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


def focused(view):
    return view.page.evaluate(
        """() => {
          const { id, name, ariaLabel, className } = document.activeElement;
          return ariaLabel || id || name || className;
        }"""
    )


def test_the_keyboard_alone(make_run, page_of, open_page):
    view, run = open_page(page_of("joint_vae")), make_run("joint_vae")
    view.settle()
    press = view.page.keyboard.press
    reached = []
    while len(reached) < 60 and (len(reached) < 2 or reached[-1] != "skip"):
        press("Tab")
        reached.append(focused(view))
    assert reached[0] == reached[-1] == "skip"  # round once
    kinds = ["latent-", "save-png", "copy-code", "Image", "file"]
    assert all(any(kind in one for one in reached) for kind in kinds), reached
    # A row of images is one stop.
    assert sum("Image" in one for one in reached) == 1
    press("Enter")
    press("Tab")
    first = view.page.evaluate("explorer.runs[0].order[0]")
    # A slider by its arrows, which take it in hand; a button by its arrows.
    assert focused(view) == f"latent-{first}"
    before = view.codes()
    press("ArrowRight")
    view.settle()
    assert view.codes()[0, first] > before[0, first]
    assert view.page.evaluate("explorer.store.state.hand") == first
    assert_shows(view, run)
    view.page.focus("input[name=latent-3]:checked")
    press("ArrowRight")
    view.settle()
    assert view.codes()[0, 3] == (before[0, 3] + 1) % 3
    assert_shows(view, run)
    # The shelf by its arrows; a section by Enter.
    view.page.focus("#shelf input:checked")
    press("ArrowRight")
    view.settle()
    assert view.page.evaluate("explorer.store.state.image") == 1
    view.page.focus("#grid-section summary")
    press("Enter")
    view.settle()
    assert view.page.locator("#grid canvas").first.is_visible()


@pytest.mark.parametrize("width", [360, 2560])
@pytest.mark.parametrize("names", [("vae",), ("vae", "joint_vae")])
def test_no_width_scrolls_sideways(names, width, view_of):
    view = view_of(*names)
    view.page.set_viewport_size({"width": width, "height": 800})
    view.page.evaluate(OPEN_ALL)
    view.page.click("#copy-code")
    view.settle()
    scrolled = view.page.evaluate("document.documentElement.scrollWidth")
    assert scrolled == width
    # Nothing that one works with is cut off either.
    cut = view.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas")]
          .filter((one) => one.checkVisibility() && !one.closest(".scroller"))
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .map((one) => one.outerHTML)"""
    )
    assert cut == []


def tops(view, selector):
    return view.page.locator(selector).evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect().top)"
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_pictures_of_several_runs_are_level(width, view_of):
    view = view_of("vae", "joint_vae")
    view.page.set_viewport_size({"width": width, "height": 700})
    title = view.page.locator("#stage h2").first
    name = title.inner_text()
    title.evaluate("(title) => { title.textContent = 'a long name '.repeat(9); }")
    for part in (".large", ".original", ".again", ".heat"):
        first, second = tops(view, f"#stage {part} canvas")
        assert first == pytest.approx(second, abs=0.5), part
    title.evaluate("(title, name) => { title.textContent = name; }", name)


@pytest.mark.parametrize("names", [("vae",), ("vae", "joint_vae")])
def test_on_a_phone_no_picture_hides_a_slider_in_focus(names, view_of):
    view = view_of(*names)
    view.page.set_viewport_size({"width": 360, "height": 700})
    view.page.evaluate("document.body.style.paddingBottom = '900px'")
    view.page.locator("#shelf input").first.focus()
    view.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    seen = []
    while "latent-" not in focused(view) or not seen:
        view.page.keyboard.press("Shift+Tab")
        seen.append(focused(view))
        assert len(seen) < 20, seen
    pictures, slider = (
        view.page.evaluate(f"document.{where}.getBoundingClientRect().toJSON()")
        for where in ("querySelector('#stage .large')", "activeElement")
    )
    view.page.evaluate("document.body.style.paddingBottom = ''")
    assert 0 <= pictures["top"] < 50  # in sight
    assert pictures["bottom"] < 350  # of 700
    assert pictures["bottom"] <= slider["top"]
    assert slider["bottom"] <= 700


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(theme, view_of):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    view = view_of("vae", "joint_vae")
    view.page.emulate_media(color_scheme=theme)
    view.page.evaluate(OPEN_ALL)
    view.page.click("#copy-code")
    view.settle()
    found = axe.Axe().run(view.page).response["violations"]
    assert [(one["id"], [n["html"] for n in one["nodes"]]) for one in found] == []


def test_the_switch_changes_the_theme(view_of):
    view = view_of("infogan")
    view.page.emulate_media(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = view.page.evaluate(ground)
    view.page.click("#theme")
    assert view.page.evaluate(ground) != light
    view.page.click("#theme")
    assert view.page.evaluate(ground) == light


def test_frames_and_memory_while_a_slider_moves(view_of):
    view = view_of("vae")
    frames, megabytes = view.page.evaluate(
        """() => new Promise((done) => {
          const input = document.getElementById("latent-0");
          let drawn = 0;
          document.addEventListener("explorer:drawn", () => { drawn += 1; });
          const start = performance.now();
          const step = () => {
            const time = performance.now() - start;
            input.value = Math.sin(time / 100);
            input.dispatchEvent(new Event("input"));
            if (time < 1000) requestAnimationFrame(step);
            else done([(1000 * drawn) / time, performance.memory.usedJSHeapSize / 1e6]);
          };
          step();
        })"""
    )
    print(f"{frames:.0f} frames a second, {megabytes:.0f} MB")
    # On a quiet machine 60; on a busy one still a picture that moves.
    assert frames >= 2
    assert megabytes < 300


def test_the_same_page_over_our_server(make_run, open_page, tmp_path):
    server = pytest.importorskip("tf_disentangle.serving.server")
    run = make_run("vae")
    run.export(tmp_path / "served")  # as vae/1
    with server.start(tmp_path / "served", cors=True, grpc_port=None) as started:
        address = f"http://localhost:{started.rest_port}"
        page = explorer.explore(run, server=address).save(tmp_path / "page.html")
        assert page.stat().st_size < 1e6  # no model in it
        view = open_page(page, offline=False)
        view.settle()
        assert_shows(view, run)
        view.slide(0, 0.5)
        assert view.codes()[0, 0] == pytest.approx(0.5, abs=0.01)
        assert_shows(view, run)
        noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
        view.page.set_input_files("#file", as_file(noise))
        view.until("explorer.store.state.image === 'own'")
        np.testing.assert_allclose(view.codes(), run.encode(noise[None]), rtol=1e-4)
        view.settle()
        view.page.close()  # before the server, which it would still ask


def test_a_notebook_shows_the_page_in_a_frame(make_run, page_of, open_page, tmp_path):
    text = page_of("vae").read_text(encoding="utf-8")
    notebook = tmp_path / "notebook.html"
    page = explorer.Explorer(text)
    assert "MB: open() shows it in a browser, save(path) writes it" in repr(page)
    cell = page._repr_html_()
    notebook.write_text(f"<!doctype html><body>{cell}", encoding="utf-8")
    view = open_page(notebook, wait="iframe")
    frame = view.page.frames[1]
    frame.wait_for_selector("html[data-ready]", state="attached")
    inside = View(frame)
    inside.settle()
    inside.slide(0, 0.5)
    assert_shows(inside, make_run("vae"))


def test_a_server_that_does_not_answer_is_named(make_run, open_page, tmp_path):
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
    page = explorer.explore(make_run("vae"), server=f"http://localhost:{port}")
    path = page.save(tmp_path / "page.html")
    expected = ["Failed to load resource: net::ERR_INTERNET_DISCONNECTED"]
    view = open_page(path, wait="#message:not([hidden])", expected=expected)
    assert view.page.locator("#message").inner_text() == (
        f"No answer from http://localhost:{port}/v1/models/vae:predict. Is the server "
        "running, and does it allow other pages to ask "
        "(--rest_api_enable_cors_support)?"
    )
    # What needs no model is there.
    image = view.pixels("#shelf canvas >> nth=0")
    assert image.any()
    np.testing.assert_array_equal(view.pixels("#stage .original canvas"), image)
