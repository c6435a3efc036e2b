"""The signatures of a served model, functions of tensors alone, and their SavedModel.

    encode        images -> mean, stddev, covariance, codes, probabilities_NAME
    encode_bytes  image_bytes, PNG or JPEG -> the same
    decode        codes -> images
    reconstruct   images -> reconstructions
    edit          codes, latent, value -> images: codes with the latent at the value
    sample        seed -> images, sampled_codes

In every input and output the batch comes first and has any size, and no other dimension
is free, as a server that merges requests needs. `encode`, `decode`, `reconstruct` and
`edit` are made of plain operations, which ONNX Runtime, OpenVINO and LiteRT read too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle.interfaces import Resizing
from tf_disentangle.models.image_bytes import decode_images, takes_bytes

if TYPE_CHECKING:
    from tf_disentangle.models.base import LatentModel

#: The signature that is also `serving_default`.
DEFAULT = "encode"

Tensors = dict[str, tf.Tensor]


def signatures(model: LatentModel, resizing: Resizing | None = None) -> dict[str, Any]:
    """Returns the signatures of a model by name, each a `tf.function`.

    Args:
        model: The model; its weights are read at each call.
        resizing: How `encode_bytes` resizes images; None means `Resizing()`.
    """
    functions = [_encode, _decode, _reconstruct, _edit, _sample]
    made = {function.__name__[1:]: function(model) for function in functions}
    if takes_bytes(model.image_shape):
        resizing = Resizing() if resizing is None else resizing
        made["encode_bytes"] = _encode_bytes(model, resizing)
    return made


def write(
    model: LatentModel,
    folder: str | os.PathLike,
    resizing: Resizing | None = None,
) -> list[str]:
    """Writes the signatures as a SavedModel that TensorFlow alone can run.

    Returns their names.

    Args:
        model: The model.
        folder: The folder to write to.
        resizing: As for `signatures`.
    """
    holder, concrete = tf.Module(), {}
    for name, function in signatures(model, resizing).items():
        served = _with_empty_batches(function, model.image_shape)
        concrete[name] = served.get_concrete_function()
    # A SavedModel keeps what is reachable from its root: the weights, each once.
    captured = {v.ref(): v for f in concrete.values() for v in f.variables}
    holder.weights = list(captured.values())
    concrete["serving_default"] = concrete[DEFAULT]
    tf.saved_model.save(holder, os.fspath(folder), concrete)
    return sorted(concrete)


def _function(function: Callable[..., Tensors], *specs: tf.TensorSpec) -> Any:
    """Returns a function of tensors of these specs, whose names are the inputs'.

    It asserts their shapes first, so that a server's error names the wrong input.
    """

    def checked(*tensors: tf.Tensor) -> Tensors:
        pairs = zip(tensors, specs, strict=True)
        return function(*(tf.ensure_shape(each, spec.shape) for each, spec in pairs))

    return tf.function(checked, input_signature=specs, autograph=False)


def _with_empty_batches(function: Any, image_shape: tuple[int, int, int]) -> Any:
    """Returns a function that also takes empty batches, which oneDNN refuses.

    For an empty batch it computes one row and drops it. Inputs with unequal numbers of
    rows, which would be broadcast and cut, are refused. The portable signatures do
    without this: runtimes for small devices plan worse if shapes depend on values.
    """
    specs = function.input_signature

    def row_of(spec: tf.TensorSpec) -> tf.Tensor:
        if spec.dtype == tf.string:
            return tf.io.encode_png(tf.zeros([1, *image_shape], tf.uint8))
        return tf.zeros([1, *spec.shape[1:]], spec.dtype)

    rows = [row_of(spec) for spec in specs]
    equal = f"{', '.join(spec.name for spec in specs)} must have equal numbers of rows"

    def filled(*tensors: tf.Tensor) -> Tensors:
        count = tf.shape(tensors[0])[0]
        for each in tensors[1:]:
            tf.debugging.assert_equal(tf.shape(each)[0], count, message=equal)
        missing = tf.cast(tf.equal(count, 0), tf.int32)
        pairs = zip(tensors, rows, strict=True)
        parts = [[each, tf.repeat(row, missing, axis=0)] for each, row in pairs]
        outputs = function.python_function(*(tf.concat(p, axis=0) for p in parts))
        return {name: output[:count] for name, output in outputs.items()}

    return _function(filled, *specs)


def _encode(model: LatentModel) -> Any:
    def encode(images: tf.Tensor) -> Tensors:
        return model.moments(images).named()

    return _function(encode, model.images_spec)


def _encode_bytes(model: LatentModel, resizing: Resizing) -> Any:
    def encode_bytes(image_bytes: tf.Tensor) -> Tensors:
        images = decode_images(image_bytes, model.image_shape, resizing)
        return model.moments(images).named()

    return _function(encode_bytes, tf.TensorSpec([None], tf.string, "image_bytes"))


def _decode(model: LatentModel) -> Any:
    def decode(codes: tf.Tensor) -> Tensors:
        return {"images": model.decode_tensor(codes)}

    return _function(decode, model.codes_spec)


def _reconstruct(model: LatentModel) -> Any:
    def reconstruct(images: tf.Tensor) -> Tensors:
        return {"reconstructions": model.decode_tensor(model.moments(images).code)}

    return _function(reconstruct, model.images_spec)


def _edit(model: LatentModel) -> Any:
    numbers = list(range(model.latents.num_latents))

    def edit(codes: tf.Tensor, latent: tf.Tensor, value: tf.Tensor) -> Tensors:
        chosen = tf.equal(latent[:, tf.newaxis], tf.constant([numbers], tf.int32))
        edited = tf.where(chosen, value[:, tf.newaxis], codes)
        return {"images": model.decode_tensor(edited)}

    latent = tf.TensorSpec([None], tf.int32, "latent")
    value = tf.TensorSpec([None], tf.float32, "value")
    return _function(edit, model.codes_spec, latent, value)


def _sample(model: LatentModel) -> Any:
    def draw(seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        code_seed, noise_seed = tfp.random.split_seed(seed, n=2, salt="sample")
        return tuple(part[0] for part in model.sample_inputs(1, code_seed, noise_seed))

    example = draw(tf.zeros([2], tf.int32))
    specs = tuple(tf.TensorSpec(part.shape, part.dtype) for part in example)

    def sample(seed: tf.Tensor) -> Tensors:
        # Row by row, so that a sample depends on its own seed and not on the batch.
        codes, *noise = tf.map_fn(draw, seed, fn_output_signature=specs)
        return {"images": model.decode_tensor(codes, *noise), "sampled_codes": codes}

    return _function(sample, tf.TensorSpec([None, 2], tf.int32, "seed"))
