"""A Gaussian q(z|x) that carries the q(Sigma|x) of the same image beside it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions.inverse_wishart import InverseWishart

tfd = tfp.distributions


class MeanFieldGaussian(tfd.MultivariateNormalTriL):
    """q(z|x), which carries the q(Sigma|x) of the same image beside it.

    Args:
        loc: mu [B, p].
        scale_tril: Factor of S, [B, p, p].
        covariance_posterior: q(Sigma|x), batch shape [B].
        name: Prefix of the operations' names.
    """

    def __init__(
        self,
        loc: tf.Tensor,
        scale_tril: tf.Tensor,
        covariance_posterior: InverseWishart,
        name: str = "MeanFieldGaussian",
    ) -> None:
        parameters = dict(locals())
        self.covariance_posterior = covariance_posterior
        super().__init__(loc, scale_tril, name=name)
        self._parameters = parameters

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType | None, num_classes: int | None = None
    ) -> dict[str, Any]:
        return {
            **super()._parameter_properties(dtype, num_classes),
            "covariance_posterior": tfp.util.BatchedComponentProperties(),
        }
