"""CHyVAE's prior: a normal whose covariance has an inverse-Wishart hyperprior.

    Sigma ~ IW_p(Psi, nu),   z | Sigma ~ N(0, Sigma),   Psi = (nu - p - 1) Sigma_0

(equations 8 and 9 of the paper). There are three bounds on the likelihood of this one
model, which differ in what they use as the posterior of Sigma:

- `InverseWishartPrior`: q(Sigma|z') = IW(Psi + z' z'^T, nu + 1) with z' drawn
  independently of the decoded z; the paper's structured form, equation (13).
- `MarginalInverseWishartPrior`: the exact p(Sigma|z), so that Sigma drops out and p(z)
  is a multivariate Student-t. The tightest of the three.
- `MeanFieldInverseWishartPrior`: q(Sigma|x) from the encoder; the form that
  the paper tried first and gave up.

For every z', the two terms of (13) are those of a mean-field bound with q(Sigma|z') as
its q(Sigma|x). So (13) never subtracts less than the best mean-field form does, nor
that form less than the marginal one: docs/free_combination.md.

References:
    Ansari & Soh, "Hyperprior Induced Unsupervised Disentanglement of Latent
    Representations", AAAI 2019, arXiv:1809.04497.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import (
    InverseWishart,
    MeanFieldGaussian,
    expected_gaussian_kl,
    marginal_student_t,
)
from tf_disentangle.priors.base import Prior, float_array

tfd = tfp.distributions

_FIGURE_1_NU = (10.0, 100.0, 1000.0)


class InverseWishartPrior(Prior):
    """p(z) = integral of N(z | 0, Sigma) IW(Sigma | Psi, nu) over Sigma.

    Psi = max(nu - p - 1, 1) Sigma_0, as in the authors' code. So for nu >= p + 2 the
    mean of Sigma is Sigma_0. For smaller nu, Psi stays at Sigma_0: the mean is
    Sigma_0 / (nu - p - 1) for p + 1 < nu < p + 2, and for nu <= p + 1 Sigma has no mean
    (its mode, Sigma_0 / (nu + p + 1), always exists); all formulas hold for nu > p - 1.

    Args:
        nu: Degrees of freedom, greater than p - 1. Larger values ask for covariances
            nearer to Sigma_0, which means independent latents if Sigma_0 = I.
        sigma0: Desired covariance, [p, p] symmetric positive definite; None means I.
    """

    kl_names: tuple[str, ...] = ("kl_gaussian", "kl_covariance")
    label = "Sigma ~ IW, z ~ N(0, Sigma)"

    def __init__(
        self, nu: float, sigma0: Sequence[Sequence[float]] | None = None
    ) -> None:
        super().__init__()
        self.nu = checks.real(nu, "nu")
        self.sigma0 = None if sigma0 is None else _covariance(sigma0)

    def check_posterior(self, posterior_type: type[tfd.Distribution]) -> None:
        """Checks that q(z|x) is Gaussian, which the closed form needs."""
        checks.require(
            issubclass(posterior_type, tfd.MultivariateNormalLinearOperator),
            "prior",
            f"fit the latents' posterior, {posterior_type.__name__}",
            f"{type(self).__name__}, whose closed form is for Gaussian posteriors",
            "Use GaussianLatents, or MarginalInverseWishartPrior, which takes any.",
        )

    def build(self, input_shape: tuple) -> None:
        """Checks nu and Sigma_0 against the number of latents p."""
        super().build(input_shape)
        p = self.num_latents
        # What counts is its float32 value, which may be p - 1 itself.
        with np.errstate(over="ignore"):
            nu = np.float32(self.nu)
        checks.require(
            nu > p - 1,
            "nu",
            f"be greater than p - 1 = {p - 1} for {p} latents",
            self.nu,
            "Raise nu or lower num_latents.",
        )
        if self.sigma0 is not None:
            rule, shape = f"have shape [{p}, {p}] for {p} latents", self.sigma0.shape
            checks.require(shape == (p, p), "sigma0", rule, shape)

    def inverse_wishart(self, nu: float | None = None) -> InverseWishart:
        """Returns IW(Psi, nu) over Sigma, with this prior's Sigma_0.

        Args:
            nu: Other degrees of freedom than the prior's own, for comparisons.
        """
        nu = self.nu if nu is None else nu
        p = self.num_latents
        factor = max(nu - p - 1.0, 1.0)
        if self.sigma0 is None:
            psi = tf.linalg.LinearOperatorScaledIdentity(
                p, tf.constant(factor, tf.float32), is_positive_definite=True
            )
            return InverseWishart(nu, scale_operator=psi)
        tril = np.linalg.cholesky(factor * self.sigma0)
        return InverseWishart(nu, scale_tril=tf.constant(tril, tf.float32))

    def distribution(self) -> tfd.Distribution:
        """Returns p(z): Student-t with nu - p + 1 degrees of freedom, event [p]."""
        return marginal_student_t(self.inverse_wishart())

    def marginals(self) -> tfd.Distribution:
        """Returns the p univariate Student-t marginals of p(z)."""
        df = self.nu - self.num_latents + 1.0
        scale = self.inverse_wishart().scale_operator.diag_part() / df
        return tfd.StudentT(df, tf.zeros(self.num_latents), tf.sqrt(scale))

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns the paper's figure 1: Sigma_0, and one sample for each of several nu.

        They are three fixed values and the prior's own.
        """
        size = self.num_latents
        sigma0 = np.eye(size) if self.sigma0 is None else self.sigma0
        matrices = {"\N{GREEK CAPITAL LETTER SIGMA}\N{SUBSCRIPT ZERO}": sigma0}
        for nu in sorted({*_FIGURE_1_NU, self.nu}):
            if nu > size - 1:
                draw = self.inverse_wishart(nu).sample(1, seed=seed)[0]
                own = " (this model)" if nu == self.nu else ""
                label = f"\N{GREEK SMALL LETTER NU} = {nu:g}{own}"
                matrices[label] = draw.numpy()
        # Near p - 1 degrees of freedom a sample can overflow.
        return {k: m for k, m in matrices.items() if np.isfinite(m).all()}

    def sample(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws Sigma ~ IW(Psi, nu), then z ~ N(0, Sigma) (section 3.1)."""
        sigma_seed, z_seed = tfp.random.split_seed(seed, n=2)
        factor = self.inverse_wishart().sample_factor(num_samples, sigma_seed)
        normal = tf.random.stateless_normal([num_samples, self.num_latents], z_seed)
        return tf.linalg.matvec(factor, normal)

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the two KL terms of equation (13), each [B], in nats.

            kl_gaussian   = E_{IW(Phi, lam)} KL(N(mu, S) || N(0, Sigma))
            kl_covariance = KL(IW(Phi, lam) || IW(Psi, nu))

        with Phi = Psi + z' z'^T, lam = nu + 1. As in the authors' code, z' is drawn
        independently of the `sample` that is decoded.
        """
        del sample
        z = posterior.sample(seed=seed)
        hyperprior = self.inverse_wishart()
        q_sigma = hyperprior.conditioned_on(z)
        return _two_terms(posterior, q_sigma, hyperprior)


class MarginalInverseWishartPrior(InverseWishartPrior):
    """CHyVAE's prior with Sigma integrated out: a multivariate Student-t.

        p(z) = t_p(z; nu - p + 1 degrees of freedom, 0, Psi / (nu - p + 1))
        KL(q || p) ~= log q(z|x) - log p(z) at the decoded z ~ q(z|x)

    This is the model of `InverseWishartPrior`, with the same pictures, but with the
    exact bound in place of (13). The paper sets it aside because a Student-t cannot be
    reparameterised explicitly. That is not needed here: samples come from q(z|x).

    Args:
        nu: As for `InverseWishartPrior`.
        sigma0: As for `InverseWishartPrior`.
    """

    kl_names = ("kl",)

    def check_posterior(self, posterior_type: type[tfd.Distribution]) -> None:
        """Any q(z|x) will do."""
        del posterior_type

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the estimate of KL(q(z|x) || p(z)) from `sample`, [B], in nats."""
        return Prior.kl(self, posterior, sample, seed)


class MeanFieldInverseWishartPrior(InverseWishartPrior):
    """CHyVAE's prior, with the KL computed from the encoder's own q(Sigma|x).

        KL = E_{q(Sigma|x)} KL(N(mu, S) || N(0, Sigma)) + KL(q(Sigma|x) || IW(Psi, nu))

    `latents.MeanFieldLatents` gives q(z|x) q(Sigma|x).

    Args:
        nu: As for `InverseWishartPrior`.
        sigma0: As for `InverseWishartPrior`.
    """

    requires_kl_term = True

    def check_posterior(self, posterior_type: type[tfd.Distribution]) -> None:
        """Checks that the latents give a q(Sigma|x)."""
        checks.require(
            issubclass(posterior_type, MeanFieldGaussian),
            "prior",
            f"fit the latents' posterior, {posterior_type.__name__}",
            f"{type(self).__name__}, which needs a q(Sigma|x)",
            "Use MeanFieldLatents, or InverseWishartPrior.",
        )

    def kl(
        self, posterior: MeanFieldGaussian, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the two KL terms above, each [B], in nats; nothing is drawn."""
        del sample, seed
        q_sigma = posterior.covariance_posterior
        return _two_terms(posterior, q_sigma, self.inverse_wishart())


def _two_terms(
    posterior: tfd.Distribution, q_sigma: InverseWishart, hyperprior: InverseWishart
) -> dict[str, tf.Tensor]:
    """Returns the two KL terms, each [B], by their names."""
    factor = posterior.scale.to_dense()
    return {
        "kl_gaussian": expected_gaussian_kl(posterior.mean(), factor, q_sigma),
        "kl_covariance": tfd.kl_divergence(q_sigma, hyperprior),
    }


def _covariance(sigma0: Sequence[Sequence[float]]) -> np.ndarray:
    """Returns Sigma_0 as float64 [p, p] after checking that it is a covariance."""
    rule = "be a symmetric positive definite matrix"
    matrix = float_array(sigma0, 2, "sigma0", rule)
    checks.require(matrix.shape[0] == matrix.shape[1], "sigma0", rule, matrix.shape)
    good = np.allclose(matrix, matrix.T) and np.linalg.eigvalsh(matrix)[0] > 0
    checks.require(good, "sigma0", rule, matrix.tolist())
    return matrix
