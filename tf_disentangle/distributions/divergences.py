"""Divergences between distributions of any two families."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks

tfd = tfp.distributions


def kl_or_monte_carlo(
    posterior: tfd.Distribution, prior: tfd.Distribution, sample: tf.Tensor
) -> tf.Tensor:
    """Returns KL(q || p), in closed form where TFP's registry has the pair.

        KL(q || p) = E_q[log q(z) - log p(z)]

    For other pairs it returns the term in brackets at the given sample: the
    Monte Carlo estimate of one sample, unbiased, but noisy and at times negative.
    Among the pairs without a closed form are all mixtures, Student-t, Normal and
    Laplace, and a multivariate normal and an `Independent` of normals.

    Args:
        posterior: q, of batch shape [...].
        prior: p over the same events, with a broadcastable batch shape.
        sample: z [..., *event_shape], drawn from `posterior`.

    Returns:
        [...] nats; only the event dimensions are summed over.

    Raises:
        ArgumentError: If the two event shapes differ.
    """
    shape = posterior.event_shape
    fits = shape.is_compatible_with(prior.event_shape)
    rule = f"have the posterior's event shape {shape}"
    remedy = "tfd.Independent moves batch dimensions into the event."
    checks.require(fits, "prior", rule, prior.event_shape, remedy)
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:  # Also where the parts of a compound have no pair.
        return posterior.log_prob(sample) - prior.log_prob(sample)
