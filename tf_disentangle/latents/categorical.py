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

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import RelaxedCategorical
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import Posterior
from tf_disentangle.priors.categorical import CategoricalPrior

tfd = tfp.distributions


class CategoricalLatents(Latents):
    """L categorical latents with uniform priors.

    The encoder emits the log-probabilities of each latent, up to a constant: sum_i n_i
    numbers in all.

    Args:
        sizes: n_i, the number of values of each latent, at least 2.
        temperature: tau of the relaxation, greater than 0; 0.67 in JointVAE's code.
        kl: How "kl_discrete" is computed. "categorical" is the KL of the categoricals
            that are relaxed, in closed form. "relaxed" is the KL of the relaxations,
            estimated from one sample: unbounded and noisy (JointVAE's appendix D gave
            it up).
    """

    posterior_type = tfd.Blockwise

    def __init__(
        self,
        sizes: Sequence[int] = (10,),
        temperature: float = 0.67,
        kl: str = "categorical",
    ) -> None:
        prior = CategoricalPrior(sizes, temperature, kl)
        super().__init__(len(prior.sizes), prior)
        self.sizes = prior.sizes
        self.num_parameters = sum(prior.sizes)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        return self.prior.get_config()

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return tuple(
            CodeColumn(f"c{i}", "categorical", "c", n) for i, n in enumerate(self.sizes)
        )

    def posterior(self, parameters: tf.Tensor) -> CategoricalPosterior:
        """Turns the encoder's output [B, num_parameters] into q(c|x), event [D]."""
        logits = self.split_logits(parameters)
        parts = [RelaxedCategorical(self.prior.temperature, part) for part in logits]
        return CategoricalPosterior(self, tfd.Blockwise(parts))

    def moments(self, parameters: tf.Tensor) -> Moments:
        """Returns the most probable values and the probabilities of all values."""
        logits = self.split_logits(parameters)
        probabilities = self.probabilities_of(logits)
        return Moments(codes=most_probable(logits), probabilities=probabilities)

    def split_logits(self, parameters: tf.Tensor) -> list[tf.Tensor]:
        """Returns the logits [B, n] of each latent."""
        return tf.split(tf.cast(parameters, tf.float32), self.sizes, axis=-1)

    def probabilities_of(self, logits: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each latent, by its name."""
        pairs = zip(self.columns, logits, strict=True)
        return {column.name: tf.nn.softmax(part) for column, part in pairs}


def most_probable(logits: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the most probable value of each latent, float32 [B, L]."""
    values = [tf.argmax(part, -1, output_type=tf.int32) for part in logits]
    return tf.cast(tf.stack(values, axis=-1), tf.float32)


class CategoricalPosterior(Posterior):
    """q(c|x): a `tfd.Blockwise` of one `RelaxedCategorical` for each latent."""

    @property
    def _logits(self) -> list[tf.Tensor]:
        return [part.logits for part in self.distribution.distributions]

    def marginal_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the log-densities of the relaxations, [..., B, L], in nats."""
        parts = self.distribution.distributions
        pairs = zip(parts, tf.split(z, self.latents.sizes, axis=-1), strict=True)
        logs = [part.log_prob(value)[..., tf.newaxis] for part, value in pairs]
        return tf.concat(logs, axis=-1)

    def code(self) -> tf.Tensor:
        """Returns the most probable value of each latent, [B, L]."""
        return most_probable(self._logits)

    def mean(self) -> tf.Tensor:
        """Returns an empty mean, [B, 0], since no latent is continuous."""
        return self._logits[0][..., :0]

    def covariance(self) -> tf.Tensor:
        """Returns [B, 0, 0]."""
        return tf.linalg.diag(self.mean())

    def stddev(self) -> tf.Tensor:
        """Returns sqrt(1 - sum_k p_k^2) of each latent, [B, L]."""
        parts = self.probabilities().values()
        return tf.stack(
            [tf.sqrt(1.0 - tf.reduce_sum(p * p, axis=-1)) for p in parts], axis=-1
        )

    def probabilities(self) -> Mapping[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each latent, by its name."""
        return self.latents.probabilities_of(self._logits)

    def marginal_kl(self, sample: tf.Tensor) -> tf.Tensor:
        """Returns the KL of each categorical from the uniform one, [B, L], in nats."""
        del sample
        return self.latents.prior.marginal_kl(self.distribution)

    def information(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log q(c_i|x) + log n_i of one-hot z [B, D], [B, L], in nats."""
        sizes = self.latents.sizes
        pairs = zip(self._logits, tf.split(z, sizes, axis=-1), strict=True)
        logs = [tf.reduce_sum(c * tf.nn.log_softmax(q), axis=-1) for q, c in pairs]
        return tf.stack(logs, axis=-1) + tf.math.log(tf.constant(sizes, tf.float32))
