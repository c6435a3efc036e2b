"""A sparse prior with a density: the product of Laplace distributions."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions


class LaplacePrior(Prior):
    """p(z) = prod_i exp(-|z_i|/b) / (2 b).

    Its level sets are diamonds with their corners on the axes, so a rotation of the
    latents changes the KL, unlike under N(0, I). With a Laplace posterior
    (`LocationScaleLatents`) the KL is in closed form.

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
