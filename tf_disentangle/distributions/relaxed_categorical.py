"""The relaxed categorical (Concrete, Gumbel-softmax) of discrete latents.

    y_k = exp((log alpha_k + g_k) / tau) / sum_i exp((log alpha_i + g_i) / tau)

with g_k independent Gumbel(0, 1) (JointVAE's equation 8): a point of the simplex, near
to a corner for a small temperature tau.

The KL of two relaxed categoricals has no closed form. The one that is registered here
is that of the *categoricals* that they relax,

    KL(alpha || beta) = sum_k alpha_k (log alpha_k - log beta_k)

which models with such latents optimise in its place. It is an approximation: it leaves
the temperatures out, and against a uniform beta over n values it is at most log n,
while the KL of the relaxations has no bound.

References:
    Dupont, "Learning Disentangled Joint Continuous and Discrete Representations",
    NeurIPS 2018, arXiv:1804.00104.
    Maddison et al., "The Concrete Distribution", ICLR 2017, arXiv:1611.00712; its
    appendix C.3 has the choices for the KL.
    Jang et al., "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017,
    arXiv:1611.01144.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

# Where a coordinate underflows to 0, the log-density of a simplex is not finite; powers
# of this number must stay inside float32 too.
_SMALLEST = 1e-20


class RelaxedCategorical(tfd.RelaxedOneHotCategorical):
    """TFP's relaxed categorical, with a density that is finite wherever it samples.

    `log_prob` treats coordinates below 1e-20 as 1e-20. TFP's own is NaN where float32
    has rounded them to zero: a third of all, for logits of about 30.

    Args:
        temperature: tau, greater than 0.
        logits: log alpha up to a constant, [..., n].
        name: Prefix of the operations' names.
    """

    def __init__(
        self,
        temperature: float | tf.Tensor,
        logits: tf.Tensor,
        name: str = "RelaxedCategorical",
    ) -> None:
        parameters = dict(locals())
        super().__init__(temperature, logits=logits, name=name)
        self._parameters = parameters

    @classmethod
    def _parameter_properties(
        cls, dtype: tf.DType | None, num_classes: int | None = None
    ) -> dict[str, Any]:
        inherited = super()._parameter_properties(dtype, num_classes)
        return {name: inherited[name] for name in ("temperature", "logits")}

    def _log_prob(self, y: tf.Tensor) -> tf.Tensor:
        return super()._log_prob(tf.maximum(y, _SMALLEST))


@tfd.RegisterKL(RelaxedCategorical, RelaxedCategorical)
def _categorical_kl(
    a: RelaxedCategorical, b: RelaxedCategorical, name: str | None = None
) -> tf.Tensor:
    """Returns the KL of the categoricals that `a` and `b` relax, in nats."""
    with tf.name_scope(name or "categorical_kl"):
        log_a, log_b = tf.math.log_softmax(a.logits), tf.math.log_softmax(b.logits)
        return tf.reduce_sum(tf.exp(log_a) * (log_a - log_b), axis=-1)
