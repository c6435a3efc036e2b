"""What all models are: an encoder and a decoder around a latent space.

Metrics, pictures, records and the export ask no more of a model than what is here. How
it is trained is a subclass's own: `vae.py`, `factor_vae.py`, `infogan.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.interfaces import Decode
from tf_disentangle.latents import Latents, Posterior
from tf_disentangle.models.statistics import TermStatistics

# Images per call when a whole array is encoded or decoded.
_CHUNK = 250


class LatentModel(keras.Model):
    """An encoder and a decoder around a latent space, trained by `fit`.

    Batches are uint8 images [B, H, W, C], or int64 indices [B] into the images that
    `load_images` gathers on the device. Images of one pixel are vectors: float32
    [B, 1, 1, C], without bounds, and taken as they are.

    A subclass gives `check`, `row_names`, `train_step`, `decode_tensor` and `validate`.

    Args:
        encoder: Images [B, H, W, C] in [0, 1] -> [B, latents.num_parameters].
        decoder: What is decoded -> [B, H, W, *].
        latents: The latent space with its prior.
        objective: What to minimise; it has a `name` and a `min_batch_size`.
        seed: Seed of every draw in training: step t's are folded from (seed, t,
            replica), so no generator's state needs saving.

    Attributes:
        num_examples: Number of training images, for terms about the aggregate
            posterior; `training.prepare` sets it.
        batches_per_step: How many batches of images a step takes at once.
        monitored: The validation term by which the best checkpoint is kept, the higher
            the better; None keeps none.
        per_latent: What `validate` says of each latent: "kl" or "information".
    """

    batches_per_step = 1
    monitored: ClassVar[str | None] = None
    per_latent: ClassVar[str] = "kl"

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        latents: Latents,
        objective: Any,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.check(objective, latents)
        checks.require(
            encoder.output_shape[-1] == latents.num_parameters,
            "encoder",
            f"emit {latents.num_parameters} numbers per image for these latents",
            encoder.output_shape[-1],
        )
        self.image_shape = tuple(encoder.input_shape[1:])
        self.is_vector = checks.is_vector(self.image_shape)
        self.encoder = encoder
        self.decoder = decoder
        self.latents = latents
        self.objective = objective
        self.seed = checks.integer(seed, "seed", at_least=0)
        self.statistics = TermStatistics(self.row_names)
        self.load_images: Callable[[tf.Tensor], tf.Tensor] | None = None
        self.num_examples: int | None = None
        self._as_functions()
        self.built = True

    def check(self, objective: Any, latents: Latents) -> None:
        """Raises `ArgumentError` if this model cannot train the objective."""
        raise NotImplementedError

    def _as_functions(self) -> None:
        """Compiles what metrics, pictures and the export call, one trace each.

        Without AutoGraph, as `fit` and the export trace too.
        """
        images = tf.TensorSpec([None, *self.image_shape], self.data_type)
        codes = tf.TensorSpec([None, self.latents.num_latents], tf.float32)
        self._encode = tf.function(
            lambda x: self.posterior(x).code(),
            input_signature=[images],
            autograph=False,
        )
        self._decode = tf.function(
            self.decode_tensor, input_signature=[codes], autograph=False
        )
        self._probabilities = tf.function(
            lambda x: tf.concat(
                list(self.posterior(x).probabilities().values()), axis=-1
            ),
            input_signature=[images],
            autograph=False,
        )

    @property
    def data_type(self) -> tf.DType:
        """Of the data: uint8 for images, float32 for vectors."""
        return tf.float32 if self.is_vector else tf.uint8

    @property
    def row_names(self) -> tuple[str, ...]:
        """The scalars of a step, in the order of the records."""
        raise NotImplementedError

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """What is trained, by the name of its attribute."""
        return {n: getattr(self, n) for n in ("encoder", "decoder", "latents")}

    # ---- Tensors in, tensors out.

    def posterior(self, images: tf.Tensor, training: bool = False) -> Posterior:
        """Returns q(z|x) for images, uint8 or float32 in [0, 1]."""
        return self.latents.posterior(self.encoder(as_float(images), training=training))

    def decode_tensor(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns images of codes [B, L], float32 [B, H, W, C] in [0, 1]."""
        raise NotImplementedError

    def validate(
        self, images: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Returns (scalar terms by name, `per_latent` [L]) of held-out images."""
        raise NotImplementedError

    def monitors(self, images: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns further scalars of a batch, which depend on its size; none here."""
        del images, seed
        return {}

    # ---- Keras.

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the reconstruction through the deterministic code."""
        return self.decode_tensor(self.posterior(images, training).code())

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The statistics that `fit` resets at the start of an epoch."""
        return [self.statistics]

    def loaded(self, batch: tf.Tensor) -> tf.Tensor:
        """Returns the images of a batch, which may be indices."""
        return batch if self.load_images is None else self.load_images(batch)

    @property
    def steps_done(self) -> tf.Tensor:
        """Number of steps that the weights have seen, int64 scalar."""
        return tf.cast(self.optimizer.iterations.value, tf.int64)

    @property
    def descended(self) -> list[keras.Variable]:
        """The variables that `optimizer` moves."""
        return self.trainable_variables

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimisers by the name of their attribute, once compiled."""
        return {"optimizer": self.optimizer}

    def build_optimizers(self) -> None:
        """Makes the optimisers' variables, in the scope in which it is called."""
        self.optimizer.build(self.descended)

    # ---- Arrays in, arrays out.

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Maps uint8 images [N, H, W, C], or vectors, to codes, float32 [N, L]."""
        images = self.checked(images)
        return in_chunks(self._encode, images)

    def checked(self, images: np.ndarray) -> np.ndarray:
        """Returns images [N, H, W, C], or vectors, after checking that they fit."""
        images = checks.images_or_vectors(images)
        checks.require(
            images.shape[1:] == self.image_shape,
            "images",
            f"have shape [N, {', '.join(map(str, self.image_shape))}]",
            images.shape,
        )
        return images

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Maps codes [N, L] to images, float32 [N, H, W, C] in [0, 1], or vectors."""
        return in_chunks(self._decode, self.latents.validate_codes(codes))

    def sampler(self, count: int, seed: tf.Tensor) -> Decode:
        """Returns a decoder that holds what it draws beside the codes, if anything.

        Args:
            count: How many draws it has; the codes take them in turn.
            seed: int32 [2].
        """
        del count, seed
        return self.decode

    def probabilities(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Maps images to the probabilities [N, n] of each categorical latent, by name.

        Empty where all latents are continuous.
        """
        names = [c.name for c in self.latents.columns if c.kind == "categorical"]
        if not names:
            return {}
        together = in_chunks(self._probabilities, self.checked(images))
        ends = np.cumsum([c.num_values for c in self.latents.columns if c.num_values])
        parts = np.split(together, ends[:-1], axis=1)
        return dict(zip(names, parts, strict=True))

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Maps images to float32 ones in [0, 1], or vectors, through their codes."""
        return self.decode(self.encode(images))


def as_float(images: tf.Tensor) -> tf.Tensor:
    """Returns images as float32 in [0, 1]; uint8 is divided by 255 on the device.

    Vectors are float32 and stay as they are.
    """
    if images.dtype == tf.uint8:
        return tf.cast(images, tf.float32) / 255.0
    return images


def per_replica(loss: tf.Tensor) -> tf.Tensor:
    """Returns a loss such that its gradients, summed over replicas, are their mean."""
    return loss / tf.distribute.get_strategy().num_replicas_in_sync


def step_seed(seed: int, step: tf.Tensor) -> tf.Tensor:
    """Returns the int32 [2] seed of one training step on this replica."""
    fold_in = tf.random.experimental.stateless_fold_in
    context = tf.distribute.get_replica_context()
    replica = 0 if context is None else context.replica_id_in_sync_group
    per_step = fold_in(tf.constant([seed, 0], tf.int32), step)
    return fold_in(per_step, replica)


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
