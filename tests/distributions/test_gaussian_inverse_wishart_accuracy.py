"""CHyVAE's two terms in float32 against float64: values and gradients.

The claim holds for nu from p + 1.5 to 100,000: values within 1e-4, relative or nats,
whichever is larger; gradients of each term and of their sum, example by example,
within 1e-3 of their norm.
"""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import InverseWishart, expected_gaussian_kl

tfd = tfp.distributions
P, B = 10, 300
NUS = [11.5, 12.0, 20.0, 200.0, 13_000.0, 100_000.0]
VARIABLES = ("mu", "tril", "z")


def inputs():
    """Norms of z from tiny to 3 sqrt(p); mu near z or not; posteriors tight to wide."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(B, P))
    z *= np.geomspace(1e-4, 3 * P**0.5, B)[:, None] / np.linalg.norm(
        z, axis=1, keepdims=True
    )
    mu = rng.normal(size=(B, P))
    mu[::3] = z[::3] + 0.1 * mu[::3]
    mu[1::3] *= 1e-3
    diagonal = np.exp(rng.uniform(np.log(0.05), 0, size=(B, 1, P)))
    diagonal[::4], diagonal[1::4] = 0.05, 1.0
    tril = np.eye(P) * diagonal + np.tril(0.1 * rng.normal(size=(B, P, P)), -1)
    return [np.float32(x) for x in (mu, tril, z)]


def make_prior(form, nu, dtype):
    excess = np.float32(max(nu - P - 1, 1))
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(P, P)))[0]
    sigma_0 = np.float32(rotation * np.geomspace(0.1, 10, P) @ rotation.T)
    if form == "scaled identity":
        psi = tf.linalg.LinearOperatorScaledIdentity(
            P, tf.cast(excess, dtype), is_positive_definite=True
        )
        return InverseWishart(df=nu, scale_operator=psi)
    if form == "scale":
        return InverseWishart(df=nu, scale=tf.cast(excess * sigma_0, dtype))
    tril = np.sqrt(excess) * np.linalg.cholesky(sigma_0)
    return InverseWishart(df=nu, scale_tril=tf.cast(tril, dtype))


def terms(form, nu, dtype, mu, tril, z):
    """Values [B] and gradients {variable: [B, -1]} of the terms and their sum."""
    variables = [tf.cast(x, dtype) for x in (mu, tril, z)]
    prior = make_prior(form, nu, dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(variables)
        posterior = prior.conditioned_on(variables[2])
        expected = expected_gaussian_kl(*variables[:2], posterior)
        kl = tfd.kl_divergence(posterior, prior)
        values = {"expected": expected, "kl": kl, "sum": expected + kl}
    gradients = {}
    for term, value in values.items():
        for name, gradient in zip(
            VARIABLES, tape.gradient(value, variables), strict=True
        ):
            if gradient is not None:
                gradients[term, name] = np.reshape(gradient, [B, -1])
    return {term: value.numpy() for term, value in values.items()}, gradients


@pytest.mark.parametrize("nu", NUS)
@pytest.mark.parametrize("form", ["scaled identity", "scale_tril", "scale"])
def test_float32_keeps_values_and_gradients(form, nu):
    values, gradients = terms(form, nu, tf.float32, *inputs())
    exact_values, exact_gradients = terms(form, nu, tf.float64, *inputs())
    for term, exact in exact_values.items():
        error = np.abs(values[term] - exact) / np.maximum(1, np.abs(exact))
        assert error.max() < 1e-4, (term, error.max())
    assert len(exact_gradients) == 7
    for key, exact in exact_gradients.items():
        error = np.linalg.norm(gradients[key] - exact, axis=1)
        error /= np.linalg.norm(exact, axis=1)
        assert error.max() < 1e-3, (key, error.max())


def test_gradient_where_all_is_zero_is_finite():
    prior = make_prior("scaled identity", 13_000.0, tf.float32)
    z = tf.zeros([2, P])
    with tf.GradientTape() as tape:
        tape.watch(z)
        posterior = prior.conditioned_on(z)
        total = expected_gaussian_kl(z, tf.eye(P), posterior)
        total += tfd.kl_divergence(posterior, prior)
    np.testing.assert_array_equal(tape.gradient(total, z), np.zeros([2, P]))


def test_second_derivative_passes_through_the_custom_gradient():
    prior = InverseWishart(df=20.0, scale=np.eye(3))
    z = tf.constant([0.5, 1.0, -1.0], tf.float64)

    def slope(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            kl = tfd.kl_divergence(prior.conditioned_on(z), prior)
        return tape.gradient(kl, z)

    with tf.GradientTape() as tape:
        tape.watch(z)
        first = slope(z)
    hessian = tape.jacobian(first, z)
    step = 1e-5 * np.eye(3)
    columns = [(slope(z + d) - slope(z - d)) / 2e-5 for d in step]
    np.testing.assert_allclose(hessian, np.stack(columns), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("jit", [False, True])
def test_a_graph_with_unknown_batch_size_agrees(jit):
    mu, tril, z = inputs()

    def total(mu, tril, z):
        prior = make_prior("scale_tril", 13_000.0, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(z)
            posterior = prior.conditioned_on(z)
            value = expected_gaussian_kl(mu, tril, posterior)
            value += tfd.kl_divergence(posterior, prior)
        return value, tape.gradient(value, z)

    arguments = [tf.constant(x) for x in (mu, tril, z)]
    signature = [tf.TensorSpec([None, *x.shape[1:]]) for x in arguments]
    graph = tf.function(total, input_signature=signature, jit_compile=jit)
    value, gradient = graph(*arguments)
    exact, exact_gradient = total(*arguments)
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    error = np.linalg.norm(gradient - exact_gradient, axis=1)
    assert (error < 1e-3 * np.linalg.norm(exact_gradient, axis=1)).all()
