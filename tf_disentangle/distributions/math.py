"""Functions that the inverse-gamma and inverse-Wishart distributions share.

    log Gamma_p(a) = p (p - 1)/4 log pi + sum_{j < p} log Gamma(a - j/2)
    psi_p(a) = sum_{j < p} psi(a - j/2)
    h(s) = log1p(s) - s/(1 + s)

The first two are always computed in float64, whatever comes in: in float32
log Gamma_p(nu/2) - log Gamma_p((nu + 1)/2) is off by 0.03 at nu 13,000. They are
scalars of nu alone, so they cost nothing.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf


def log_gamma_p(a: tf.Tensor, p: int) -> tf.Tensor:
    """Returns log Gamma_p(a), float64 [...], for a [...] greater than (p - 1)/2."""
    log_gammas = tf.math.lgamma(_arguments(a, p))
    return p * (p - 1) / 4 * math.log(math.pi) + tf.reduce_sum(log_gammas, axis=-1)


def digamma_p(a: tf.Tensor, p: int) -> tf.Tensor:
    """Returns psi_p(a), float64 [...], for a [...] greater than (p - 1)/2."""
    return tf.reduce_sum(tf.math.digamma(_arguments(a, p)), axis=-1)


def _arguments(a: tf.Tensor, p: int) -> tf.Tensor:
    a = tf.cast(a, tf.float64)
    return a[..., tf.newaxis] - tf.range(p, dtype=tf.float64) / 2


@tf.custom_gradient
def log1p_minus_share(s: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Returns h(s) = log1p(s) - s/(1 + s), with h'(s) = s/(1 + s)^2, for s >= 0.

    The KLs of conjugate updates are built from it. For small s, the derivatives of its
    two terms cancel down to the rounding of 1: multiplied by nu/2 at nu = 1e5,
    autodiff's gradient would be lost in float32.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return upstream * s / tf.square(1 + s)

    return tf.math.log1p(s) - s / (1 + s), gradient
