"""The prior of several latent spaces side by side: p(z, c) = p(z) p(c)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.priors.base import Prior
from tf_disentangle.priors.categorical import Marginals

if TYPE_CHECKING:
    from tf_disentangle.latents.base import Latents

tfd = tfp.distributions


class JointPrior(Prior):
    """p(z, c) = p(z) p(c).

    The parts of its KL are those of both, "kl" of the continuous one under the name
    "kl_continuous".

    Args:
        continuous: Latents whose prior is p(z).
        discrete: Latents whose prior is p(c).
        name: Of the Keras layer.
    """

    def __init__(
        self, continuous: Latents, discrete: Latents, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.parts = (continuous.prior, discrete.prior)
        self.sizes = (continuous.num_decoded, discrete.num_decoded)
        self.kl_names = tuple(map(_kl_name, continuous.kl_names)) + discrete.kl_names
        self.label = f"{continuous.prior.label}, {discrete.prior.label}"
        self.requires_kl_term = continuous.prior.requires_kl_term

    def distribution(self) -> tfd.Distribution:
        """Returns the product, event shape [D]."""
        return tfd.Blockwise([prior.distribution() for prior in self.parts])

    def marginals(self) -> Marginals:
        """Returns p of each latent; its `log_prob` maps [..., D] to [..., L]."""
        return Marginals([prior.marginals() for prior in self.parts], self.sizes)

    def sample(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws (z, c) [num_samples, D], c relaxed."""
        seeds = tfp.random.split_seed(seed, n=2)
        drawn = [
            prior.sample(num_samples, part_seed)
            for prior, part_seed in zip(self.parts, seeds, strict=True)
        ]
        return tf.concat(drawn, axis=-1)

    def kl(
        self, posterior: tfd.Blockwise, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of both KL, each [B], in nats."""
        z, c = tf.split(sample, self.sizes, axis=-1)
        (q_z, q_c), (p_z, p_c) = posterior.distributions, self.parts
        parts = p_z.kl(q_z, z, seed)
        renamed = {_kl_name(name): part for name, part in parts.items()}
        return {**renamed, **p_c.kl(q_c, c, seed)}

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns those of the continuous prior."""
        return self.parts[0].covariances(seed)


def _kl_name(name: str) -> str:
    """Says of a prior with one KL that it is the continuous part's."""
    return "kl_continuous" if name == "kl" else name
