"""A normal under inverse-gamma hyperpriors on its variances, one for each axis.

The model is s_i ~ IG(a, b), z_i | s_i ~ N(0, s_i). Given one z each variance is again
inverse-gamma, s_i | z_i ~ IG(a + 1/2, b + z_i^2/2), and with s_i integrated out z_i is
Student-t with 2 a degrees of freedom and scale sqrt(b/a). For one latent this is the
inverse-Wishart model: IW_1(psi, nu) = IG(nu/2, psi/2).

TFP has the inverse gamma, but no KL for it; it is registered here.
"""

from __future__ import annotations

import contextlib
import math

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions.math import log1p_minus_share

tfd = tfp.distributions


def expected_product_normal_kl(
    posterior: tfd.Distribution, variances: tfd.InverseGamma
) -> tf.Tensor:
    """Returns the KL from q to N(0, diag(s)), averaged over s.

        E_s KL(q || N(0, diag(s)))
            = -H(q) + 1/2 sum_i [ log 2 pi + E log s_i + E[1/s_i] E_q z_i^2 ]
        E[1/s] = a/b,  E log s = log b - psi(a)

    It needs only the entropy and two moments of q, and so holds for any family.

    Args:
        posterior: q(z) of batch shape [...], event shape [p], finite variances.
        variances: Distribution of s, batch shape [..., p].

    Returns:
        [...] nats, at least 0.
    """
    a, b = variances.concentration, variances.scale
    second_moment = posterior.variance() + tf.square(posterior.mean())
    cross = math.log(2 * math.pi) + tf.math.log(b) - tf.math.digamma(a)
    cross += a / b * second_moment
    return tf.reduce_sum(cross, axis=-1) / 2 - posterior.entropy()


def _kl_inverse_gamma(
    p: tfd.InverseGamma, q: tfd.InverseGamma, name: str | None = None
) -> tf.Tensor:
    """Returns the KL of two inverse gammas, elementwise, in nats.

        KL(IG(a', b') || IG(a, b))
            = (a' - a) psi(a') + log Gamma(a) - log Gamma(a')
              + a log(b'/b) + a' (b/b' - 1)

    For b' >= b and s = b'/b - 1, as after an observation, the last line is

        a h(s) - (a' - a) s/(1 + s),    h(s) = log1p(s) - s/(1 + s)

    in which nothing cancels at large a. For smaller b', h keeps its value and gradient,
    and the rounding of b'/b - 1 limits the accuracy.
    """
    with tf.name_scope(name or "kl_inverse_gamma"):
        new, old = (tf.cast(d.concentration, tf.float64) for d in (p, q))
        constant = (new - old) * tf.math.digamma(new)
        constant += tf.math.lgamma(old) - tf.math.lgamma(new)
        new, old, constant = (tf.cast(x, p.dtype) for x in (new, old, constant))
        s = (p.scale - q.scale) / q.scale
        return constant + old * log1p_minus_share(s) - (new - old) * s / (1 + s)


with contextlib.suppress(ValueError):  # Where this module is loaded again.
    tfd.RegisterKL(tfd.InverseGamma, tfd.InverseGamma)(_kl_inverse_gamma)
