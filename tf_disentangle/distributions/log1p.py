"""log(1 + s) less s/(1 + s), which the KLs of conjugate updates are made of."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


@tf.custom_gradient
def log1p_minus_share(s: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Returns h(s) = log1p(s) - s/(1 + s), with h'(s) = s/(1 + s)^2, for s >= 0.

    For small s the two terms' derivatives cancel to the rounding of 1: times nu/2
    at nu = 1e5 autodiff's gradient would be lost in float32.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return upstream * s / tf.square(1 + s)

    return tf.math.log1p(s) - s / (1 + s), gradient
