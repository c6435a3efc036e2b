"""The multivariate gamma function Gamma_p and its logarithmic derivative psi_p.

    log Gamma_p(a) = p (p - 1)/4 log pi + sum_{j < p} log Gamma(a - j/2)
    psi_p(a) = sum_{j < p} psi(a - j/2)

Always in float64, whatever comes in: in float32 log Gamma_p(nu/2) -
log Gamma_p((nu + 1)/2) is off by 0.03 at nu 13,000. These are scalars of nu alone, so
they cost nothing.
"""

from __future__ import annotations

import math

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
