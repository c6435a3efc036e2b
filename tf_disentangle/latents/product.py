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

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.categorical import CategoricalLatents
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.priors.categorical import Marginals
from tf_disentangle.priors.product import JointPrior

tfd = tfp.distributions

_PARENTHESES = "In gin, write @Name() with its parentheses."


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

    def to_codes(self, z: tf.Tensor) -> tf.Tensor:
        """Maps samples z [..., D] to codes [..., L]."""
        pairs = zip(self.parts, tf.split(z, self.prior.sizes, axis=-1), strict=True)
        return tf.concat([part.to_codes(values) for part, values in pairs], axis=-1)

    def marginal_kl(self, posterior: tfd.Distribution, sample: tf.Tensor) -> tf.Tensor:
        """Returns the KL of each latent, [B, L], in nats."""
        values = tf.split(sample, self.prior.sizes, axis=-1)
        triples = zip(self.parts, posterior.distributions, values, strict=True)
        return tf.concat([part.marginal_kl(q, z) for part, q, z in triples], axis=-1)
