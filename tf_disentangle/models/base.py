"""The base of all models: an encoder and a decoder around a latent space.

Metrics, pictures, records and exports need nothing of a model beyond what is defined
here. Training is left to the subclasses in `vae.py`, `factor_vae.py`, `infogan.py`.
"""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable
from typing import Any, ClassVar, Self

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, configs
from tf_disentangle.interfaces import CodeColumn, Decode, Resizing
from tf_disentangle.latents import Latents, Moments, Posterior
from tf_disentangle.models import signatures, wiring
from tf_disentangle.models.fitting import FittableModel
from tf_disentangle.models.images import as_float, as_uint8

_CHUNK = 256  # Images per call to encode or decode: as many as a metric hands over.
# Held-out images per call: terms that depend on the batch depend on this number.
_VALIDATED = 250


class LatentModel(FittableModel):
    """An encoder and a decoder around a latent space: a full Keras model.

    A batch is images [B, H, W, C], uint8 or floats in [0, 1]; pairs of such images and
    anything else; or int64 indices [B] into the images that `load_images` gathers on
    the device. Images of one pixel are vectors: float32 [B, 1, 1, C], unbounded and
    used as they are. `predict`, like calling the model, reconstructs the images from
    their deterministic codes; `evaluate` returns the terms of `row_names`.

    The networks may be functional, sequential or subclassed Keras models, built or not.
    When used alone, `model.encoder` takes what it was made for: floats in [0, 1],
    unless its input is declared uint8.

    A subclass defines `check`, `row_names`, `train_step`, `decode_tensor` and
    `held_out_terms`.

    Args:
        encoder: Images [B, H, W, C] -> [B, latents.num_parameters]; several outputs are
            concatenated. Images are in [0, 1], or uint8 if its input declares that.
        decoder: Decoder inputs -> [B, H, W, *].
        latents: The latent space with its prior.
        objective: What to minimise; it has a `name`.
        seed: Seed of all random numbers, as for `FittableModel`.
        **options: Options of `keras.Model`: `name`, `dtype`.

    Attributes:
        checkpoint_metric: The validation term by which the best checkpoint is chosen
            (higher is better); None keeps no best checkpoint.
        per_latent: What `validation` reports for each latent: "kl" or "information".
    """

    checkpoint_metric: ClassVar[str | None] = None
    per_latent: ClassVar[str] = "kl"
    reconstructs: ClassVar[bool] = True  # False: what it decodes is no reconstruction.

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Latents,
        objective: Any,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(seed, **options)
        self._is_named = options.get("name") is not None
        self.check(objective, latents)
        decoded = wiring.one_output(
            decoder, (self.num_decoder_inputs(decoder, latents),), "decoder"
        )
        self.image_shape = wiring.image_shape(
            encoder, decoded, self.outputs_per_value(objective)
        )
        self.is_vector = checks.is_vector(self.image_shape)
        heads = wiring.output_shapes(encoder, self.image_shape)
        num_outputs = sum(shape[-1] for shape in heads)
        rule = f"emit {latents.num_parameters} numbers per image for these latents"
        fits = num_outputs == latents.num_parameters
        remedy = checks.see("your_own_parts")
        checks.require(fits, "encoder", rule, num_outputs, remedy)
        wiring.require_no_losses(encoder, "encoder")
        wiring.require_no_losses(decoder, "decoder")
        self.encoder = encoder
        self.decoder = decoder
        self.latents = latents
        self.objective = objective
        self.start_statistics()
        self.built = True

    def check(self, objective: Any, latents: Latents) -> None:
        """Raises `ArgumentError` if this model cannot train the objective."""
        raise NotImplementedError

    def num_decoder_inputs(self, decoder: keras.Model, latents: Latents) -> int:
        """Returns how many numbers the decoder takes.

        Raises:
            ArgumentError: If the decoder does not take as many.
        """
        shape, expected = wiring.input_shape(decoder), (latents.num_decoded,)
        rule = f"take {latents.num_decoded} numbers for these latents"
        checks.require(shape in (None, expected), "decoder", rule, shape)
        return latents.num_decoded

    def outputs_per_value(self, objective: Any) -> int:
        """Returns how many numbers the decoder emits for each value of an image."""
        del objective
        return 1

    @property
    def batches_per_step(self) -> int:
        """How many batches of images a step takes at once."""
        return 1

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The parts that are trained, by the names of their attributes."""
        return {n: getattr(self, n) for n in ("encoder", "decoder", "latents")}

    @property
    def columns(self) -> tuple[CodeColumn, ...]:
        """What each column of the codes holds."""
        return self.latents.columns

    # ---- Tensors in, tensors out.

    def posterior(self, images: tf.Tensor, training: bool = False) -> Posterior:
        """Returns q(z|x) for images, uint8 or floats in [0, 1]."""
        return self.posterior_of(self.encoder_inputs(images), training)

    def encoder_inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images, uint8 or floats in [0, 1], as the encoder takes them."""
        dtype = wiring.input_dtype(self.encoder)
        if dtype == tf.float32:
            return as_float(images)
        if images.dtype != tf.uint8:
            images = tf.round(255.0 * as_float(images))
        return tf.cast(images, dtype)

    def posterior_of(self, inputs: tf.Tensor, training: bool = False) -> Posterior:
        """Returns q(z|x) for what the encoder itself takes."""
        return self.latents.posterior(self.encoder_outputs(inputs, training))

    def encoder_outputs(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns [B, latents.num_parameters] for what the encoder itself takes."""
        return wiring.joined(self.encoder(inputs, training=training))

    def moments(self, images: tf.Tensor) -> Moments:
        """Returns the moments of q(z|x) for images, by plain operations."""
        return self.latents.moments(self.encoder_outputs(self.encoder_inputs(images)))

    def decode_tensor(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns images of codes [B, L], float32 [B, H, W, C] in [0, 1]."""
        raise NotImplementedError

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the reconstruction through the deterministic code."""
        return self.decode_tensor(self.posterior(images, training).code())

    # ---- Arrays in, arrays out.

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Maps images [N, H, W, C], or vectors, to codes, float32 [N, L].

        Floats in [0, 1] are rounded to the 256 levels of uint8 first.
        """
        return in_chunks(self._encode, self.validate_images(images))

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Maps codes [N, L] to images, float32 [N, H, W, C] in [0, 1], or vectors."""
        return in_chunks(self._decode, self.latents.validate_codes(codes))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Maps images to float32 ones in [0, 1], or vectors, through their codes."""
        return self.decode(self.encode(images))

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """Draws images from the model, float32 [n, H, W, C] in [0, 1], or vectors.

        Codes are drawn from the prior (with its hyperprior, if it has one), and noise
        too if the generator takes any. The images are the means of p(x|z).

        Args:
            n: Number of images, at least 1.
            seed: Random seed, in [0, 2**31).
        """
        n = checks.integer(n, "n", at_least=1)
        seed = tf.constant([checks.seed(seed), 0], tf.int32)
        code_seed, noise_seed = tfp.random.split_seed(seed, n=2, salt="sample")
        codes = self.sample_inputs(n, code_seed, noise_seed)[0]
        return self.sampler(n, noise_seed)(codes.numpy())

    def sample_inputs(
        self, count: int, code_seed: tf.Tensor, noise_seed: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Draws what `decode_tensor` takes: codes [count, L], then noise if it has any.

        The seeds are int32 [2].
        """
        del noise_seed
        return (self.latents.to_codes(self.latents.prior.sample(count, code_seed)),)

    def sampler(self, count: int, seed: tf.Tensor) -> Decode:
        """Returns a decoder that keeps the noise it draws, if it takes any.

        Args:
            count: How many noise vectors it keeps; the codes use them in turn.
            seed: int32 [2].
        """
        del count, seed
        return self.decode

    def validate_images(self, images: np.ndarray) -> np.ndarray:
        """Returns images as uint8 [N, H, W, C], or vectors, after checking them."""
        return as_uint8(images, self.image_shape)

    def validation(
        self, images: np.ndarray, seed: int
    ) -> tuple[dict[str, float], np.ndarray]:
        """Returns (the mean of each term, `per_latent` [L]) of held-out images.

        Every call uses the same random numbers.

        Args:
            images: Held-out images [N, H, W, C] in random order, or an image array, N
                at least 1. Terms that depend on a batch are means over batches of 250.
            seed: Random seed.
        """
        checks.require(len(images), "images", "not be empty", images.shape)
        totals = dict.fromkeys(self.row_names, 0.0)
        each = np.zeros(self.latents.num_latents, np.float32)
        for start in range(0, len(images), _VALIDATED):
            batch = self.validate_images(images[start : start + _VALIDATED])
            draws = tf.constant([checks.seed(seed), start], tf.int32)
            terms, per_latent = self._held_out(batch, draws, self.steps_done)
            weight = len(batch) / len(images)
            totals = {k: v + weight * float(terms[k]) for k, v in totals.items()}
            each = each + weight * per_latent.numpy()
        return totals, each

    def diagnostics(self, images: np.ndarray, seed: int) -> dict[str, float]:
        """Returns further finite scalars of one batch of images; none here."""
        del images, seed
        return {}

    # ---- Compiled functions, one trace each: without AutoGraph, as `fit` traces too.

    @property
    def images_spec(self) -> tf.TensorSpec:
        """What the compiled functions take as images: uint8, or float32 vectors."""
        dtype = tf.float32 if self.is_vector else tf.uint8
        return tf.TensorSpec([None, *self.image_shape], dtype, name="images")

    @property
    def codes_spec(self) -> tf.TensorSpec:
        """What the compiled functions take as codes."""
        return tf.TensorSpec([None, self.latents.num_latents], tf.float32, "codes")

    @functools.cached_property
    def _encode(self) -> Callable:
        return as_graph(lambda x: self.posterior(x).code(), self.images_spec)

    @functools.cached_property
    def _decode(self) -> Callable:
        return as_graph(self.decode_tensor, self.codes_spec)

    @functools.cached_property
    def _held_out(self) -> Callable:
        return tf.function(self.held_out_terms, reduce_retracing=True, autograph=False)

    def forget_traces(self) -> None:
        """Drops the compiled functions that hold `num_examples`."""
        super().forget_traces()
        self.__dict__.pop("_held_out", None)

    # ---- Saving.

    def save(self, filepath: str | os.PathLike, *args: Any, **options: Any) -> None:
        """Saves the model with its optimisers, as `keras.Model.save`.

        Args:
            filepath: A path that ends in .keras; the older .h5 cannot hold the model.
            *args: Arguments of `keras.Model.save`.
            **options: Options of `keras.Model.save`.
        """
        rule = "end in .keras"
        fits = not str(filepath).endswith((".h5", ".hdf5"))
        checks.require(fits, "filepath", rule, str(filepath))
        super().save(filepath, *args, **options)

    def signatures(self, resizing: Resizing | None = None) -> dict[str, Any]:
        """Returns the signatures of a served model by name, each a `tf.function`.

        `models.signatures` describes them.

        Args:
            resizing: How `encode_bytes` resizes images of other sizes.
        """
        return signatures.signatures(self, resizing)

    def export(
        self,
        filepath: str | os.PathLike,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        *,
        resizing: Resizing | None = None,
    ) -> None:
        """Writes `signatures` as a SavedModel that TensorFlow alone can run.

        `serving.export` adds a version, a model card and what a server needs.

        Args:
            filepath: The folder.
            format: "tf_saved_model"; `serving.variants` has others.
            verbose: Whether to print the signatures; None does.
            resizing: As for `signatures`.
        """
        checks.one_of(format, ("tf_saved_model",), "format")
        names = signatures.write(self, filepath, resizing)
        if verbose is None or verbose:
            print(f"Signatures: {', '.join(names)}")

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor as JSON."""
        return {
            "encoder": network_config(self.encoder),
            "decoder": network_config(self.decoder),
            "latents": configs.serialize(self.latents),
            "objective": configs.serialize(self.objective),
            "seed": self.seed,
            "dtype": self.dtype_policy.name,
            # A name that Keras numbered says nothing about the model.
            **({"name": self.name} if self._is_named else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Returns a model of this config, with initial weights.

        Raises:
            CannotRebuildError: If it holds an object that only its user can make.
        """
        # A copy, since Keras empties what it reads.
        return cls(**configs.deserialize(copy.deepcopy(dict(config))))

    def get_build_config(self) -> None:
        """Returns None: a model is built when it is made.

        Raises:
            CannotRebuildError: If a network cannot be made again from its config.
                Keras asks this before it saves, so no file is written then.
        """
        for name, part in self.get_config().items():
            if isinstance(part, dict) and set(part) == {"class_name"}:
                reason = (
                    f"the {name} of this model has no get_config; write one, or save "
                    "the weights alone with save_weights"
                )
                raise configs.CannotRebuildError(part["class_name"], reason)


def network_config(network: keras.Model) -> dict[str, Any]:
    """Returns a network as JSON, or its class alone if Keras cannot serialise it."""
    try:
        return {"keras": keras.saving.serialize_keras_object(network)}
    except NotImplementedError:
        kind = type(network)
        return {"class_name": f"{kind.__module__}.{kind.__qualname__}"}


def as_graph(function: Callable, *specs: tf.TensorSpec) -> Callable:
    """Returns a function of tensors of these specs that runs as one graph."""
    return tf.function(function, input_signature=specs, autograph=False)


def in_chunks(function: Callable[..., tf.Tensor], *arrays: np.ndarray) -> np.ndarray:
    """Applies a batched function to long arrays, `_CHUNK` rows at a time."""
    count = len(arrays[0])
    if not count:
        # oneDNN's convolutions refuse an empty batch.
        ones = [np.zeros((1, *array.shape[1:]), array.dtype) for array in arrays]
        return function(*ones).numpy()[:0]
    parts = [
        function(*(array[i : i + _CHUNK] for array in arrays)).numpy()
        for i in range(0, count, _CHUNK)
    ]
    return np.concatenate(parts)
