"""The base of every latent space: encoder outputs -> q(z|x), with a prior p(z)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, configs
from tf_disentangle.distributions import kl_or_monte_carlo
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.priors.base import Prior, StandardNormalPrior

tfd = tfp.distributions


class Latents(configs.Configured, keras.layers.Layer):
    """L latents: a family of posteriors and any prior that fits it.

    A subclass says how many numbers the encoder emits and what q(z|x) they make:
    `num_parameters`, `posterior`, `marginal_posterior`, `posterior_type`. The rest
    follows. Posteriors are TFP distributions of batch shape [B] and event shape [D],
    in float32 and reparameterised.

    A *code* has one column for each latent, L in all, and `columns` says what each
    holds; a *sample* z has the D numbers that the decoder takes. A continuous latent is
    one number in both. A categorical one over n values has one column in the code, the
    value, and n numbers in z, a point of the simplex: `groups` tells where. `decoded`
    and `to_codes` lead from one to the other.

    Args:
        num_latents: L, at least 1.
        prior: p(z); None is the standard normal.
        name: Of the Keras layer.

    Attributes:
        posterior_type: The class of q(z|x), by which a prior whose KL has a closed
            form for one family alone refuses others before the first step.

    Raises:
        ArgumentError: If the prior does not fit L or the family of posteriors.
    """

    posterior_type: ClassVar[type[tfd.Distribution]] = tfd.Distribution

    def __init__(
        self, num_latents: int, prior: Prior | None = None, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.num_latents = checks.integer(num_latents, "num_latents", at_least=1)
        self.prior = StandardNormalPrior() if prior is None else prior
        checks.require_type(self.prior, Prior, "prior", "Pass a latents.Prior.")
        self.prior.check_posterior(self.posterior_type)
        self.prior.build((None, self.num_latents))
        self.built = True

    # ---- Shim until the configs of latents and priors are merged.

    def get_config(self):  # noqa: ANN201, D102
        from tf_disentangle import configs

        values = {k: v for k, v in self._config.items() if k != "name"}
        return {k: configs.serialize(v) for k, v in values.items()}

    @classmethod
    def from_config(cls, config):  # noqa: ANN001, ANN206, D102
        from tf_disentangle import configs

        return cls(**{name: configs.deserialize(v) for name, v in config.items()})

    @property
    def num_parameters(self) -> int:
        """How many numbers the encoder emits per image."""
        raise NotImplementedError

    @property
    def num_decoded(self) -> int:
        """D, how many numbers the decoder takes."""
        return self.groups[-1].stop

    @property
    def groups(self) -> tuple[slice, ...]:
        """Where in z [B, D] each of the L latents stands, in order."""
        widths = (column.num_values or 1 for column in self.columns)
        ends = itertools.accumulate(widths, initial=0)
        return tuple(slice(*pair) for pair in itertools.pairwise(ends))

    @property
    def kl_names(self) -> tuple[str, ...]:
        """The keys of what `kl` returns."""
        return self.prior.kl_names

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """The most nats of those parts of `kl` that have a bound."""
        return {}

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return tuple(CodeColumn(f"z{i}") for i in range(self.num_latents))

    def posterior(self, parameters: tf.Tensor) -> tfd.Distribution:
        """Turns the encoder's output [B, num_parameters] into q(z|x).

        The distribution is float32 whatever the encoder's precision: bfloat16 has no
        Cholesky, and a KL in it is wrong in the third digit.
        """
        raise NotImplementedError

    def marginal_posterior(self, posterior: tfd.Distribution) -> tfd.Distribution:
        """Returns q(z_i|x) of each latent, batch shape [B, L], scalar events.

        What is asked of it is `log_prob`, from z [..., D] to [..., L].
        """
        raise NotImplementedError

    def continuous(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of z [..., D] that have an order, [..., M].

        They are those of the M continuous latents: for covariances and the like.
        """
        return z

    def posterior_mean(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the mean mu(x) of the continuous latents, [B, M]."""
        return posterior.mean()

    def posterior_covariance(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the covariance S(x) of the continuous latents, [B, M, M]."""
        return posterior.covariance()

    def code(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the deterministic code [B, L] that metrics use.

        The mean of a continuous latent, the most probable value of a categorical one.
        """
        return posterior.mean()

    def code_stddev(self, posterior: tfd.Distribution) -> tf.Tensor:
        """Returns the standard deviation of each latent, [B, L].

        That of a categorical one with probabilities p is its one-hot vector's in all,
        sqrt(1 - sum_k p_k^2): 0 where it is certain.
        """
        return posterior.stddev()

    def probabilities(self, posterior: tfd.Distribution) -> Mapping[str, tf.Tensor]:
        """Returns the probabilities [B, n] of each categorical latent, by its name."""
        del posterior
        return {}

    def information(self, posterior: tfd.Distribution, z: tf.Tensor) -> tf.Tensor:
        """Returns log q(z_i|x) - log p(z_i) of each latent, [B, L], in nats.

        Its mean over z ~ p(z) and images x made of them bounds the mutual information
        I(z_i; x) from below (Barber & Agakov, 2003).

        Args:
            posterior: q(z|x) of the images.
            z: [B, D] that they were made of, categorical ones one-hot.
        """
        prior = self.prior.marginals().log_prob(z)
        return self.marginal_posterior(posterior).log_prob(z) - prior

    def decoded(self, codes: tf.Tensor) -> tf.Tensor:
        """Maps codes [..., L] to what the decoder takes, [..., D]."""
        return codes

    def to_codes(self, z: tf.Tensor) -> tf.Tensor:
        """Maps samples z [..., D] to codes [..., L]."""
        return z

    def validate_codes(self, codes: np.ndarray) -> np.ndarray:
        """Returns codes as float32 [N, L] after checking them against `columns`.

        Raises:
            ArgumentError: If the shape is another, or the column of a categorical
                latent holds what is none of its values.
        """
        codes = np.asarray(codes, np.float32)
        ok = codes.ndim == 2 and codes.shape[1] == self.num_latents
        checks.require(ok, "codes", f"have shape [N, {self.num_latents}]", codes.shape)
        for i, column in enumerate(self.columns):
            if column.num_values is None:
                continue
            wrong = codes[:, i][~np.isin(codes[:, i], np.arange(column.num_values))]
            checks.require(
                not wrong.size,
                f"codes[:, {i}]",
                f"hold the values 0 to {column.num_values - 1} of the categorical "
                f"latent {column.name}",
                wrong[:1].tolist(),
                "It has no order: nothing lies between two values or beyond them.",
            )
        return codes

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of KL(q(z|x) || p(z)), each [B], in nats."""
        return self.prior.kl(posterior, sample, seed)

    def marginal_kl(self, posterior: tfd.Distribution, sample: tf.Tensor) -> tf.Tensor:
        """Returns KL(q(z_i|x) || p(z_i)) of each latent, [B, L], in nats.

        Where q(z|x) and p(z) are products over the latents the sum over i is the KL;
        elsewhere it is not. Where TFP has no closed form (a Student-t marginal) it is
        the one-sample estimate, to be averaged over many images.
        """
        marginals = self.marginal_posterior(posterior)
        return kl_or_monte_carlo(marginals, self.prior.marginals(), sample)
