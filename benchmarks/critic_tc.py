"""The critic's total correlation of normal codes against the exact one.

    .venv/bin/python benchmarks/critic_tc.py
    .venv/bin/python benchmarks/critic_tc.py --width=1000 --depths 6 --batches 64

Ten codes, all pairs of correlation rho: TC = -1/2 log det. A critic is trained by
`FactorVAE.update_critic`, each update with a new permutation, on fresh batches of
codes, each used for one update or for five, as in a step of FactorVAE. Then it is asked
about 20,000 codes that it has not seen. Printed, in nats: the mean over the seeds less
the exact value (bias), the standard deviation over the seeds (spread), and that of a
single batch's estimate (noise), which is what the encoder sees.
"""

import argparse
import functools
import itertools

from tf_disentangle.cli import startup

LATENTS = 10


def exact(rho):
    """Returns the total correlation in nats."""
    import numpy as np

    covariance = rho * np.ones((LATENTS, LATENTS)) + (1 - rho) * np.eye(LATENTS)
    return -0.5 * np.linalg.slogdet(covariance)[1]


def model_of(depth, width, seed):
    """Returns a FactorVAE with this critic; its other parts do not matter."""
    from tf_disentangle import latents, models, networks, objectives

    model = models.build_vae(
        (32, 32, 1),
        seed,
        latents=latents.GaussianLatents(LATENTS),
        objective=objectives.factor_vae(),
        encoder=functools.partial(networks.conv_encoder, width=8),
        decoder=functools.partial(networks.conv_decoder, width=8),
        critic=functools.partial(networks.mlp_critic, width=width, num_layers=depth),
    )
    model.critic_optimizer.build(model.critic.trainable_variables)
    return model


def estimates(model, rho, batch, per_batch, totals, seed):
    """Yields (mean, standard deviation of a batch's mean) at each number of updates."""
    import numpy as np
    import tensorflow as tf

    from tf_disentangle.objectives import Inference, critic_total_correlation

    covariance = rho * np.ones((LATENTS, LATENTS)) + (1 - rho) * np.eye(LATENTS)
    factor = tf.constant(np.linalg.cholesky(covariance).T, tf.float32)

    def inference(count, key):
        codes = tf.random.stateless_normal([count, LATENTS], key) @ factor
        return Inference(model.latents, None, codes, 0, key, critic=model.critic)

    @tf.function
    def step(number):
        codes = inference(batch, tf.stack([seed, number]))
        for i in range(per_batch):
            key = tf.stack([seed + 1000 + i, number])
            loss = functools.partial(
                model.penalty.critic_loss, codes, codes.sample, key
            )
            model.update_critic(lambda loss=loss: (loss(), {}))

    for before, total in itertools.pairwise([0, *totals]):
        for number in range(before // per_batch, total // per_batch):
            step(tf.constant(number))
        unseen = inference(20_000, tf.constant([seed, 10**9]))
        logits = critic_total_correlation(unseen).numpy()
        yield logits.mean(), logits.std() / np.sqrt(batch)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depths", type=int, nargs="*", default=[2, 4, 6])
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 256])
    parser.add_argument("--per_batch", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--updates", type=int, nargs="*", default=[500, 2000, 5000])
    parser.add_argument("--rhos", type=float, nargs="*", default=[0.0, 0.3])
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    startup.import_tensorflow()
    import numpy as np

    print("rho  exact  depth  batch  updates a batch  updates    bias  spread   noise")
    grid = (options.rhos, options.depths, options.batches, options.per_batch)
    for rho, depth, batch, per_batch in itertools.product(*grid):
        rows = []
        for seed in range(options.seeds):
            model = model_of(depth, options.width, seed)
            arguments = (rho, batch, per_batch, options.updates, seed)
            rows.append(list(estimates(model, *arguments)))
        for i, updates in enumerate(options.updates):
            means, noises = np.array(rows)[:, i].T
            bias, spread = means.mean() - exact(rho), means.std(ddof=1)
            print(
                f"{rho:3.1f}  {exact(rho):5.3f}  {depth:5}  {batch:5}  "
                f"{per_batch:15}  {updates:7}  {bias:+6.3f}  {spread:6.3f}  "
                f"{noises.mean():6.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
