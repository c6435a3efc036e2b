"""Priors p(z): the base that every prior extends, and the standard normal."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, configs
from tf_disentangle.distributions import kl_or_monte_carlo

tfd = tfp.distributions


class ConfiguredLayer(keras.layers.Layer):
    """A Keras layer that keeps each argument as an attribute of the same name."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        values = {name: getattr(self, name) for name in names}
        return {
            name: value.tolist()
            if isinstance(value, np.ndarray)
            else configs.serialize(value)
            for name, value in values.items()
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Returns what `get_config` described; a prior is not built yet."""
        return cls(**configs.deserialize(dict(config)))


class Prior(ConfiguredLayer):
    """A prior over L latents.

    A prior is a Keras layer so that a trainable one is trained and saved through
    `add_weight`; TFP objects are built at each call, from the current weights. The
    latent space calls `build((None, L))`, which tells the prior L and is the place to
    check its settings against L. A subclass defines `marginals`, and `distribution`
    unless p(z) is the product of the marginals.

    Attributes:
        kl_names: The keys of what `kl` returns.
        label: How z is drawn, for the titles of figures.
        requires_kl_term: Whether some of the encoder's outputs are trained by `kl`
            alone, so that an objective without it would leave them untrained.
        num_latents: L, once built.
    """

    kl_names: tuple[str, ...] = ("kl",)
    label: str = "z ~ p(z)"
    requires_kl_term: bool = False

    def __init__(self) -> None:
        super().__init__()

    def build(self, input_shape: tuple) -> None:
        """Sets L from the shape [B, L] of the latents."""
        self.num_latents = checks.integer(input_shape[-1], "num_latents", at_least=1)
        self.built = True

    @property
    def kl_bounds(self) -> Mapping[str, float]:
        """The most nats of those parts of `kl` that have a bound."""
        return {}

    def check_posterior(self, posterior_type: type[tfd.Distribution]) -> None:
        """Raises `ArgumentError` if `kl` has no form for this class of q(z|x)."""
        del posterior_type  # The default `kl` takes any.

    def distribution(self) -> tfd.Distribution:
        """Returns p(z), event shape [L]; here the product of the marginals."""
        return tfd.Independent(self.marginals(), 1)

    def marginals(self) -> tfd.Distribution:
        """Returns p(z_i) of each latent, batch shape [L], scalar events."""
        raise NotImplementedError

    def marginal_log_prob(self, z: tf.Tensor) -> tf.Tensor:
        """Returns log p(z_i) [..., L] of z [..., D], in nats."""
        return self.marginals().log_prob(z)

    def sample(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws z [num_samples, L] from p(z); `seed` is int32 [2]."""
        return self.distribution().sample(num_samples, seed=seed)

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of KL(q(z|x) || p(z)), each [B], in nats.

        Their sum is what the ELBO subtracts.

        Args:
            posterior: The TFP distribution q(z|x), batch shape [B], event shape [L].
            sample: The z [B, L] drawn from it that the decoder saw.
            seed: int32 [2], for parts that need random numbers of their own.
        """
        del seed
        return {"kl": kl_or_monte_carlo(posterior, self.distribution(), sample)}

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns labelled covariances [L, L] that show a hyperprior; none here."""
        del seed
        return {}


class StandardNormalPrior(Prior):
    """p(z) = N(0, I), the prior of the VAE (Kingma & Welling, 2014)."""

    label = "z ~ N(0, I)"

    def distribution(self) -> tfd.Distribution:
        """Returns N(0, I), event shape [L]."""
        return tfd.MultivariateNormalDiag(
            tf.zeros(self.num_latents), tf.ones(self.num_latents)
        )

    def marginals(self) -> tfd.Distribution:
        """Returns L standard normals."""
        return tfd.Normal(tf.zeros(self.num_latents), 1.0)


def float_array(values: object, ndim: int, argument: str, rule: str) -> np.ndarray:
    """Returns `values` as finite float64 numbers with `ndim` axes, none of them empty.

    Raises:
        ArgumentError: If they are not; the error names the argument and the rule.
    """
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise checks.ArgumentError(checks.message(argument, rule, values)) from error
    good = array.ndim == ndim and array.size and np.isfinite(array).all()
    checks.require(good, argument, rule, values)
    return array
