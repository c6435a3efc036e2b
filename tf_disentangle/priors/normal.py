"""Normal priors with a separate variance for each axis.

    p(z) = N(0, diag(v)),   v_i = variance L w_i,   w = softmax(theta)

Equal w give the isotropic prior. Unequal ones single out the axes: a rotation of the
latents then changes the ELBO. Where theta is trained, the mean of the variances stays
fixed (the KL does not determine the scale of z, which the decoder can undo).

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments; the softmax is its authors' code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.priors.base import Prior, float_array

tfd = tfp.distributions


class NormalPrior(Prior):
    """p(z) = N(0, diag(v)): isotropic, anisotropic, or with a learned anisotropy.

    Args:
        variance: Mean of the L variances, greater than 0.
        proportions: L positive numbers to which the variances are proportional, such
            as `datasets.principal_shares` gives; None means equal variances.
        trainable: Whether the proportions are trained, starting from these.
    """

    def __init__(
        self,
        variance: float = 1.0,
        proportions: Sequence[float] | None = None,
        trainable: bool = False,
    ) -> None:
        super().__init__()
        self.variance = checks.real(variance, "variance", above=0.0)
        self.proportions = None
        if proportions is not None:
            rule = "be a list of positive numbers"
            self.proportions = float_array(proportions, 1, "proportions", rule)
            positive = (self.proportions > 0).all()
            checks.require(positive, "proportions", rule, proportions)
        self.learns = checks.one_of(trainable, (True, False), "trainable")
        isotropic = proportions is None and not trainable
        self.label = (
            f"z ~ N(0, {self.variance:g} I)" if isotropic else "z ~ N(0, diag(v))"
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        # `trainable` is an attribute of every Keras layer.
        return {**super().get_config(), "trainable": self.learns}

    def build(self, input_shape: tuple) -> None:
        """Checks the proportions against the number of latents."""
        super().build(input_shape)
        size = self.num_latents
        shares = np.ones(size) if self.proportions is None else self.proportions
        rule = f"have one number for each of the {size} latents"
        checks.require(len(shares) == size, "proportions", rule, len(shares))
        logs = np.log(shares)  # the sum of large numbers would not be finite
        theta = logs - np.logaddexp.reduce(logs)
        if self.learns:
            self.theta = self.add_weight(
                shape=(size,),
                initializer=lambda shape, dtype: tf.constant(theta, dtype, shape),
                name="theta",
            )
        else:
            self.theta = tf.constant(theta, tf.float32)

    def variances(self) -> tf.Tensor:
        """Returns v, float32 [L]; their mean is `variance`."""
        shares = tf.nn.softmax(tf.convert_to_tensor(self.theta))
        return self.variance * self.num_latents * shares

    def distribution(self) -> tfd.Distribution:
        """Returns N(0, diag(v)), event shape [L]."""
        scale = tf.sqrt(self.variances())
        return tfd.MultivariateNormalDiag(tf.zeros_like(scale), scale)

    def marginals(self) -> tfd.Distribution:
        """Returns N(0, v_i) of each latent."""
        scale = tf.sqrt(self.variances())
        return tfd.Normal(tf.zeros_like(scale), scale)

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns diag(v), unless all variances are fixed and equal."""
        del seed
        if self.proportions is None and not self.learns:
            return {}
        return {"diag(v)": np.diag(np.asarray(self.variances()))}
