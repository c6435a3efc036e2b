"""Two groups of latents side by side: continuous ones and categorical ones.

    q(z, c|x) = q(z|x) q(c|x),   p(z, c) = p(z) p(c)
    KL(q(z, c|x) || p(z, c)) = KL(q(z|x) || p(z)) + KL(q(c|x) || p(c))

(JointVAE's equation 5). The continuous group is any latent space with any prior:
CHyVAE's hyperprior beside categorical latents is `InverseWishartPrior` there.

References:
    Dupont, "Learning Disentangled Joint Continuous and Discrete Representations",
    NeurIPS 2018, arXiv:1804.00104, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.categorical import CategoricalLatents, Marginals
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.latents.priors import Prior
from tf_disentangle.protocols import CodeColumn

tfd = tfp.distributions

_PARENTHESES = "In gin, write @Name() with its parentheses."


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
        self.needs_kl = continuous.prior.needs_kl

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


class JointLatents(Latents):
    """Continuous latents, then categorical ones, in code and sample alike.

    Args:
        continuous: Any latent space with its prior; None is 10 diagonal Gaussian
            latents under N(0, I).
        discrete: None is one latent of 10 values.
        name: Of the Keras layer.
    """

    posterior_type = tfd.Blockwise

    def __init__(
        self,
        continuous: Latents | None = None,
        discrete: CategoricalLatents | None = None,
        name: str | None = None,
    ) -> None:
        continuous = GaussianLatents() if continuous is None else continuous
        discrete = CategoricalLatents() if discrete is None else discrete
        checks.require_type(continuous, Latents, "continuous", _PARENTHESES)
        checks.require_type(discrete, CategoricalLatents, "discrete", _PARENTHESES)
        kinds = {column.kind for column in continuous.columns}
        rule, remedy = "have no categorical latents", "Name all of them in discrete."
        found = type(continuous).__name__
        checks.require(kinds == {"continuous"}, "continuous", rule, found, remedy)
        super().__init__(
            continuous.num_latents + discrete.num_latents,
            JointPrior(continuous, discrete),
            name,
        )
        self.parts = (continuous, discrete)

    @property
    def num_parameters(self) -> int:
        """How many numbers the encoder emits per image."""
        return sum(part.num_parameters for part in self.parts)

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """Those of the categorical latents."""
        return self.parts[1].kl_bounds

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return self.parts[0].columns + self.parts[1].columns

    def posterior(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Turns the encoder's output [B, num_parameters] into q(z, c|x)."""
        sizes = [part.num_parameters for part in self.parts]
        pairs = zip(self.parts, tf.split(parameters, sizes, axis=-1), strict=True)
        return tfd.Blockwise([part.posterior(raw) for part, raw in pairs])

    def marginal_posterior(self, posterior: tfd.Distribution) -> Marginals:
        """Returns q of each latent; its `log_prob` maps [..., D] to [..., L]."""
        pairs = zip(self.parts, posterior.distributions, strict=True)
        marginals = [part.marginal_posterior(q) for part, q in pairs]
        return Marginals(marginals, self.prior.sizes)

    def continuous(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of the continuous latents, [..., M]."""
        return z[..., : self.prior.sizes[0]]

    def posterior_mean(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the mean of the continuous latents, [B, M]."""
        return self.parts[0].posterior_mean(posterior.distributions[0])

    def posterior_covariance(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the covariance of the continuous latents, [B, M, M]."""
        return self.parts[0].posterior_covariance(posterior.distributions[0])

    def code(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns means, then most probable values, [B, L]."""
        pairs = zip(self.parts, posterior.distributions, strict=True)
        return tf.concat([part.code(q) for part, q in pairs], axis=-1)

    def code_stddev(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the standard deviation of each latent, [B, L]."""
        pairs = zip(self.parts, posterior.distributions, strict=True)
        return tf.concat([part.code_stddev(q) for part, q in pairs], axis=-1)

    def probabilities(self, posterior: tfd.Distribution) -> Mapping[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each categorical latent, by its name."""
        return self.parts[1].probabilities(posterior.distributions[1])

    def information(self, posterior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
        """Returns log q - log p of each latent, [B, L], in nats."""
        values = tf.split(z, self.prior.sizes, axis=-1)
        triples = zip(self.parts, posterior.distributions, values, strict=True)
        return tf.concat([part.information(q, v) for part, q, v in triples], axis=-1)

    def decoded(self, codes: tf.Tensor) -> tf.Tensor:
        """Maps codes [..., L] to what the decoder takes, [..., D]."""
        sizes = [part.num_latents for part in self.parts]
        pairs = zip(self.parts, tf.split(codes, sizes, axis=-1), strict=True)
        return tf.concat([part.decoded(values) for part, values in pairs], axis=-1)

    def codes_of(self, z: tf.Tensor) -> tf.Tensor:
        """Maps samples z [..., D] to codes [..., L]."""
        pairs = zip(self.parts, tf.split(z, self.prior.sizes, axis=-1), strict=True)
        return tf.concat([part.codes_of(values) for part, values in pairs], axis=-1)

    def marginal_kl(self, posterior: tfd.Distribution, sample: tf.Tensor) -> tf.Tensor:
        """Returns the KL of each latent, [B, L], in nats."""
        values = tf.split(sample, self.prior.sizes, axis=-1)
        triples = zip(self.parts, posterior.distributions, values, strict=True)
        return tf.concat([part.marginal_kl(q, z) for part, q, z in triples], axis=-1)


def _kl_name(name: str) -> str:
    """Says of a prior with one KL that it is the continuous part's."""
    return "kl_continuous" if name == "kl" else name
