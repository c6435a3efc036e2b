"""Export of a model as a versioned SavedModel for TensorFlow Serving.

    <base>/<version>/saved_model.pb, variables/, ...

Endpoints, each with a batch of any size:

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
import pathlib

import keras
import tensorflow as tf

from tf_disentangle import checks, files
from tf_disentangle.models import LatentModel


def export(
    model: LatentModel, base: str | os.PathLike, version: int | None = None
) -> str:
    """Writes a SavedModel that needs neither this library nor Keras to run.

    It is written under a temporary name and renamed, since a server polls the folder.

    Args:
        model: The model.
        base: Folder that holds the versions.
        version: Positive integer; None is one more than the highest that is there.

    Returns:
        The path of the version's folder.

    Raises:
        ArgumentError: If the version exists or the folder cannot be written.
    """
    base = pathlib.Path(base)
    there = versions(base)
    if version is None:
        version = max(there, default=0) + 1
    checks.integer(version, "version", at_least=1)
    checks.require(
        version not in there,
        "version",
        f"be new in {base}",
        version,
        "Leave it out to take the next.",
    )
    target = base / str(version)
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

    archive = keras.export.ExportArchive()
    for part in (model.encoder, model.decoder, model.latents):
        archive.track(part)
    # The first endpoint also becomes serving_default.
    archive.add_endpoint("encode", encode, [images])
    archive.add_endpoint(
        "decode", lambda codes: {"images": model.decode_tensor(codes)}, [codes]
    )
    archive.add_endpoint(
        "reconstruct",
        lambda images: {"images": model.decode_tensor(encode(images)["codes"])},
        [images],
    )
    with files.replacing(target) as temporary:
        try:
            archive.write_out(str(temporary), verbose=False)
        except tf.errors.OpError as error:
            rule, remedy = "be writable", "Free some space or choose another folder."
            reason = error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]
            received = f"{base}: {reason}"
            raise checks.ArgumentError(
                checks.message("output", rule, received, remedy)
            ) from error
    return str(target)


def versions(base: str | os.PathLike) -> list[int]:
    """Returns the versions below `base`, in increasing order."""
    base = pathlib.Path(base)
    if not base.is_dir():
        return []
    return sorted(int(p.name) for p in base.iterdir() if p.name.isdecimal())
