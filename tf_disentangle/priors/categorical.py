"""The prior of categorical latents: independent and uniform, relaxed as q(c|x) is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.distributions import RelaxedCategorical
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions


class Marginals:
    """The density of each latent, where latents have one number or several in z.

    Args:
        parts: Distributions over consecutive parts of z.
        sizes: How many numbers of z each of them takes.
    """

    def __init__(self, parts: Sequence[tfd.Distribution], sizes: Sequence[int]) -> None:
        self._parts, self._sizes = tuple(parts), tuple(sizes)

    def log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Maps z [..., D] to the log-densities of the L latents, [..., L]."""
        logs = []
        values = tf.split(z, self._sizes, axis=-1)
        for part, value in zip(self._parts, values, strict=True):
            log = part.log_prob(value)
            # The n numbers of a categorical latent have one density together.
            is_one = isinstance(part, tfd.Distribution) and part.event_shape.rank == 1
            logs.append(log[..., tf.newaxis] if is_one else log)
        return tf.concat(logs, axis=-1)


class CategoricalPrior(Prior):
    """p(c): independent uniform categoricals, relaxed as the posterior is.

    Args:
        sizes: Number of values of each.
        temperature: tau.
        kl: "categorical" or "relaxed", as `CategoricalLatents`.
        name: Of the Keras layer.
    """

    kl_names = ("kl_discrete",)
    label = "c ~ uniform"

    def __init__(
        self,
        sizes: Sequence[int],
        temperature: float,
        kl: str = "categorical",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.sizes, self.temperature, self.form = tuple(sizes), temperature, kl

    def components(self) -> list[RelaxedCategorical]:
        """Returns the relaxed uniform law of each latent."""
        return [RelaxedCategorical(self.temperature, tf.zeros(n)) for n in self.sizes]

    def distribution(self) -> tfd.Distribution:
        """Returns their product, event shape [D]."""
        return tfd.Blockwise(self.components())

    def marginals(self) -> Marginals:
        """Returns p(c_i) of each latent; its `log_prob` maps [..., D] to [..., L]."""
        return Marginals(self.components(), self.sizes)

    def kl(
        self, posterior: tfd.Blockwise, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the sum of the latents' KL, [B], in nats."""
        del seed
        if self.form == "relaxed":
            ratio = posterior.log_prob(sample) - self.distribution().log_prob(sample)
            return {"kl_discrete": ratio}
        return {"kl_discrete": tf.reduce_sum(self.marginal_kl(posterior), axis=-1)}

    def marginal_kl(self, posterior: tfd.Blockwise) -> tf.Tensor:
        """Returns the KL of each categorical, [B, L], in nats."""
        pairs = zip(posterior.distributions, self.components(), strict=True)
        return tf.stack([tfd.kl_divergence(q, p) for q, p in pairs], axis=-1)
