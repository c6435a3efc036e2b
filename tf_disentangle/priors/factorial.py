"""Priors that are products of one univariate distribution: Laplace, Student-t, uniform.

    p(z) = prod_i f(z_i)

The contours of these densities are not circles. Unlike under N(0, I), a rotation of the
latents changes the KL, so these priors prefer the axes.

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments: Student-t, df = 9 in its authors' code.
    Chen et al., "InfoGAN", NeurIPS 2016, arXiv:1606.03657, appendix C.1: uniform codes.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions


class LaplacePrior(Prior):
    """p(z) = prod_i exp(-|z_i|/b) / (2 b), a sparse prior with a density.

    With a Laplace posterior (`LocationScaleLatents`) the KL is in closed form.

    Args:
        scale: b, greater than 0; the variance is 2 b^2.
    """

    label = "z ~ Laplace"

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = checks.real(scale, "scale", above=0.0)

    def marginals(self) -> tfd.Distribution:
        """Returns L Laplace distributions."""
        return tfd.Laplace(tf.zeros(self.num_latents), self.scale)


class StudentTProductPrior(Prior):
    """p(z): L independent univariate Student-t variables; one sample estimates the KL.

    This is not the *multivariate* Student-t, CHyVAE's marginal prior, which has one
    common radial variable and is invariant to rotations.

    Args:
        df: Degrees of freedom, greater than 0. Up to 2 the variance is infinite; for
            large df the prior tends to the normal one.
        scale: Scale of each variable, greater than 0; not its standard deviation.
    """

    def __init__(self, df: float, scale: float = 1.0) -> None:
        super().__init__()
        self.df = checks.real(df, "df", above=0.0)
        self.scale = checks.real(scale, "scale", above=0.0)
        self.label = f"z_i ~ Student-t({self.df:g}), independent"

    def marginals(self) -> tfd.Distribution:
        """Returns L univariate Student-t distributions."""
        return tfd.StudentT(self.df, tf.zeros(self.num_latents), self.scale)


class UniformPrior(Prior):
    """p(z): L independent uniform variables on [-bound, bound], for the codes of a GAN.

    A posterior that reaches beyond the bounds, as every normal one does, has an
    infinite KL, so that a VAE cannot be trained with this prior.

    Args:
        bound: Greater than 0; InfoGAN has 1.
    """

    kl_names = ()  # There is no finite KL.

    def __init__(self, bound: float = 1.0) -> None:
        super().__init__()
        self.bound = checks.real(bound, "bound", above=0.0)
        self.label = f"z_i ~ U(-{self.bound:g}, {self.bound:g}), independent"

    def marginals(self) -> tfd.Distribution:
        """Returns L uniform distributions."""
        ends = tf.fill([self.num_latents], self.bound)
        return tfd.Uniform(-ends, ends)

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Raises `ArgumentError`: a posterior with tails has an infinite KL."""
        del posterior, sample, seed
        rule = "have an unbounded density for an objective with a KL"
        remedy = "Take StandardNormalPrior; UniformPrior is for InfoGAN."
        raise checks.ArgumentError(
            checks.message("prior", rule, type(self).__name__, remedy)
        )
