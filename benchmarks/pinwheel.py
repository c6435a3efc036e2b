"""The pinwheel experiment: overlap by beta, structure by alpha (figure 3 of the paper).

    .venv/bin/python benchmarks/pinwheel.py --picture=docs/images/pinwheel.png

Trains gin/pinwheel.gin eight times, with beta swept upwards at alpha = 0 and alpha
swept upwards at beta = 0, and writes one picture: for each run the aggregate
posterior in colours by arm over a sample of the prior in grey. Prints a table: over
the 400 held-out points the encoder's mean variance, the two divergences D between
aggregate posterior and prior, the reconstruction and log p(x) by 1,000 importance
samples.

Paper: Mathieu et al., ICML 2019, arXiv:1812.02833, the experiments.
"""

import argparse
import pathlib
import tempfile

BETAS = (0.01, 0.5, 1.0, 1.2)
ALPHAS = (1.0, 3.0, 5.0, 8.0)
SETTINGS = [(0.0, beta) for beta in BETAS] + [(alpha, 0.0) for alpha in ALPHAS]
LIMITS = (-2.0, 2.0)
REPEATS = 50  # Draws of the prior that D is averaged over.
HEAD = ("alpha", "beta", "variance", "KL(p||q)", "MMD", "reconstruction", "log p(x)")


def train(alpha, beta, steps, seed, output):
    """Trains one setting; returns the run."""
    from tf_disentangle import configuration

    bindings = [
        f"decomposition_vae.alpha = {alpha}",
        f"decomposition_vae.beta = {beta}",
        f"train.steps = {steps}",
        f"train.seed = {seed}",
    ]
    configuration.parse(["pinwheel.gin"], bindings)
    return configuration.build("train", output=str(output))


def measure(model, points):
    """Returns (encoder variance, KL(p || q), MMD, reconstruction, log p(x))."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tf_disentangle.distributions import mmd_per_dimension
    from tf_disentangle.models import log_evidence
    from tf_disentangle.objectives import prior_to_aggregate_kl

    posterior, prior = model.posterior(points), model.latents.prior
    kl, mmd, reconstruction = [], [], []
    for number in range(REPEATS):
        prior_seed, code_seed = tfp.random.split_seed(tf.constant([1, number]), n=2)
        drawn = prior.sample(len(points), prior_seed)
        codes = posterior.sample(seed=code_seed)
        kl.append(prior_to_aggregate_kl(posterior, prior, drawn))
        mmd.append(tf.reduce_sum(mmd_per_dimension(codes, drawn)))
        likelihood = model.objective.likelihood
        reconstruction.append(-likelihood.log_prob(points, model.decoder(codes)))
    return (
        float(np.mean(posterior.distribution.variance())),
        float(np.mean(kl)),
        float(np.mean(mmd)),
        float(np.mean(reconstruction)),
        log_evidence(model, points).score,
    )


def panel(model, points, arms):
    """Returns the groups of one square: the prior, then the codes by arm."""
    import numpy as np
    import tensorflow as tf

    codes = model.posterior(points).sample(seed=tf.constant([3, 4])).numpy()
    prior = model.latents.prior.sample(1000, tf.constant([5, 6])).numpy()
    by_arm = {f"arm {arm}": codes[arms == arm] for arm in np.unique(arms)}
    return {"prior": prior, **by_arm}


def main():
    """Trains, prints the table, writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", default="pinwheel.png")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    from tf_disentangle.cli import startup

    startup.import_tensorflow()
    from tf_disentangle import visualization

    rows, panels = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (alpha, beta) in enumerate(SETTINGS):
            output = pathlib.Path(folder) / str(number)
            run = train(alpha, beta, options.steps, options.seed, output)
            held_out = run.batches.held_out
            points = run.data.images()[held_out]
            arms = run.data.factors_of(held_out)[:, 0]
            values = measure(run.model, points)
            rows.append((alpha, beta, *values))
            label = (
                f"beta {beta:g}, alpha {alpha:g}\nencoder variance {values[0]:.3g}"
                f"\nKL(p || q) {values[1]:.3g}\nMMD {values[2]:.3g}"
            )
            panels[label] = panel(run.model, points, arms)
    print(" | ".join(HEAD))
    for row in rows:
        print(" | ".join(f"{value:.3g}" for value in row))
    title = "Aggregate posterior (by arm) over the prior (grey)"
    picture = visualization.scatters(panels, limits=LIMITS, title=title)
    visualization.save(picture, options.picture)


if __name__ == "__main__":
    main()
