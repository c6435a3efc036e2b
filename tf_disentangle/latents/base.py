"""The base of every latent space: encoder outputs -> q(z|x), with a prior p(z)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.latents.moments import Moments
from tf_disentangle.latents.posterior import Posterior
from tf_disentangle.priors.base import ConfiguredLayer, Prior, StandardNormalPrior

tfd = tfp.distributions


class Latents(ConfiguredLayer):
    """L latents: a family of posteriors and any prior that fits it.

    A subclass sets how many numbers the encoder emits (`num_parameters`) and defines
    the q(z|x) that is made from them (`posterior`, `posterior_type`).

    A *code* has one column for each latent, L in all, and `columns` says what each
    holds; a *sample* z has the D numbers that the decoder takes. A continuous latent is
    one number in both. A categorical one of n values has one column in the code, the
    value, and n numbers in z, a point of the simplex: `groups` gives their columns.

    Args:
        num_latents: L, at least 1.
        prior: p(z); None means the standard normal.

    Attributes:
        num_parameters: How many numbers the encoder emits per image.
        posterior_type: The class of the TFP distribution q(z|x). It is checked by a
            prior whose KL has a closed form for a single family.

    Raises:
        ArgumentError: If the prior does not fit L or the family of posteriors.
    """

    num_parameters: int
    posterior_type: ClassVar[type[tfd.Distribution]] = tfd.Distribution

    def __init__(self, num_latents: int, prior: Prior | None = None) -> None:
        super().__init__()
        self.num_latents = checks.integer(num_latents, "num_latents", at_least=1)
        self.prior = StandardNormalPrior() if prior is None else prior
        checks.require_type(self.prior, Prior, "prior", "Pass a priors.Prior.")
        self.prior.check_posterior(self.posterior_type)
        self.prior.build((None, self.num_latents))
        self.built = True

    def posterior(self, parameters: tf.Tensor) -> Posterior:
        """Turns the encoder's output [B, num_parameters] into q(z|x).

        The distribution is float32 whatever the encoder's precision: bfloat16 has no
        Cholesky factorisation, and a KL computed in it is wrong in the third digit.
        """
        raise NotImplementedError

    def moments(self, parameters: tf.Tensor) -> Moments:
        """Returns the moments of q(z|x) for the encoder's output [B, num_parameters].

        The spaces of this library compute them by plain operations, which every runtime
        can read. This default asks the posterior, and is only as portable as that.
        """
        posterior = self.posterior(parameters)
        kinds = [column.num_values for column in self.columns]
        if not any(kinds):
            return Moments(posterior.mean(), posterior.stddev())
        places = [place for place, values in enumerate(kinds) if values is None]
        stddev = tf.gather(posterior.stddev(), tf.constant(places, tf.int32), axis=-1)
        pair = (posterior.mean(), stddev) if places else (None, None)
        code, probabilities = posterior.code(), posterior.probabilities()
        return Moments(*pair, codes=code, probabilities=probabilities)

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the code is."""
        return tuple(CodeColumn(f"z{i}") for i in range(self.num_latents))

    @property
    def groups(self) -> tuple[slice, ...]:
        """The columns of z [B, D] that hold each of the L latents, in order."""
        widths = (column.num_values or 1 for column in self.columns)
        ends = itertools.accumulate(widths, initial=0)
        return tuple(slice(*pair) for pair in itertools.pairwise(ends))

    @property
    def num_decoded(self) -> int:
        """D, how many numbers the decoder takes."""
        return self.groups[-1].stop

    @property
    def kl_names(self) -> tuple[str, ...]:
        """The keys of what `Posterior.kl` returns."""
        return self.prior.kl_names

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """The most nats of those parts of the KL that have a bound."""
        return self.prior.kl_bounds

    def continuous(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the numbers of the continuous latents, [..., M], of z [..., D]."""
        pairs = zip(self.columns, self.groups, strict=True)
        places = [group.start for c, group in pairs if c.num_values is None]
        if len(places) == self.num_decoded:
            return z
        return tf.gather(z, tf.constant(places, tf.int32), axis=-1)

    def to_decoder_input(self, codes: tf.Tensor) -> tf.Tensor:
        """Maps codes [..., L] to what the decoder takes, [..., D].

        The values of categorical latents become one-hot vectors.
        """
        if not any(column.num_values for column in self.columns):
            return codes
        parts = []
        for i, column in enumerate(self.columns):
            part = codes[..., i : i + 1]
            if column.num_values:
                value = tf.cast(tf.round(part[..., 0]), tf.int32)
                part = tf.one_hot(value, column.num_values)
            parts.append(part)
        return tf.concat(parts, axis=-1)

    def to_codes(self, z: tf.Tensor) -> tf.Tensor:
        """Maps samples z [..., D] to codes [..., L].

        Points of a simplex become their nearest corner.
        """
        if not any(column.num_values for column in self.columns):
            return z
        pairs = zip(self.columns, self.groups, strict=True)
        parts = [
            tf.cast(tf.argmax(z[..., group], axis=-1), tf.float32)
            if column.num_values
            else z[..., group.start]
            for column, group in pairs
        ]
        return tf.stack(parts, axis=-1)

    def validate_codes(self, codes: np.ndarray) -> np.ndarray:
        """Returns codes as float32 [N, L] after checking them against `columns`.

        Raises:
            ArgumentError: If the shape is wrong, or the column of a categorical latent
                holds anything but one of its values.
        """
        codes = np.asarray(codes, np.float32)
        ok = codes.ndim == 2 and codes.shape[1] == self.num_latents
        rule = f"have shape [N, {self.num_latents}]"
        is_one = codes.shape == (self.num_latents,)
        remedy = "Add an axis: codes[np.newaxis]." if is_one else ""
        checks.require(ok, "codes", rule, codes.shape, remedy)
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
