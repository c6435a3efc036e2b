"""CHyVAE's two KL terms in float32 against float64: worst errors by nu.

    .venv/bin/python benchmarks/accuracy.py
    .venv/bin/python benchmarks/accuracy.py --norm=60 --deviation=0.05
    .venv/bin/python benchmarks/accuracy.py --deviation=0.001

p = 10, 256 draws: |z| from 1e-4 to `norm`, mu within one deviation of z, a posterior
factor with diagonal from `deviation` to 1 (to twice `deviation` if that is all that is
given to be tight). Values relative to max(1, |value|), gradients by norm per draw.
"""

import argparse

from tf_disentangle.cli import startup

P, DRAWS = 10, 256


def draws(norm, deviation, tight):
    """Returns z, mu [256, 10] and L [256, 10, 10] in float64."""
    import numpy as np

    rng = np.random.default_rng(0)
    z = rng.normal(size=(DRAWS, P))
    norms = np.geomspace(1e-4, norm, DRAWS)
    z *= (norms / np.linalg.norm(z, axis=1))[:, None]
    high = 2 * deviation if tight else 1.0
    diagonal = rng.uniform(deviation, high, size=(DRAWS, P))
    tril = 0.1 * deviation * np.tril(rng.normal(size=(DRAWS, P, P)), -1)
    mu = z + deviation * rng.normal(size=(DRAWS, P))
    # Float32's own rounding of the inputs is no error of the terms.
    parts = (z, mu, tril + np.eye(P) * diagonal[:, None])
    return [part.astype("float32").astype("float64") for part in parts]


def terms_and_gradients(inputs, nu, dtype):
    """Returns {term: (value, gradients in z, mu, L)} computed in `dtype`."""
    import tensorflow as tf
    import tensorflow_probability as tfp

    from tf_disentangle.distributions import InverseWishart, expected_gaussian_kl

    z, mu, tril = (tf.constant(x, dtype) for x in inputs)
    psi = tf.linalg.LinearOperatorScaledIdentity(
        P, tf.constant(max(nu - P - 1, 1.0), dtype), is_positive_definite=True
    )
    prior = InverseWishart(tf.constant(nu, dtype), scale_operator=psi)
    found = {}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([z, mu, tril])
        posterior = prior.conditioned_on(z)
        expected = expected_gaussian_kl(mu, tril, posterior)
        kl = tfp.distributions.kl_divergence(posterior, prior)
        values = {"E KL": expected, "KL": kl, "sum": expected + kl}
    for name, value in values.items():
        gradients = tape.gradient(value, [z, mu, tril], unconnected_gradients="zero")
        found[name] = (value.numpy(), [g.numpy() for g in gradients])
    return found


def worst(ours, exact):
    """Returns the worst relative error of the value and of each gradient."""
    import numpy as np

    errors = [np.max(np.abs(ours[0] - exact[0]) / np.maximum(1, np.abs(exact[0])))]
    for a, b in zip(ours[1], exact[1], strict=True):
        a, b = (x.reshape(DRAWS, -1).astype("float64") for x in (a, b))
        size = np.linalg.norm(b, axis=1)
        error = np.linalg.norm(a - b, axis=1)
        errors.append(np.max(np.divide(error, size, where=size > 0, out=0 * size)))
    return errors


def main():
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--norm", type=float, default=3 * P**0.5)
    parser.add_argument("--deviation", type=float, default=None)
    options = parser.parse_args()
    startup.import_tensorflow()
    tight = options.deviation is not None
    inputs = draws(options.norm, options.deviation or 0.05, tight)
    print(f"{'nu':>8} {'term':5} {'value':>8} {'in z':>8} {'in mu':>8} {'in L':>8}")
    for nu in (11.5, 12.0, 20.0, 200.0, 13_000.0, 100_000.0):
        ours = terms_and_gradients(inputs, nu, "float32")
        exact = terms_and_gradients(inputs, nu, "float64")
        for name in ours:
            cells = " ".join(f"{e:8.1e}" for e in worst(ours[name], exact[name]))
            print(f"{nu:8g} {name:5} {cells}")


if __name__ == "__main__":
    main()
