"""The aggregate posterior's density, estimated from one batch.

    q(z) = 1/N sum_n q(z | x_n)

With B posteriors of the N and one sample z_i of each, log q(z_i) is estimated as

    log sum_j w_ij q(z_i | x_j)
    weighted:    w_ij = 1 / (N B)
    stratified:  w_ii = 1 / N,   w_ij = (N - 1) / (N (B - 1)) for the others

*Weighted* has an offset: its weights sum to 1/N, not to 1. It is too low by log N where
all posteriors overlap, and by log B where all are far apart. The constant part of the
offset does not affect gradients, but the total correlation of codes whose marginals
overlap is too high by (L - 1) log N to L log N - log B. *Stratified* gives the sample's
own posterior its true weight and lets the other B - 1 stand for the other N - 1. Its
q(z_i) is unbiased over random batches; its logarithm is too low on average (Jensen);
with B = N it is exact.

The matrix of stratified weights in the authors' code, and in those that copied it,
has 1/N in the first column of every row instead of on the diagonal; the weights here
follow the derivation.

References:
    Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders",
    NeurIPS 2018, arXiv:1802.04942, appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from tf_disentangle import checks

#: Ways to estimate log q(z) from one batch.
ESTIMATORS = ("stratified", "weighted")


def log_aggregate_posterior(
    log_prob: Callable[[tf.Tensor], tf.Tensor],
    sample: tf.Tensor,
    num_examples: int,
    estimator: str = "stratified",
) -> tf.Tensor:
    """Returns the estimate of log q(z) at each sample of a batch, in nats.

    Args:
        log_prob: Maps z [B, 1, L] to log q(z_i | x_j), [B, B], such as a TFP
            distribution's `log_prob`; or to [B, B, L], each latent by itself: the
            result is then log q(z_l), [B, L].
        sample: z [B, L], row i drawn from posterior i.
        num_examples: N, the number of examples that q(z) is a mixture over.
        estimator: "stratified" or "weighted".

    Returns:
        [B], or [B, L] for marginals.

    Raises:
        ArgumentError: If `num_examples` is below 1, or the estimator unknown.
    """
    pairwise = log_prob(sample[:, tf.newaxis])  # [B, B, ...]: z_i under x_j
    weights = log_weights(tf.shape(sample)[0], num_examples, estimator)
    weights = tf.reshape(
        weights, [*tf.unstack(tf.shape(weights)), *(pairwise.shape.rank - 2) * [1]]
    )
    return tf.reduce_logsumexp(pairwise + weights, axis=1)


def log_weights(
    batch_size: tf.Tensor | int, num_examples: int, estimator: str = "stratified"
) -> tf.Tensor:
    """Returns log w_ij, float32 [B, B].

    Args:
        batch_size: B, at least 1. A batch of one has no other sample to stand for the
            rest: "stratified" then keeps only the sample's own weight, 1/N.
        num_examples: N, at least 1.
        estimator: "stratified" or "weighted".
    """
    n = float(checks.integer(num_examples, "num_examples", at_least=1))
    checks.one_of(estimator, ESTIMATORS, "estimator")
    batch = tf.cast(batch_size, tf.float32)
    ones = tf.ones([batch_size, batch_size])
    if estimator == "weighted":
        return -(math.log(n) + tf.math.log(batch)) * ones
    # With N = 1 the others have weight 0: log 0, which the sum of exponentials takes.
    others = tf.math.log((n - 1.0) / n) - tf.math.log(tf.maximum(batch - 1.0, 1.0))
    own = tf.fill([batch_size], tf.constant(-math.log(n), tf.float32))
    return tf.linalg.set_diag(others * ones, own)
