"""How far apart CHyVAE's three bounds lie, in nats, by Monte Carlo.

    .venv/bin/python benchmarks/chyvae_bounds.py

One posterior N(mu, S): mu ~ N(0, I), a factor of S with 0.3 on its diagonal and N(0,
0.1^2) below. Columns: what each form of CHyVAE subtracts from log p(x|z): marginal, the
best q(Sigma|x) of the mean-field form, structured (equation 13).
"""

import argparse

from tf_disentangle.cli import startup


def posterior_of(size, draws):
    """Returns `draws` copies of q(z|x)."""
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    rng = np.random.default_rng(0)
    tril = np.tril(rng.normal(scale=0.1, size=(size, size)), -1) + 0.3 * np.eye(size)
    loc = np.broadcast_to(rng.normal(size=size), (draws, size))
    loc, tril = (tf.constant(x, tf.float32) for x in (loc, tril))
    tril = tf.broadcast_to(tril, (draws, size, size))
    return tfp.distributions.MultivariateNormalTriL(loc, tril)


def best_mean_field(posterior, prior):
    """Returns both terms at q(Sigma|x) = IW(Psi + S + mu mu^T, nu + 1), in float64."""
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tf_disentangle.distributions import InverseWishart, expected_gaussian_kl

    psi = prior.inverse_wishart().scale_operator.to_dense()
    parts = (posterior.loc[0], posterior.scale.to_dense()[0], psi)
    loc, tril, psi = (tf.cast(x, tf.float64) for x in parts)
    second = tf.matmul(tril, tril, transpose_b=True) + tf.tensordot(loc, loc, 0)
    before = InverseWishart(prior.nu, scale=psi)
    after = InverseWishart(prior.nu + 1, scale=psi + second)
    kl = tfp.distributions.kl_divergence(after, before)
    return float(expected_gaussian_kl(loc, tril, after) + kl)


def main():
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latents", type=int, default=10)
    parser.add_argument("--draws", type=int, default=20_000)
    options = parser.parse_args()
    startup.import_tensorflow()
    import numpy as np
    import tensorflow as tf

    from tf_disentangle.priors import InverseWishartPrior, StandardNormalPrior

    def built(prior):
        prior.build((None, options.latents))
        return prior

    size, seed = options.latents, tf.constant([1, 2])
    posterior = posterior_of(size, options.draws)
    plain = built(StandardNormalPrior()).kl(posterior, None, seed)["kl"][0]
    print(f"p = {size}, KL(q || N(0, I)) = {plain:.2f}")
    print(f"{'nu':>8} {'marginal':>15} {'best mean field':>15} {'structured':>15}")
    for nu in (size + 2.0, 20.0, 200.0, 13_000.0):
        prior = built(InverseWishartPrior(nu))
        z = posterior.sample(seed=seed)
        marginal = posterior.log_prob(z) - prior.distribution().log_prob(z)
        structured = tf.add_n(list(prior.kl(posterior, z, seed + 1).values()))
        low, high = (
            f"{np.mean(x):.2f} +- {np.std(x) / options.draws**0.5:.2f}"
            for x in (marginal, structured)
        )
        middle = best_mean_field(posterior, prior)
        print(f"{nu:8g} {low:>15} {middle:15.2f} {high:>15}")


if __name__ == "__main__":
    main()
