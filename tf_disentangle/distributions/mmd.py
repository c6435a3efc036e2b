"""Maximum mean discrepancy of two samples, one dimension at a time.

    MMD^2_l = 1/(B (B - 1)) sum_{i != j} [k(x_il - x_jl) + k(y_il - y_jl)]
              - 2/B^2 sum_{i, j} k(x_il - y_jl)

the unbiased estimate (U-statistic), which may be below 0, with the kernel

    k(d) = sum_s C_s / (C_s + d^2),   C_s = 2 s,   s in .1 .2 .5 1 2 5

References:
    Gretton et al., A Kernel Two-Sample Test (JMLR 2012), lemma 6.
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, and its authors' code for kernel and estimate.
"""

from __future__ import annotations

import tensorflow as tf

from tf_disentangle import checks

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def inverse_multiquadratic(squared: tf.Tensor) -> tf.Tensor:
    """Returns sum_s C_s / (C_s + d^2) for squared distances d^2, elementwise."""
    return tf.add_n([2 * s / (2 * s + squared) for s in SCALES])


def mmd_per_dimension(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns the unbiased MMD^2 between the samples' marginals.

    Args:
        x: Float [B, L], independent draws from one distribution.
        y: Float [B, L], independent draws from the other.

    Returns:
        [L], and zeros if B is 1, where no pair can be formed.

    Raises:
        ArgumentError: If the two are not of one shape [B, L].
    """
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    checks.require(x.shape.rank == 2, "x", "have shape [B, L]", x.shape)
    rule = f"have the shape of x, {x.shape}"
    checks.require(x.shape.is_compatible_with(y.shape), "y", rule, y.shape)
    count = tf.cast(tf.shape(x)[0], x.dtype)
    # The diagonal is B times k(0) in each of the two.
    own = _sum_over_pairs(x, x) + _sum_over_pairs(y, y)
    own -= 2 * count * inverse_multiquadratic(tf.zeros([], x.dtype))
    within = tf.math.divide_no_nan(own, count * (count - 1))
    between = 2 * _sum_over_pairs(x, y) / count**2
    return tf.where(count > 1, within - between, tf.zeros_like(between))


def _sum_over_pairs(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns sum_ij k(x_il - y_jl), [L]."""
    squared = (x[:, tf.newaxis] - y[tf.newaxis]) ** 2
    return tf.reduce_sum(inverse_multiquadratic(squared), axis=(0, 1))
