"""Makes the README's pictures, from the training to the files.

    .venv/bin/python benchmarks/readme_figures.py
    .venv/bin/python benchmarks/readme_figures.py --run=runs/readme --output=docs/images

It trains a beta-VAE on ellipses whose factors are independent, unless the folder holds
that run already, and draws the latents that move the image: traversals.png and
traversals.gif. The numbers of the README's caption are printed.
"""

import argparse
import pathlib

import keras
import numpy as np

import tf_disentangle as td
from tf_disentangle.summary import summarize

STEPS, BETA, NUM_LATENTS = 3_000, 8.0, 6


def main() -> None:
    """Trains, scores, draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="runs/readme", type=pathlib.Path)
    parser.add_argument("--output", default="docs/images", type=pathlib.Path)
    options = parser.parse_args()

    data = td.datasets.CorrelatedEllipses(correlation=0.0, num_images=50_000)
    objective = td.objectives.beta_vae(beta=BETA)
    run = td.train(
        lambda shape, seed: td.models.build_vae(
            shape, latents=NUM_LATENTS, objective=objective, seed=seed
        ),
        data,
        steps=STEPS,
        output=options.run,
        optimizer=lambda: keras.optimizers.Adam(1e-3),
        metrics=["factor_vae", "mig"],
    )
    latents = summarize(run)["latents"]
    moving = [latent for latent in latents if latent["moves"]]
    moving.sort(key=lambda latent: -latent["movement"])
    names = [latent["name"] for latent in moving]
    values = np.linspace(-2, 2, 9)
    for path in run.draw(options.output, ["traversals"], latents=names, values=values):
        print(path)
    for name, score in run.scores.items():
        print(f"{name}: {score.score:.3f}")
    for latent in moving:
        print(f"{latent['name']}: {latent['factor']}, KL {latent['kl']:.2f}")


if __name__ == "__main__":
    main()
