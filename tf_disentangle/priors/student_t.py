"""A product of univariate Student-t distributions as the prior.

    p(z) = prod_i t(z_i; df, scale)

Its densities' contours are not circles, so that it prefers the axes: a rotation of
the latents changes the ELBO. The *multivariate* Student-t, CHyVAE's marginal prior, has
one common radial variable, is invariant to rotations and is another thing.

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments: df = 9 in its authors' code.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions


class StudentTProductPrior(Prior):
    """p(z): L independent univariate Student-t variables; the KL is a sample's.

    Args:
        df: Degrees of freedom, greater than 0. The variance is infinite up to 2, and
            the normal prior is the limit of large df.
        scale: Of each variable, greater than 0; not its standard deviation.
    """

    def __init__(self, df: float, scale: float = 1.0) -> None:
        super().__init__()
        self.df = checks.real(df, "df", above=0.0)
        self.scale = checks.real(scale, "scale", above=0.0)
        self.label = f"z_i ~ Student-t({self.df:g}), independent"

    def marginals(self) -> tfd.Distribution:
        """Returns L univariate Student-t distributions."""
        return tfd.StudentT(self.df, tf.zeros(self.num_latents), self.scale)
