"""Priors p(z): the base that every prior extends, and the standard normal."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, configs
from tf_disentangle.distributions import kl_or_monte_carlo

tfd = tfp.distributions


class Prior(configs.Configured, keras.layers.Layer):
    """A prior over L latents.

    It is a Keras layer so that a trainable prior is trained and saved through
    `add_weight`; TFP objects are built per call, from the weights of the moment.
    `build((None, L))`, which the latent space calls, tells it L and is the place to
    check the settings against it.

    Attributes:
        kl_names: The keys of what `kl` returns.
        label: How z is drawn, for the heads of pictures.
        requires_kl_term: Whether `kl` alone trains a part of the encoder's
            outputs, so that an objective without it would not train them.
        num_latents: L, once built.
    """

    kl_names: tuple[str, ...] = ("kl",)
    label: str = "z ~ p(z)"
    requires_kl_term: bool = False

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    # ---- Shim until the configs of latents and priors are merged.

    def get_config(self):  # noqa: ANN201, D102
        from tf_disentangle import configs

        values = {k: v for k, v in self._config.items() if k != "name"}
        return {k: configs.serialize(v) for k, v in values.items()}

    @classmethod
    def from_config(cls, config):  # noqa: ANN001, ANN206, D102
        from tf_disentangle import configs

        return cls(**{name: configs.deserialize(v) for name, v in config.items()})

    def build(self, input_shape: tuple) -> None:
        """Learns L from the shape [B, L] of the latents."""
        self.num_latents = checks.integer(input_shape[-1], "num_latents", at_least=1)
        self.built = True

    def check_posterior(self, posterior_type: type[tfd.Distribution]) -> None:
        """Raises `ArgumentError` if `kl` has no form for this class of q(z|x)."""
        del posterior_type  # The default `kl` takes any.

    def distribution(self) -> tfd.Distribution:
        """Returns p(z), event shape [L]."""
        raise NotImplementedError

    def marginals(self) -> tfd.Distribution:
        """Returns p(z_i) of each latent, batch shape [L], scalar events."""
        raise NotImplementedError

    def sample(self, num_samples: int, seed: tf.Tensor) -> tf.Tensor:
        """Draws z [num_samples, L] from p(z); `seed` is int32 [2]."""
        return self.distribution().sample(num_samples, seed=seed)

    def kl(
        self, posterior: tfd.Distribution, sample: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the named parts of KL(q(z|x) || p(z)), each [B], in nats.

        Their sum is what the ELBO subtracts.

        Args:
            posterior: q(z|x), batch shape [B], event shape [L].
            sample: The z [B, L] drawn from it that the decoder saw.
            seed: int32 [2], for parts that need draws of their own.
        """
        del seed
        return {"kl": kl_or_monte_carlo(posterior, self.distribution(), sample)}

    def covariances(self, seed: tf.Tensor) -> Mapping[str, np.ndarray]:
        """Returns labelled covariances [L, L] to picture a hyperprior; none here."""
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
