"""Two groups of latents side by side: continuous ones and categorical ones.

    q(z, c|x) = q(z|x) q(c|x),   p(z, c) = p(z) p(c)
    KL(q(z, c|x) || p(z, c)) = KL(q(z|x) || p(z)) + KL(q(c|x) || p(c))

(JointVAE's equation 5). The continuous group may be any latent space with any prior: to
have CHyVAE's hyperprior beside categorical latents, give it `InverseWishartPrior`.

References:
    Dupont, "Learning Disentangled Joint Continuous and Discrete Representations",
    NeurIPS 2018, arXiv:1804.00104, section 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, configs
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.latents.base import Latents
from tf_disentangle.latents.categorical import CategoricalLatents
from tf_disentangle.latents.gaussian import GaussianLatents
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import Posterior
from tf_disentangle.priors.categorical import JointPrior

tfd = tfp.distributions


class JointLatents(Latents):
    """Continuous latents, then categorical ones, in code and sample alike.

    Args:
        continuous: Any latent space with its prior; None means 10 diagonal Gaussian
            latents under N(0, I).
        discrete: The categorical latents; None means one latent of 10 values.
    """

    posterior_type = tfd.Blockwise

    def __init__(
        self,
        continuous: Latents | None = None,
        discrete: CategoricalLatents | None = None,
    ) -> None:
        continuous = GaussianLatents() if continuous is None else continuous
        discrete = CategoricalLatents() if discrete is None else discrete
        remedy = "Pass an object, such as GaussianLatents(10)."
        checks.require_type(continuous, Latents, "continuous", remedy)
        remedy = "Pass an object, such as CategoricalLatents([10])."
        checks.require_type(discrete, CategoricalLatents, "discrete", remedy)
        kinds = {column.kind for column in continuous.columns}
        rule, remedy = "have no categorical latents", "Name all of them in discrete."
        received = type(continuous).__name__
        checks.require(kinds == {"continuous"}, "continuous", rule, received, remedy)
        super().__init__(
            continuous.num_latents + discrete.num_latents,
            JointPrior(continuous.prior, discrete.prior),
        )
        self.parts = (continuous, discrete)
        self.num_parameters = sum(part.num_parameters for part in self.parts)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        names = ("continuous", "discrete")
        return dict(zip(names, map(configs.serialize, self.parts), strict=True))

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return self.parts[0].columns + self.parts[1].columns

    def posterior(self, parameters: tf.Tensor) -> ProductPosterior:
        """Turns the encoder's output [B, num_parameters] into q(z, c|x)."""
        parts = [part.posterior(raw) for part, raw in self._pairs(parameters)]
        return ProductPosterior(self, parts)

    def moments(self, parameters: tf.Tensor) -> Moments:
        """Returns the continuous latents' moments, with all codes side by side."""
        each = [part.moments(raw) for part, raw in self._pairs(parameters)]
        continuous, discrete = each
        return dataclasses.replace(
            continuous,
            codes=_concat(moments.code for moments in each),
            probabilities=discrete.probabilities,
        )

    def _pairs(self, parameters: tf.Tensor) -> zip[tuple[Latents, tf.Tensor]]:
        """Returns each space with its part of the encoder's output."""
        sizes = [part.num_parameters for part in self.parts]
        return zip(self.parts, tf.split(parameters, sizes, axis=-1), strict=True)


class ProductPosterior(Posterior):
    """The product of the posteriors of several latent spaces side by side.

    Args:
        latents: The joint latent space, whose KL has the parts of all spaces, in order.
        parts: Posteriors, each of its own latent space.
    """

    def __init__(self, latents: Latents, parts: Sequence[Posterior]) -> None:
        super().__init__(latents, tfd.Blockwise([part.distribution for part in parts]))
        self.parts = tuple(parts)

    def _pairs(self, z: tf.Tensor) -> zip[tuple[Posterior, tf.Tensor]]:
        """Returns each posterior with its part of z [..., D]."""
        sizes = [part.latents.num_decoded for part in self.parts]
        return zip(self.parts, tf.split(z, sizes, axis=-1), strict=True)

    def marginal_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the log-density of each latent, [..., B, L], in nats."""
        return _concat(part.marginal_log_prob(value) for part, value in self._pairs(z))

    def code(self) -> tf.Tensor:
        """Returns the codes side by side, [B, L]."""
        return _concat(part.code() for part in self.parts)

    def mean(self) -> tf.Tensor:
        """Returns the mean of the continuous latents, [B, M]."""
        return _concat(part.mean() for part in self.parts)

    def covariance(self) -> tf.Tensor:
        """Returns the covariance of the continuous latents, [B, M, M], by blocks."""
        operator = tf.linalg.LinearOperatorFullMatrix
        blocks = [operator(part.covariance()) for part in self.parts]
        return tf.linalg.LinearOperatorBlockDiag(blocks).to_dense()

    def stddev(self) -> tf.Tensor:
        """Returns the standard deviation of each latent, [B, L]."""
        return _concat(part.stddev() for part in self.parts)

    def probabilities(self) -> Mapping[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each categorical latent, by its name."""
        return dict(
            pair for part in self.parts for pair in part.probabilities().items()
        )

    def kl(self, sample: tf.Tensor, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of the KL of all latents, each [B], in nats."""
        named = [part.kl(z, seed) for part, z in self._pairs(sample)]
        values = [value for parts in named for value in parts.values()]
        return dict(zip(self.latents.kl_names, values, strict=True))

    def marginal_kl(self, sample: tf.Tensor) -> tf.Tensor:
        """Returns the KL of each latent, [B, L], in nats."""
        return _concat(part.marginal_kl(z) for part, z in self._pairs(sample))

    def information(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log q - log p of each latent, [B, L], in nats."""
        return _concat(part.information(value) for part, value in self._pairs(z))


def _concat(tensors: Iterable[tf.Tensor]) -> tf.Tensor:
    return tf.concat(list(tensors), axis=-1)
