"""The endpoints of a served model, for `model.export` and `serving.export`.

Each takes a batch of any size:

    encode (also serving_default)   images uint8 [B, H, W, C] -> codes, stddev [B, L]
    decode                          codes float32 [B, L] -> images float32 [B, H, W, C]
    reconstruct                     images uint8 -> images float32 in [0, 1]

encode also gives probabilities_NAME [B, n] of each categorical latent, whose column of
the codes holds the most probable of its n values; decode takes that value. What a model
draws beside the codes, as an InfoGAN its noise, decode and reconstruct hold at zero.

Where the data are vectors, "images" are float32 [B, 1, 1, C] throughout.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from tf_disentangle.models.base import LatentModel


def write_saved_model(
    model: LatentModel, path: str | os.PathLike, verbose: bool = False
) -> None:
    """Writes a SavedModel that needs neither this library nor Keras to run.

    Args:
        model: The model.
        path: The folder, which is made.
        verbose: Whether to print the endpoints.
    """
    images = tf.TensorSpec([None, *model.image_shape], model.data_type, name="images")
    codes = tf.TensorSpec([None, model.latents.num_latents], tf.float32, name="codes")

    def encode(images: tf.Tensor) -> dict[str, tf.Tensor]:
        posterior = model.posterior(images)
        parts = posterior.probabilities()
        return {
            "codes": posterior.code(),
            "stddev": posterior.stddev(),
            **{f"probabilities_{name}": part for name, part in parts.items()},
        }

    def decode(codes: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"images": model.decode_tensor(codes)}

    archive = keras.export.ExportArchive()
    for part in (model.encoder, model.decoder, model.latents):
        archive.track(part)
    # The first endpoint also becomes serving_default.
    archive.add_endpoint("encode", encode, [images])
    archive.add_endpoint("decode", decode, [codes])
    archive.add_endpoint("reconstruct", lambda x: decode(encode(x)["codes"]), [images])
    archive.write_out(str(path), verbose=verbose)
