"""Makes the README's pictures of a trained model that comes with the library.

    .venv/bin/python benchmarks/readme_figures.py
    .venv/bin/python benchmarks/readme_figures.py --output=pictures

traversals.gif has a row for each latent of `ROWS` and a column for each digit: the
first of the model's own example images that shows it. Nothing is chosen but the
latents. What a row moves, and what it leaves alone, is measured over all examples, is
printed, and is what the README says below the picture (`caption`). explorer.png is
made if Playwright (the extra `browser`) and Chromium are there. It takes a minute and
trains nothing.
"""

import argparse
import dataclasses
import pathlib
import shutil
import tempfile

import numpy as np
from scipy.stats import norm

import tf_disentangle as td
from tf_disentangle import visualization

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODEL = "store:jointvae_invariant_mnist"
#: Latents from top to bottom, and what each was seen to move.
ROWS = {"c0": "digit", "z4": "slant", "z6": "width"}
#: Continuous latents go through the middle 90% of their prior.
VALUES = norm.ppf(np.linspace(0.05, 0.95, 10))
#: Shades of grey in the moving picture: more double the file, and nobody sees them.
SHADES = 31


@dataclasses.dataclass(frozen=True)
class Effect:
    """What a continuous latent moves from the first to the last of `VALUES`.

    Attributes:
        slant: Degrees that the strokes turn, the mean over the images.
        ink: The sum of all pixels at the end, over that at the start; the mean.
        same_category: The share of images whose decoded images are all encoded to the
            category that the image itself has.
    """

    slant: float
    ink: float
    same_category: float


def main() -> None:
    """Draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", default=ROOT / "docs/images", type=pathlib.Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)

    run = td.load(MODEL)
    frames = traversal_frames(run, *first_of_each_digit(run.examples))
    visualization.save_gif(frames, options.output / "traversals.gif", fps=5)
    print(options.output / "traversals.gif")
    print(caption(run))
    chromium = shutil.which("chromium")
    if chromium:
        print(explorer(run, chromium, options.output / "explorer.png"))


def first_of_each_digit(examples):
    """Returns the first example image of each digit, and the digits."""
    digits = np.array([label.split("digit ")[1] for label in examples.labels])
    kinds, first = np.unique(digits, return_index=True)
    return examples.images[first], kinds


def moved(run, images, latent):
    """Decodes images with one latent at each of its values: float [S, B, H, W, C]."""
    codes = run.encode(images)
    names = [column.name for column in run.model.latents.columns]
    steps = VALUES if latent.startswith("z") else np.arange(10)
    changed = np.repeat(codes[np.newaxis], len(steps), axis=0)
    changed[..., names.index(latent)] = steps[:, np.newaxis]
    flat = run.decode(changed.reshape(-1, codes.shape[1]))
    return np.reshape(flat, (len(steps), *images.shape))


def traversal_frames(run, images, digits):
    """Returns the frames, uint8 [T, height, width, 3]: forth and back."""
    top = np.broadcast_to(images / np.float32(255), (len(VALUES), *images.shape))
    rows = np.stack([top, *(moved(run, images, latent) for latent in ROWS)])
    rows = np.round(SHADES * rows) / SHADES
    labels = ["image", *(f"{latent}: {what}" for latent, what in ROWS.items())]
    forth = [
        visualization.image_grid(
            rows[:, step], row_labels=labels, row_groups=[1, len(ROWS)], scale=2
        )
        for step in range(len(VALUES))
    ]
    return np.stack(forth + forth[-2:0:-1])


def slants(images):
    """Returns how far the strokes lean to the right, in degrees: [B, H, W] -> [B].

    That of a uniform sheet with the same second moments: a shear of x along y.
    """
    height, width = images.shape[1:]
    y, x = np.mgrid[:height, :width]
    total = images.sum((1, 2))

    def mean(values):
        return (images * values).sum((1, 2)) / total

    along = mean(x * y) - mean(x) * mean(y)
    return np.degrees(np.arctan2(-along, mean(y * y) - mean(y) ** 2))


def effect(run, images, latent):
    """Measures what one continuous latent does to images."""
    decoded = moved(run, images, latent)
    first, last = decoded[0, ..., 0], decoded[-1, ..., 0]
    turned = slants(last) - slants(first)
    flat = np.round(255 * decoded).astype(np.uint8).reshape(-1, *images.shape[1:])
    categories = run.encode(flat)[:, -1].reshape(len(decoded), -1)
    same = (categories == run.encode(images)[:, -1]).all(axis=0)
    ink = (last.sum((1, 2)) / first.sum((1, 2))).mean()
    return Effect(*map(float, (turned.mean(), ink, same.mean())))


def caption(run):
    """Returns what the README says of the rows, measured over all example images."""
    images = run.examples.images
    (turning, slant), (thinning, width) = (
        (name, effect(run, images, name)) for name in ROWS if name != "c0"
    )
    same = min(slant.same_category, width.same_category)
    return (
        f"Measured on the {len(images)} images that are stored with the model, from "
        f"one end of a row to the other: {turning} turns the strokes by "
        f"{abs(slant.slant):.0f} degrees, and the picture keeps {slant.ink:.0%} of "
        f"its brightness; {thinning} keeps {width.ink:.0%} and turns the strokes "
        f"by {abs(width.slant):.0f} "
        f"degrees; and for {same:.0%} of the images the encoder finds the same "
        "category all the way"
    )


def explorer(run: td.Run, chromium: str, path: pathlib.Path) -> pathlib.Path:
    """Opens the explorer of a run in Chromium and takes a picture of its top."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = pathlib.Path(folder) / "explorer.html"
        run.explore().save(page_file)
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.goto(page_file.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        page.wait_for_timeout(2000)  # the map of what the latent moves comes last
        page.screenshot(path=path)
        browser.close()
    return path


if __name__ == "__main__":
    main()
