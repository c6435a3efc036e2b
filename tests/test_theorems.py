"""The theorems of the papers and slides, on the library's own objectives.

1.  beta-VAE is an ELBO under rescaled networks (Gaussian), or under the annealed prior
    p(z)^beta / F_beta and an entropy bonus (any prior).
2.  A rotation of the latents leaves the ELBO as it is, or does not, by the prior alone.
3.  beta raises the overlap of the posteriors to its maximum, and alpha drives the
    aggregate posterior to the prior: both exactly, in linear models.

References:
    Mathieu et al., "Disentangling Disentanglement in Variational Autoencoders", ICML
    2019, arXiv:1812.02833, theorems 1 and 2, corollaries 1 and 2.
"""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import Normal
from tf_disentangle.latents import GaussianLatents, GaussianPosterior
from tf_disentangle.objectives import Inference, beta_vae, elbo
from tf_disentangle.objectives.decomposition import prior_to_aggregate_kl
from tf_disentangle.priors import (
    InverseGammaPrior,
    InverseWishartPrior,
    LaplacePrior,
    MarginalInverseWishartPrior,
    NormalMixturePrior,
    NormalPrior,
    SparsePrior,
    StandardNormalPrior,
    StudentTProductPrior,
)

tfd = tfp.distributions
SEED = tf.constant([6, 3])
RNG = np.random.default_rng(0)
BATCH, SIZE = 5, 3
LOC = RNG.normal(size=(BATCH, SIZE)).astype("float32")
TRIL = np.tril(RNG.normal(size=(BATCH, SIZE, SIZE))) * 0.4
TRIL = (TRIL + np.eye(SIZE) * np.array([0.3, 0.6, 1.1])).astype("float32")
TRIL[:, range(SIZE), range(SIZE)] = abs(TRIL[:, range(SIZE), range(SIZE)])
IMAGES = RNG.uniform(size=(BATCH, 4, 4, 1)).astype("float32")
WEIGHTS = RNG.normal(size=(SIZE, 16)).astype("float32")


def decode(z):
    return tf.reshape(tf.tanh(z) @ WEIGHTS, IMAGES.shape)


def loss_of(objective, prior, posterior, sample, outputs):
    """What training minimises, the decoder's outputs being given."""
    latents = GaussianLatents(SIZE, "full", prior)
    q = GaussianPosterior(latents, posterior)
    inference = Inference(
        latents=latents, posterior=q, sample=sample, step=0, seed=SEED
    )
    return objective(IMAGES, outputs, inference).scalars()["loss"]


# ---- 1. beta-VAE is an ELBO.


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("variances", [None, [0.4, 1.0, 2.5]])
def test_beta_vae_is_the_elbo_of_rescaled_networks(beta, variances):
    """With z' = sqrt(beta) z, so that mu' = sqrt(beta) mu, S' = beta S:

        L_beta = ELBO' + (beta - 1)/2 E log|S'| + c
        c = (beta - 1)/2 (p - log|Sigma|) - (p beta/2) log beta

    in value, and so in gradient, the decoder reading z'/sqrt(beta).
    """
    noise = tf.random.stateless_normal([BATCH, SIZE], SEED)
    root = np.sqrt(np.float32(beta))
    variances = [1.0] * SIZE if variances is None else variances
    prior = NormalPrior(float(np.mean(variances)), variances)

    def plain(loc, tril):
        z = loc + tf.linalg.matvec(tril, noise)
        return tfd.MultivariateNormalTriL(loc, tril), z, decode(z)

    def rescaled(loc, tril):
        posterior, z, _ = plain(root * loc, root * tril)
        return posterior, z, decode(z / root)

    def both(loc, tril):
        ours = loss_of(beta_vae(beta), prior, *plain(loc, tril))
        posterior, *rest = rescaled(loc, tril)
        c = (beta - 1) / 2 * (SIZE - np.log(variances).sum())
        c -= SIZE * beta / 2 * np.log(beta)
        # The losses are -L, and log|S'| = 2 log|L'|.
        log_det = 2 * tf.reduce_mean(posterior.scale.log_abs_determinant())
        theirs = loss_of(elbo(), prior, posterior, *rest)
        return ours, theirs - (beta - 1) / 2 * log_det - c

    loc, tril = tf.constant(LOC), tf.constant(TRIL)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([loc, tril])
        ours, theirs = both(loc, tril)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-4)
    for variable in (loc, tril):
        np.testing.assert_allclose(
            tape.gradient(ours, variable),
            tape.gradient(theirs, variable),
            rtol=1e-4,
            atol=1e-4,
        )


ONE_LATENT = {
    "student_t": (StudentTProductPrior(3.0), scipy.stats.t(3.0).logpdf),
    "mixture": (
        NormalMixturePrior([[-2.0], [1.0]], [[0.25], [1.0]], [0.3, 0.7]),
        lambda z: np.logaddexp(
            np.log(0.3) + scipy.stats.norm(-2, 0.5).logpdf(z),
            np.log(0.7) + scipy.stats.norm(1, 1).logpdf(z),
        ),
    ),
    "sparse": (
        SparsePrior(0.6, 0.2, 1.0),
        lambda z: np.logaddexp(
            np.log(0.6) + scipy.stats.norm(0, 0.2).logpdf(z),
            np.log(0.4) + scipy.stats.norm(0, 1).logpdf(z),
        ),
    ),
}


def integral(function):
    """Over the line; the tail of p^beta is long where p is Student-t and beta < 1."""
    pieces = [(-np.inf, -8), (-8, 0), (0, 8), (8, np.inf)]
    return sum(scipy.integrate.quad(function, a, b, limit=300)[0] for a, b in pieces)


@pytest.mark.parametrize("beta", [0.6, 3.0])
@pytest.mark.parametrize("name", ONE_LATENT)
def test_beta_vae_is_the_elbo_under_the_annealed_prior(name, beta):
    """L_beta = ELBO with prior p^beta/F_beta + (beta - 1) H(q) + log F_beta.

    Left: the library's beta-VAE, its KL by Monte Carlo. Right: scipy and quadrature.
    The likelihood is the same on both sides and is left out.
    """
    prior, log_p = ONE_LATENT[name]
    latents = GaussianLatents(1, "full", prior)
    q = scipy.stats.norm(0.7, 0.8)
    draws = 40_000
    posterior = tfd.MultivariateNormalTriL(
        tf.fill([draws, 1], 0.7), tf.fill([draws, 1, 1], 0.8)
    )
    sample = posterior.sample(seed=SEED)
    kl = latents.prior.kl(posterior, sample, SEED)
    costs = beta_vae(beta).kl_term(kl, 0).numpy()

    log_f = np.log(integral(lambda z: np.exp(beta * log_p(z))))
    kl = integral(lambda z: q.pdf(z) * (q.logpdf(z) - beta * log_p(z) + log_f))
    expected = kl - (beta - 1) * q.entropy() - log_f
    error = costs.std() / np.sqrt(draws)
    assert error < 0.02 * abs(expected)
    assert abs(costs.mean() - expected) < 4.5 * error


# ---- 2. Rotations.


def rotation(seed=1):
    return scipy.stats.ortho_group.rvs(SIZE, random_state=seed).astype("float32")


def rotated(u):
    """mu -> U mu, S -> U S U^T, as a mean and a Cholesky factor."""
    covariance = u @ (TRIL @ TRIL.transpose(0, 2, 1)) @ u.T
    return LOC @ u.T, np.linalg.cholesky(covariance)


def mean_loss(prior, loc, tril, back, draws=2000):
    """Negative ELBO per image over many draws, and its standard error.

    `back` rotates the codes back before the decoder.
    """
    latents, objective = GaussianLatents(SIZE, "full", prior), elbo()
    posterior = tfd.MultivariateNormalTriL(loc, tril)

    @tf.function
    def many(seeds):
        def one(seed):
            z_seed, kl_seed = tfp.random.split_seed(seed, n=2)
            z = posterior.sample(seed=z_seed)
            q = GaussianPosterior(latents, posterior)
            inference = Inference(
                latents=latents, posterior=q, sample=z, step=0, seed=kl_seed
            )
            return -objective(IMAGES, decode(z @ back), inference).elbo()

        return tf.map_fn(one, seeds, fn_output_signature=tf.float32)

    values = many(tf.stack(tfp.random.split_seed(SEED, draws))).numpy()
    return values.mean(0), values.std(0) / np.sqrt(draws)


SIGMA0 = [[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]]
BLIND = {
    "N(0, I)": lambda: StandardNormalPrior(),
    "multivariate Student-t": lambda: MarginalInverseWishartPrior(5.0),
    "CHyVAE, Psi = c I": lambda: InverseWishartPrior(7.0),
}
SEEING = {
    "anisotropic normal": lambda: NormalPrior(1.0, [0.2, 1.0, 3.0]),
    "product Student-t": lambda: StudentTProductPrior(1.5, 0.3),
    "inverse gamma": lambda: InverseGammaPrior(1.0, 0.1),
    "Laplace": lambda: LaplacePrior(0.5),
    "sparse": lambda: SparsePrior(),
    "CHyVAE, Sigma_0 not I": lambda: InverseWishartPrior(20.0, SIGMA0),
}


def change(prior):
    """How the loss of each image changes under a rotation, and the standard error."""
    u = rotation()
    before, error = mean_loss(prior, LOC, TRIL, np.eye(SIZE, dtype="float32"))
    after, other = mean_loss(prior, *rotated(u), u)
    return after - before, np.hypot(error, other)


@pytest.mark.parametrize("name", BLIND)
def test_rotation_leaves_the_elbo(name):
    difference, error = change(BLIND[name]())
    assert (abs(difference) < 4.5 * error).all()
    assert error.max() < 0.25


@pytest.mark.parametrize("name", SEEING)
def test_rotation_changes_the_elbo(name):
    difference, error = change(SEEING[name]())
    assert (abs(difference) > 5 * error).any()


@pytest.mark.parametrize("name", BLIND)
def test_blind_priors_give_the_same_terms_draw_by_draw(name):
    """Not only on average: with z rotated too, every term is the same number."""
    u, prior = rotation(), BLIND[name]()
    latents = GaussianLatents(SIZE, "full", prior)

    posterior = tfd.MultivariateNormalTriL(LOC, TRIL)
    turned = tfd.MultivariateNormalTriL(*rotated(u))
    z, other = posterior.sample(2, seed=SEED)
    before = terms_with(latents, posterior, z, other)
    after = terms_with(latents, turned, z @ u.T, other @ u.T)
    for part, expected in before.items():
        np.testing.assert_allclose(after[part], expected, rtol=1e-3, atol=1e-4)


def terms_with(latents, posterior, z, other):
    """The KL's parts at the sample z, the structured form's own draw being `other`."""
    posterior.sample = lambda seed: other
    return latents.prior.kl(posterior, z, SEED)


# ---- 3. Overlap and structure.

VARIANCES = np.array([4.0, 1.0, 0.3])  # of the data, along the axes
NOISE = 0.2  # s^2, of the likelihood
SCALE = float(np.sqrt(NOISE))


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        (0.25, [0.0125, 0.05]),
        (1.0, [0.05, 0.2]),
        (3.0, [0.15, 0.6]),
        (10.0, [0.5, 1.0]),
        (25.0, [1.0, 1.0]),
    ],
)
def test_overlap_rises_with_beta_to_its_maximum(beta, expected):
    """A linear beta-VAE of L latents, p(z) = N(0, I), x|z ~ N(W z, s^2 I), trained.

    L_beta / beta is an ELBO with the noise beta s^2, but for constants: probabilistic
    principal components (Tipping & Bishop, 1999), whose best W has along the i-th
    axis of the data, of variance lambda_i,

        w_i^2 = max(lambda_i - beta s^2, 0)
        S_i = beta s^2 / (beta s^2 + w_i^2) = min(beta s^2 / lambda_i, 1).

    So q(z|x) widens in proportion to beta, and I(x; z) = sum_i -log(S_i)/2 falls to 0,
    until S is the prior's variance at beta = lambda_1/s^2: all codes overlap entirely.
    """
    np.testing.assert_allclose(expected, np.minimum(beta * NOISE / VARIANCES[:2], 1))
    # Six points of that covariance, and for each the points of z that integrate
    # quadratic functions over q(z|x) exactly.
    points = np.concatenate([np.diag(np.sqrt(3 * VARIANCES)) * s for s in (1, -1)])
    x = tf.constant(points.repeat(4, axis=0), tf.float32)
    corners = np.tile(np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)]), (6, 1))
    latents = GaussianLatents(2, "diagonal")
    objective = beta_vae(beta, likelihood=Normal(SCALE))

    @tf.function
    def loss_and_gradient(flat):
        with tf.GradientTape() as tape:
            tape.watch(flat)
            encoder, decoder, log_variance = tf.split(flat, [6, 6, 2])
            mean = x @ tf.reshape(encoder, [3, 2])
            z = mean + tf.constant(corners, tf.float32) * tf.exp(log_variance / 2)
            rows = tf.broadcast_to(log_variance, tf.shape(mean))
            inference = Inference(
                latents=latents,
                posterior=latents.posterior(tf.concat([mean, rows], axis=1)),
                sample=z,
                step=0,
                seed=SEED,
            )
            outputs = tf.reshape(z @ tf.reshape(decoder, [2, 3]), [-1, 1, 1, 3])
            images = tf.reshape(x, [-1, 1, 1, 3])
            loss = objective(images, outputs, inference).scalars()["loss"]
        return loss, tape.gradient(loss, flat)

    def function(flat):
        loss, gradient = loss_and_gradient(tf.constant(flat, tf.float32))
        return float(loss), gradient.numpy().astype(np.float64)

    start = np.random.default_rng(0).normal(size=14) * 0.3
    found = scipy.optimize.minimize(function, start, jac=True, method="L-BFGS-B").x
    variances = np.sort(np.exp(found[12:]))
    np.testing.assert_allclose(variances, expected, rtol=0.02)
    weights = np.sort((found[6:12].reshape(2, 3) ** 2).sum(axis=1))[::-1]
    best = np.maximum(VARIANCES[:2] - beta * NOISE, 0)
    np.testing.assert_allclose(weights, best, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("variance", [4.0, 0.25])
def test_structure_rises_with_alpha_to_the_prior(variance):
    """A linear encoder z|x ~ N(m x, v) of x ~ N(0, lambda), its decoder w z held.

    The aggregate posterior is q(z) = N(0, C), C = m^2 lambda + v, and with beta = 0

        -L(m) = [(1 - w m)^2 lambda + w^2 v] / (2 s^2) + alpha/2 (1/C - 1 + log C) + c,

    the second term being alpha KL(p(z) || q(z)). It is stationary where

        alpha = w (1 - w m) C^2 / (s^2 m (C - 1)).

    Between m = 1/w, where alpha = 0, and C = 1, where alpha is infinite, that grows:
    C goes to 1, the prior's variance, from above or below, and the divergence to 0.
    """
    w, v, s = 1.0, 0.1, 0.5
    near_one = np.sqrt((1 - v) / variance)

    def stationary(alpha):
        def excess(m):
            c = m**2 * variance + v
            return alpha * s**2 * m * (c - 1) - w * (1 - w * m) * c**2

        return scipy.optimize.brentq(excess, *sorted([1 / w, near_one]))

    middles = (np.arange(300) + 0.5) / 300
    normal = scipy.stats.norm.ppf(middles)
    normal = (normal / normal.std()).astype("float32")  # N(0, 1), evenly drawn
    x = np.sqrt(variance).astype("float32") * normal[:, None]
    latents = GaussianLatents(1, "diagonal")
    likelihood = Normal(s)

    @tf.function
    def terms(m):
        raw = tf.concat([m * x, tf.fill(tf.shape(x), np.log(v, dtype="f"))], axis=1)
        divergence = prior_to_aggregate_kl(
            latents.posterior(raw), latents.prior, tf.constant(normal[:, None])
        )
        images, sums = tf.reshape(x, [-1, 1, 1, 1]), 0.0
        for sign in (1.0, -1.0):  # integrates quadratic functions of z exactly
            outputs = w * (m * images + sign * np.sqrt(v).astype("float32"))
            sums += tf.reduce_mean(likelihood.log_prob(images, outputs)) / 2
        return -sums, divergence

    spreads, divergences = [], []
    for alpha in (0.0, 1.0, 10.0, 100.0, 1e4):

        def loss(m, alpha=alpha):
            reconstruction, divergence = terms(tf.constant(m, tf.float32))
            return float(reconstruction + alpha * divergence)

        ends = sorted([1 / w, near_one])
        bounds = (0.9 * ends[0], 1.1 * ends[1])
        m = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded").x
        np.testing.assert_allclose(m, stationary(alpha), rtol=0.02)
        spreads.append(abs(m**2 * variance + v - 1))
        divergences.append(float(terms(tf.constant(m, tf.float32))[1]))
    assert (np.diff(spreads) < 0).all() and spreads[-1] < 0.02
    assert (np.diff(divergences) < 0).all() and abs(divergences[-1]) < 2e-3
