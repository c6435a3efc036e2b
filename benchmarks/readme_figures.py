"""Makes the README's pictures, from the training to the files.

    .venv/bin/python benchmarks/readme_figures.py
    .venv/bin/python benchmarks/readme_figures.py --run=runs/readme --output=docs/images

It trains CHyVAE with seed 1 for 30,000 steps, about half an hour on two cores, or what
the options say; it goes on where it was stopped, and trains nothing if the folder holds
the finished run. Then it draws the latents that move the image: traversals.png and
traversals.gif. What the README's caption says is printed.
"""

import argparse
import pathlib
import subprocess
import sys

import numpy as np

import tf_disentangle as td
from tf_disentangle.summary import summarize

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main() -> None:
    """Trains, scores, draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default=ROOT / "runs/readme", type=pathlib.Path)
    parser.add_argument("--gin_file", default="chyvae.gin")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--steps", default=30_000, type=int)
    parser.add_argument("--output", default=ROOT / "docs/images", type=pathlib.Path)
    options = parser.parse_args()

    train = [sys.executable, "-m", "tf_disentangle", "train"]
    train += [f"--gin_file={options.gin_file}", f"--output={options.run}"]
    train += [f"--gin_param=train.seed={options.seed}"]
    train += [f"--gin_param=train.steps={options.steps}"]
    subprocess.run(train, cwd=ROOT, check=True)

    run = td.load(options.run)
    about = summarize(run)
    moving = [latent for latent in about["latents"] if latent["moves"]]
    moving.sort(key=lambda latent: -latent["movement"])
    names = [latent["name"] for latent in moving]
    values = np.linspace(-2, 2, 9)
    for path in run.draw(options.output, ["traversals"], latents=names, values=values):
        print(path)
    print(f"step {run.step:,}")
    for name, score in about["scores"].items():
        print(f"{name}: {score['score']:.3f}")
    for latent in moving:
        print(f"{latent['name']}: {latent['factor']}, KL {latent['kl']:.2f}")


if __name__ == "__main__":
    main()
