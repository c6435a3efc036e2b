"""The prior of two latent spaces side by side: p(z, c) = p(z) p(c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import configs
from tf_disentangle.priors.base import Prior
from tf_disentangle.priors.categorical import CategoricalPrior

tfd = tfp.distributions


class JointPrior(Prior):
    """p(z, c) = p(z) p(c).

    Its KL is that of each part from its own prior (`latents.ProductPosterior`), "kl" of
    the continuous one under the name "kl_continuous".

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
        """Learns L, and builds the parts that are not built yet."""
        super().build(input_shape)
        discrete = self.parts[1]
        counts = (self.num_latents - len(discrete.sizes), len(discrete.sizes))
        for prior, count in zip(self.parts, counts, strict=True):
            if not prior.built:
                prior.build((None, count))
        self.sizes = (counts[0], sum(discrete.sizes))

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """Those of the categorical latents."""
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
        """Returns those of the continuous prior."""
        return self.parts[0].covariances(seed)
