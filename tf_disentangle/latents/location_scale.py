"""Latents whose posterior is a product over the latents, but not a normal one.

    q(z|x) = prod_i 1/s_i(x) f((z_i - m_i(x)) / s_i(x))

with f a standard Laplace, logistic or Student-t density. A Gaussian q(z|x) with
diagonal covariance cannot match the tails, or the peak at zero, of a sparse prior;
these densities can. Being products, they are tied to the axes, as such a prior is.
"""

from __future__ import annotations

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import IndependentPosterior
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions

FAMILIES = ("laplace", "logistic", "student_t")


class LocationScaleLatents(Latents):
    """L latents with a product posterior of one family, and any prior that takes it.

    The encoder emits m and log s, 2 L numbers. The KL is in closed form where TFP has
    one for the pair (Laplace and `LaplacePrior`); otherwise one sample estimates it.

    Args:
        num_latents: L, at least 1.
        family: "laplace", "logistic" or "student_t".
        df: Degrees of freedom of "student_t", greater than 2, so that q(z|x) has a
            variance; None for the other families.
        prior: p(z); None means the standard normal.
    """

    posterior_type = tfd.Independent

    def __init__(
        self,
        num_latents: int = 10,
        family: str = "laplace",
        df: float | None = None,
        prior: Prior | None = None,
    ) -> None:
        super().__init__(num_latents, prior)
        self.num_parameters = 2 * self.num_latents
        self.family = checks.one_of(family, FAMILIES, "family")
        if family == "student_t":
            remedy = "Without a variance there is no deviation to report."
            self.df = checks.real(df, "df", above=2.0, remedy=remedy)
        else:
            remedy = "Only the family 'student_t' has degrees of freedom."
            checks.require(df is None, "df", f"be None for {family}", df, remedy)
            self.df = None

    def posterior(self, parameters: tf.Tensor) -> IndependentPosterior:
        """Turns the encoder's output [B, num_parameters] into q(z|x)."""
        loc, scale = self._loc_and_scale(parameters)
        if self.family == "student_t":
            marginals = tfd.StudentT(self.df, loc, scale)
        else:
            family = {"laplace": tfd.Laplace, "logistic": tfd.Logistic}[self.family]
            marginals = family(loc, scale)
        return IndependentPosterior(self, tfd.Independent(marginals, 1))

    def moments(self, parameters: tf.Tensor) -> Moments:
        """Returns the means m and the standard deviations, each a multiple of s."""
        loc, scale = self._loc_and_scale(parameters)
        if self.family == "student_t":
            deviation = math.sqrt(self.df / (self.df - 2.0))
        else:
            of_family = {"laplace": 2.0, "logistic": math.pi**2 / 3.0}
            deviation = math.sqrt(of_family[self.family])
        return Moments(loc, scale * deviation)

    def _loc_and_scale(self, parameters: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns m and s, each [B, L]."""
        loc, log_scale = tf.split(tf.cast(parameters, tf.float32), 2, axis=-1)
        return loc, tf.exp(log_scale)
