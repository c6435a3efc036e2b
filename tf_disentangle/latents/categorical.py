"""Categorical latents, relaxed so that gradients pass through their samples.

    q(c|x) = prod_i g(alpha_i(x), tau),   p(c) = prod_i g(uniform, tau)

with g the relaxed categorical (Gumbel-softmax, `distributions.RelaxedCategorical`) and
alpha_i(x) the n_i probabilities of latent i. Samples are points of simplices; codes
hold the most probable value.

References:
    Dupont, "Learning Disentangled Joint Continuous and Discrete Representations",
    NeurIPS 2018, arXiv:1804.00104, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.distributions import RelaxedCategorical
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.latents.base import Latents
from tf_disentangle.priors.categorical import CategoricalPrior, Marginals

tfd = tfp.distributions

#: Which KL stands for that of the relaxations, which has no closed form.
KLS = ("categorical", "relaxed")


class CategoricalLatents(Latents):
    """L categorical latents with uniform priors.

    The encoder emits the log-probabilities of each, sum_i n_i numbers, up to constants.

    Args:
        sizes: n_i, the number of values of each latent, at least 2.
        temperature: tau of the relaxation, greater than 0; 0.67 in JointVAE's code.
        kl: What "kl_discrete" is: "categorical", the KL of the categoricals that are
            relaxed, in closed form; or "relaxed", the estimate from one sample of the
            relaxations' own, unbounded and noisy (JointVAE's appendix D gave it up).
        name: Of the Keras layer.
    """

    posterior_type = tfd.Blockwise

    def __init__(
        self,
        sizes: Sequence[int] = (10,),
        temperature: float = 0.67,
        kl: str = "categorical",
        name: str | None = None,
    ) -> None:
        checks.require_type(sizes, (list, tuple), "sizes", "Put it in a list: [...]")
        checks.require(len(sizes), "sizes", "name at least one latent", sizes)
        sizes = tuple(checks.integer(n, "sizes", at_least=2) for n in sizes)
        temperature = checks.real(temperature, "temperature", above=0.0)
        checks.one_of(kl, KLS, "kl")
        # Known to `columns`, which the base asks for, before the base.
        prior = CategoricalPrior(sizes, temperature, kl)
        super().__init__(len(sizes), prior, name)

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_i of each latent."""
        return self.prior.sizes

    @property
    def num_parameters(self) -> int:
        """How many numbers the encoder emits per image."""
        return sum(self.sizes)

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """sum_i log n_i, where the KL is that of the categoricals."""
        if self.prior.form == "relaxed":
            return {}
        return {"kl_discrete": sum(map(math.log, self.sizes))}

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return tuple(
            CodeColumn(f"c{i}", "categorical", "c", n) for i, n in enumerate(self.sizes)
        )

    def posterior(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Turns the encoder's output [B, num_parameters] into q(c|x), event [D]."""
        logits = tf.split(tf.cast(parameters, tf.float32), self.sizes, axis=-1)
        temperature = self.prior.temperature
        return tfd.Blockwise([RelaxedCategorical(temperature, part) for part in logits])

    def marginal_posterior(self, posterior: tfd.Distribution) -> Marginals:
        """Returns q(c_i|x); its `log_prob` maps [..., D] to [..., L]."""
        return Marginals(posterior.distributions, self.sizes)

    def continuous(self, z: tf.Tensor) -> tf.Tensor:
        """Returns no number at all, [..., 0]: none has an order."""
        return z[..., :0]

    def posterior_mean(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns [B, 0], the mean of no latent."""
        return posterior.distributions[0].logits[..., :0]

    def posterior_covariance(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns [B, 0, 0]."""
        return tf.linalg.diag(self.posterior_mean(posterior))

    def code(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the most probable value of each latent, [B, L]."""
        values = [tf.argmax(part.logits, -1) for part in posterior.distributions]
        return tf.cast(tf.stack(values, axis=-1), tf.float32)

    def code_stddev(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns sqrt(1 - sum_k p_k^2) of each latent, [B, L]."""
        parts = self.probabilities(posterior).values()
        return tf.stack(
            [tf.sqrt(1.0 - tf.reduce_sum(p * p, axis=-1)) for p in parts], axis=-1
        )

    def probabilities(self, posterior: tfd.Distribution) -> Mapping[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each latent, by its name."""
        pairs = zip(self.columns, posterior.distributions, strict=True)
        return {column.name: tf.nn.softmax(part.logits) for column, part in pairs}

    def information(self, posterior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
        """Returns log q(c_i|x) + log n_i of one-hot z [B, D], [B, L], in nats."""
        parts = zip(posterior.distributions, tf.split(z, self.sizes, -1), strict=True)
        logs = [tf.reduce_sum(c * tf.nn.log_softmax(q.logits), -1) for q, c in parts]
        return tf.stack(logs, axis=-1) + tf.math.log(
            tf.constant(self.sizes, tf.float32)
        )

    def decoded(self, codes: tf.Tensor) -> tf.Tensor:
        """Maps values [..., L] to one-hot vectors side by side, [..., D]."""
        values = tf.unstack(tf.cast(tf.round(codes), tf.int32), axis=-1)
        pairs = zip(values, self.sizes, strict=True)
        return tf.concat([tf.one_hot(value, n) for value, n in pairs], axis=-1)

    def to_codes(self, z: tf.Tensor) -> tf.Tensor:
        """Maps points of the simplices [..., D] to their nearest corners, [..., L]."""
        parts = tf.split(z, self.sizes, axis=-1)
        values = [tf.argmax(part, axis=-1) for part in parts]
        return tf.cast(tf.stack(values, axis=-1), tf.float32)

    def marginal_kl(self, posterior: tfd.Distribution, sample: tf.Tensor) -> tf.Tensor:
        """Returns the KL of each categorical from the uniform one, [B, L], in nats."""
        del sample
        return self.prior.marginal_kl(posterior)
