"""Diagnostics of a model's codes, whatever its objective minimises.

    mutual_information          I(x; z)                         at most log N
    total_correlation           KL(q(z) || prod_j q(z_j))
    dimension_kl                E_q(z)[sum_j log q(z_j) - log p(z)]
    gaussian_total_correlation  1/2 (sum_j log C_jj - log |C|), C = Cov[z]
    critic_total_correlation    E_q(z)[log D(z) - log(1 - D(z))]    with a critic

all in nats. The first three are stratified estimates and sum to the mean KL at the
batch's samples; categorical latents enter through their relaxations. Of all N
posteriors, a batch holds few of those that overlap with a given one. So where they are
narrow,
log q(z) comes out too low and I(x; z) too high, up to log N: use these three to compare
models at equal N and batch size, not as exact values. The fourth is the total
correlation of a normal distribution with the covariance of the sampled codes. It covers
continuous latents only, and is zero for uncorrelated codes, however dependent. From N
sampled codes it comes out too high: by L (L - 1) / 4 (N - 1) on average for independent
normal latents and N far above L (0.09 nats for N = 250, L = 10), and by more as N comes
near L. The fifth is the total correlation as the model's critic estimates it, on images
that the critic has not seen: too low, even below zero, until the critic has learnt.

References:
    Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders",
    NeurIPS 2018, arXiv:1802.04942 (the first three).
    Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of
    Disentangled Representations", ICML 2019, arXiv:1811.12359 (the fourth).
    Kim & Mnih, "Disentangling by Factorising", ICML 2018, arXiv:1802.05983 (the fifth).
"""

from __future__ import annotations

import contextlib

import tensorflow as tf

from tf_disentangle.objectives.beta_tcvae import (
    dimension_kl,
    mutual_information,
    total_correlation,
)
from tf_disentangle.objectives.factor_vae import critic_total_correlation
from tf_disentangle.objectives.terms import Inference


def diagnostics(inference: Inference) -> dict[str, tf.Tensor]:
    """Returns the diagnostics of one batch by name, scalars in nats.

    The first three are absent where N is unknown, or where the latent space or the
    prior has no density for them; the fourth where there are no more images than
    latents; the fifth without a critic.

    Args:
        inference: A batch, the larger the better.
    """
    terms: dict[str, tf.Tensor] = {}
    if inference.num_examples is not None:
        with contextlib.suppress(NotImplementedError):
            terms = {
                "mutual_information": mutual_information(inference),
                "total_correlation": total_correlation(inference),
                "dimension_kl": dimension_kl(inference),
            }
    codes = inference.latents.continuous(inference.sample)
    images, latents = codes.shape
    if images is None or images > latents > 0:
        terms["gaussian_total_correlation"] = gaussian_total_correlation(codes)
    if inference.critic is not None:
        terms["critic_total_correlation"] = critic_total_correlation(inference)
    return {name: tf.reduce_mean(term) for name, term in terms.items()}


def gaussian_total_correlation(codes: tf.Tensor) -> tf.Tensor:
    """Returns 1/2 (sum_j log C_jj - log |C|) of codes [N, L], a scalar in nats.

    It is not finite where C is singular: a constant latent, a duplicated one, N <= L.
    """
    # float64: nearly dependent codes have a covariance near to singular.
    codes = tf.cast(codes, tf.float64)
    centred = codes - tf.reduce_mean(codes, axis=0)
    correlation = tf.math.l2_normalize(centred, axis=0, epsilon=0.0)
    correlation = tf.matmul(correlation, correlation, transpose_a=True)
    return tf.cast(-0.5 * tf.linalg.slogdet(correlation)[1], tf.float32)
