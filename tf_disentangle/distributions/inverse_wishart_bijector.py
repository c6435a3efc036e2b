"""Inversion of symmetric positive definite matrices as a bijector.

With it the inverse Wishart is TFP's Wishart, transformed:

    tfd.TransformedDistribution(
        tfd.WishartTriL(df, scale_tril=tf.linalg.cholesky(tf.linalg.inv(psi))),
        SPDInversion(),
    )

is IW(psi, df). `InverseWishart` is the same distribution for training.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class SPDInversion(tfb.Bijector):
    """Y = g(X) = X^-1 for symmetric positive definite X [..., p, p], its own inverse.

        dY = -X^-1 dX X^-1
        log |det dY/dX| = -(p + 1) log |X|

    The Jacobian is that on the p (p + 1)/2 numbers of a symmetric matrix, on which
    densities such as the Wishart's are defined; the power is p + 1, not the 2 p of
    inversion on all p^2 numbers.

    Args:
        validate_args: Whether the input is checked to be symmetric. That it is positive
            definite is never checked: its Cholesky factor fails or is NaN otherwise.
        name: Prefix of the operations' names.

    References:
        Muirhead, Aspects of Multivariate Statistical Theory (1982), theorem 2.1.8.
    """

    def __init__(
        self, validate_args: bool = False, name: str = "spd_inversion"
    ) -> None:
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(
                forward_min_event_ndims=2,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType
    ) -> dict[str, tfp.util.ParameterProperties]:
        return {}

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        """Returns T^-T T^-1 for X = T T^T, which is symmetric to the last bit."""
        tril = tf.linalg.cholesky(self._checked(x))
        identity = tf.eye(tf.shape(x)[-1], batch_shape=tf.shape(x)[:-2], dtype=x.dtype)
        inverse = tf.linalg.triangular_solve(tril, identity)
        return tf.linalg.matmul(inverse, inverse, transpose_a=True)

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        return self._forward(y)

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        p = tf.cast(tf.shape(x)[-1], x.dtype)
        diagonal = tf.linalg.diag_part(tf.linalg.cholesky(self._checked(x)))
        # log |X| is twice the sum of the logarithms.
        return -2 * (p + 1) * tf.reduce_sum(tf.math.log(diagonal), axis=-1)

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        return self._forward_log_det_jacobian(y)

    def _checked(self, x: tf.Tensor) -> tf.Tensor:
        """Returns x, checked to be symmetric if that was asked for."""
        if not self.validate_args:
            return x
        check = tf.debugging.assert_near(
            x, tf.linalg.matrix_transpose(x), message="The matrices must be symmetric."
        )
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(x)
