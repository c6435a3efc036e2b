"""Makes the README's pictures, from the training to the files.

    .venv/bin/python benchmarks/readme_figures.py
    .venv/bin/python benchmarks/readme_figures.py --run=runs/digits --output=docs/images

It trains JointVAE on MNIST (`bin/data prepare mnist` once), seed 0, for 30,000 steps,
about half an hour on two cores; it goes on where it was stopped, and trains nothing if
the folder holds the finished run. Then it draws traversals.gif, and explorer.png if
Playwright (the extra `browser`) and Chromium are there.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from scipy.stats import norm

import tf_disentangle as td

ROOT = pathlib.Path(__file__).resolve().parents[1]
# A held-out 2, and the latents of seed 0 that its rows show best: digit, slant, stroke.
IMAGE, LATENTS = 317, ("c0", "z5", "z7")


def main() -> None:
    """Trains and draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default=ROOT / "runs/digits", type=pathlib.Path)
    parser.add_argument("--steps", default=30_000, type=int)
    parser.add_argument("--output", default=ROOT / "docs/images", type=pathlib.Path)
    options = parser.parse_args()

    train = [sys.executable, "-m", "tf_disentangle", "train"]
    train += ["--gin_file=papers/joint_vae_mnist.gin", f"--output={options.run}"]
    train += [f"--gin_param=train.steps={options.steps}"]
    subprocess.run(train, cwd=ROOT, check=True)

    run = td.load(options.run)
    examples = run.data.images()[[IMAGE]]
    values = norm.ppf(np.linspace(0.05, 0.95, 9))
    chosen = {"examples": examples, "latents": LATENTS, "values": values}
    for path in run.draw(options.output, ["traversals"], ["gif"], **chosen):
        print(path)
    chromium = shutil.which("chromium")
    if chromium:
        print(explorer(run, chromium, options.output / "explorer.png"))


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
