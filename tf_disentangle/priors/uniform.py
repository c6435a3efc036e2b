"""A product of uniform variables as the prior, for the codes of a GAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions


class UniformPrior(Prior):
    """p(z): L independent uniform variables on [-bound, bound].

    For InfoGAN, whose recognition network models codes that were drawn from p(z). A
    posterior that reaches beyond the bounds, as every normal one does, has an infinite
    KL, so that a VAE cannot be trained with this prior.

    Args:
        bound: Greater than 0; 1 is InfoGAN's.

    References:
        Chen et al., "InfoGAN", NeurIPS 2016, arXiv:1606.03657, appendix C.1.
    """

    kl_names = ()  # There is no finite KL.

    def __init__(self, bound: float = 1.0) -> None:
        super().__init__()
        self.bound = checks.real(bound, "bound", above=0.0)
        self.label = f"z_i ~ U(-{self.bound:g}, {self.bound:g}), independent"

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        return {"bound": self.bound}

    def distribution(self) -> tfd.Distribution:
        """Returns the product of uniform distributions, event shape [L]."""
        return tfd.Independent(self.marginals(), 1)

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
