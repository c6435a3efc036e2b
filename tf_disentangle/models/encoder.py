"""A model as metrics see it: its codes, its posterior q(z|x) and its evidence."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import PosteriorEncoder
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import wiring
from tf_disentangle.models.base import LatentModel, as_graph, in_chunks
from tf_disentangle.models.importance import log_evidence
from tf_disentangle.priors import StandardNormalPrior


class ModelEncoder(PosteriorEncoder):
    """The encoder of a model, with the weights that it has at the time of a call.

    Args:
        model: Any model of this library, for images or for vectors.
        sampled: Whether codes are sampled from q(z|x), anew each time an image is
            drawn, instead of being the deterministic codes.
        seed: Seed of the codes that `encoder(images)` samples if `sampled` is True;
            metrics use random generators of their own.

    Raises:
        ArgumentTypeError: If codes would be sampled from latents that are not Gaussian.
    """

    def __init__(
        self, model: LatentModel, sampled: bool = False, seed: int = 0
    ) -> None:
        checks.require_type(sampled, bool, "sampled")
        if sampled:
            remedy = "Score the mean codes."
            checks.require_type(model.latents, GaussianLatents, "model.latents", remedy)
        self.model, self.sampled = model, sampled
        self.columns = model.latents.columns
        self._rng = np.random.default_rng(checks.integer(seed, "seed", at_least=0))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C], or vectors, to codes, float32 [B, L]."""
        if self.sampled:
            return self.draw(self.parameters(images), self._rng)
        return self.model.encode(images)

    def parameters(self, images: np.ndarray) -> np.ndarray:
        """Maps images to the parameters of q(z|x), float32 [B, P].

        The mean [L], then the standard deviations [L] or the lower triangle of the
        covariance's Cholesky factor [L (L + 1) / 2].

        Raises:
            ArgumentError: If the images do not fit the model.
            ArgumentTypeError: If the latents are not Gaussian.
        """
        remedy = "Score the mean codes."
        checks.require_type(
            self.model.latents, GaussianLatents, "model.latents", remedy
        )
        images = checks.images_or_vectors(images)
        shape = self.model.image_shape
        rule = f"have shape [N, {', '.join(map(str, shape))}]"
        remedy = checks.channels_last(images.shape, shape)
        fits = images.shape[1:] == shape
        checks.require(fits, "images", rule, images.shape, remedy)
        return in_chunks(self._parameters, images)

    def draw(self, parameters: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws one code for each row of parameters [B, P], float32 [B, L]."""
        mean, scale = self._split(parameters)
        noise = rng.standard_normal(mean.shape, np.float32)
        if scale.ndim == 2:
            return mean + scale * noise
        return mean + np.einsum("bij,bj->bi", scale, noise)

    def gaussian_moments(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns means [B, L] and standard deviations [B, L] of q(z|x).

        Raises:
            ArgumentError: If q(z|x) is no diagonal Gaussian or p(z) is not N(0, I).
        """
        latents = self.model.latents
        is_gaussian = isinstance(latents, GaussianLatents)
        is_usual = is_gaussian and isinstance(latents.prior, StandardNormalPrior)
        is_usual = is_usual and latents.covariance != "full"
        rule = "have diagonal Gaussian posteriors and a standard normal prior"
        received = (latents.name, type(latents.prior).__name__)
        checks.require(is_usual, "model", rule, received)
        return self._split(self.parameters(images))

    def log_evidence(
        self,
        images: np.ndarray,
        *,
        num_samples: int,
        seed: int,
        on_images: Callable[[int], object] | None = None,
    ) -> Any:
        """Estimates log p(x) by importance weights; see `models.log_evidence`."""
        return log_evidence(
            self.model, images, num_samples=num_samples, seed=seed, on_images=on_images
        )

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means [B, L], and deviations [B, L] or Cholesky factors [B, L, L]."""
        size = self.model.latents.num_latents
        mean, scale = np.split(parameters, [size], axis=1)
        if scale.shape[1] == size and self.model.latents.covariance != "full":
            return mean, scale
        factors = np.zeros((len(scale), size, size), np.float32)
        factors[:, *np.tril_indices(size)] = scale
        return mean, factors

    @functools.cached_property
    def _parameters(self) -> Callable[..., tf.Tensor]:
        """Maps a chunk of images to their parameters."""
        latents = self.model.latents
        lower = np.tri(latents.num_latents, dtype=bool)

        def parameters(images: tf.Tensor) -> tf.Tensor:
            posterior = self.model.posterior(images)
            if latents.covariance != "full":
                return tf.concat([posterior.mean(), posterior.stddev()], axis=1)
            factors = tf.linalg.cholesky(posterior.covariance())
            below = tf.boolean_mask(factors, lower, axis=1)
            return tf.concat([posterior.mean(), below], axis=1)

        return as_graph(parameters, self.model.images_spec)


class UntrainedEncoder(ModelEncoder):
    """The encoder of a model with fresh weights, as before a first step.

    Such encoders give scores their floors (`metrics.bounds`). The network's weights are
    replaced for the duration of a call. The replacements depend on the network and on
    `seed` alone, so that the runs of a study share their floors.

    Args:
        model: A model whose encoder can be made anew from its own configuration.
        seed: Seed of the weights, at least 0; each seed gives different weights.
        sampled: As for `ModelEncoder`.

    Raises:
        ArgumentError: If the encoder's class does not provide its configuration.

    Attributes:
        architecture: A checksum of network and latents, equal if both are equal.
    """

    def __init__(
        self, model: LatentModel, seed: int = 0, sampled: bool = False
    ) -> None:
        super().__init__(model, sampled)
        network = model.encoder
        try:
            own = network.get_config()
        except NotImplementedError as error:
            rule = "have get_config(), so that it can be made untrained"
            remedy = "Define it and from_config; without floors leave out bounds."
            text = checks.message("model.encoder", rule, network, remedy)
            raise checks.ArgumentError(text) from error
        # Keras numbers names by what the process has made before.
        names = [layer["config"]["name"] for layer in own.get("layers", ())]
        plain = _renamed(_reseeded(own, 0), {n: str(i) for i, n in enumerate(names)})
        kind = (type(model.latents).__name__, model.latents.num_latents, sampled)
        text = json.dumps([plain, kind], default=str)
        self.architecture = hashlib.sha256(text.encode()).hexdigest()[:16]
        config = _reseeded(own, checks.integer(seed, "seed", at_least=0))
        fresh = type(network).from_config(config)
        # A class of the user's has no weights before its first call.
        fresh(tf.zeros([1, *model.image_shape], wiring.input_dtype(network)))
        self._weights = fresh.get_weights()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [B, H, W, C], or vectors, to codes, float32 [B, L]."""
        with self._untrained():
            return super().__call__(images)

    def parameters(self, images: np.ndarray) -> np.ndarray:
        """Maps images to the parameters of q(z|x), as `ModelEncoder.parameters`."""
        with self._untrained():
            return super().parameters(images)

    @contextlib.contextmanager
    def _untrained(self) -> Iterator[None]:
        """Replaces the weights for the duration of a `with` block."""
        network = self.model.encoder
        trained = network.get_weights()
        network.set_weights(self._weights)
        try:
            yield
        finally:
            network.set_weights(trained)


def _reseeded(config: Any, seed: int) -> Any:
    """Returns a Keras configuration with new seeds, each derived from its position."""
    places = itertools.count(1)

    def changed(value: Any, name: str = "") -> Any:
        if name == "seed" and isinstance(value, int):
            return seed * 1_000_003 + next(places)
        if isinstance(value, dict):
            return {name: changed(inner, name) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(changed, value))
        return value

    return changed(config)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Returns a Keras configuration with its layers renamed."""
    if isinstance(value, dict):
        return {name: _renamed(inner, names) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_renamed(inner, names) for inner in value)
    return names.get(value, value) if isinstance(value, str) else value
