"""The prior of categorical latents, alone and beside a continuous one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, configs
from tf_disentangle.distributions import RelaxedCategorical
from tf_disentangle.priors.base import Prior

tfd = tfp.distributions

#: How the KL is computed, since that of the relaxations has no closed form.
KLS = ("categorical", "relaxed")


class CategoricalPrior(Prior):
    """p(c): independent uniform categoricals, relaxed as the posterior q(c|x) is.

    Args:
        sizes: n_i, the number of values of each latent, at least 2.
        temperature: tau, greater than 0.
        kl: "categorical" or "relaxed", as `CategoricalLatents`.
    """

    kl_names = ("kl_discrete",)
    label = "c ~ uniform"

    def __init__(
        self, sizes: Sequence[int], temperature: float, kl: str = "categorical"
    ) -> None:
        super().__init__()
        checks.require_type(sizes, (list, tuple), "sizes", "Put it in a list: [...]")
        checks.require(len(sizes), "sizes", "name at least one latent", sizes)
        self.sizes = tuple(checks.integer(n, "sizes", at_least=2) for n in sizes)
        self.temperature = checks.real(temperature, "temperature", above=0.0)
        self.form = checks.one_of(kl, KLS, "kl")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        sizes = list(self.sizes)
        return {"sizes": sizes, "temperature": self.temperature, "kl": self.form}

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """sum_i log n_i, where the KL is that of the categoricals."""
        if self.form == "relaxed":
            return {}
        return {"kl_discrete": sum(map(math.log, self.sizes))}

    def components(self) -> list[RelaxedCategorical]:
        """Returns the relaxed uniform distribution of each latent."""
        return [RelaxedCategorical(self.temperature, tf.zeros(n)) for n in self.sizes]

    def distribution(self) -> tfd.Distribution:
        """Returns their product, event shape [D]."""
        return tfd.Blockwise(self.components())

    def marginal_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log p(c_i) [..., L] of z [..., D], in nats."""
        pairs = zip(self.components(), tf.split(z, self.sizes, axis=-1), strict=True)
        return tf.stack([part.log_prob(value) for part, value in pairs], axis=-1)

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


class JointPrior(Prior):
    """p(z, c) = p(z) p(c).

    Its KL consists of each part's KL from its own prior (`latents.ProductPosterior`);
    the "kl" of the continuous part is called "kl_continuous".

    Args:
        continuous: p(z).
        discrete: p(c).
    """

    def __init__(self, continuous: Prior, discrete: CategoricalPrior) -> None:
        super().__init__()
        self.parts = (continuous, discrete)
        self.kl_names = tuple(
            "kl_continuous" if name == "kl" else name
            for prior in self.parts
            for name in prior.kl_names
        )
        self.label = f"{continuous.label}, {discrete.label}"
        self.requires_kl_term = continuous.requires_kl_term

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        names = ("continuous", "discrete")
        return dict(zip(names, map(configs.serialize, self.parts), strict=True))

    def build(self, input_shape: tuple) -> None:
        """Sets L, and builds the parts that are not built yet."""
        super().build(input_shape)
        discrete = self.parts[1]
        counts = (self.num_latents - len(discrete.sizes), len(discrete.sizes))
        for prior, count in zip(self.parts, counts, strict=True):
            if not prior.built:
                prior.build((None, count))
        self.sizes = (counts[0], sum(discrete.sizes))

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """The bounds of the categorical latents' KL."""
        return self.parts[1].kl_bounds

    def distribution(self) -> tfd.Distribution:
        """Returns the product, event shape [D]."""
        return tfd.Blockwise([prior.distribution() for prior in self.parts])

    def marginal_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the log-density of each latent, [..., L] of z [..., D], in nats."""
        pairs = zip(self.parts, tf.split(z, self.sizes, axis=-1), strict=True)
        logs = [prior.marginal_log_prob(value) for prior, value in pairs]
        return tf.concat(logs, axis=-1)

    def sample(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws (z, c) [num_samples, D], c relaxed."""
        seeds = tfp.random.split_seed(seed, n=2)
        pairs = zip(self.parts, seeds, strict=True)
        return tf.concat([p.sample(num_samples, each) for p, each in pairs], axis=-1)

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns the covariances of the continuous prior."""
        return self.parts[0].covariances(seed)
