"""InfoGAN's recognition network and critic, which share all but their last layers.

    images -> conv 64, conv 128, dense 1024         the trunk
           -> dense 1                               the critic
           -> dense 128, dense num_outputs          the recognition network

Its generator is `conv_decoder` with width 1024, channels (128, 64), `batch_norm` and
the initialiser "dcgan".

References:
    Chen et al., "InfoGAN", NeurIPS 2016, arXiv:1606.03657, appendix C.1, and the
    authors' code, from which the initial weights N(0, 0.02^2) and the epsilon of the
    normalisation come. The leaky ReLU's slope is the paper's 0.1; the code has 0.01.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tf_disentangle import checks
from tf_disentangle.networks import blocks


def infogan_pair(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 1024,
    dtype: str = "float32",
) -> tuple[keras.Model, keras.Model]:
    """Builds a recognition network and a critic on one trunk.

    The layers are 4 x 4 convolutions of stride 2 and dense layers with leaky ReLU of
    slope 0.1; all but the first and the heads are normalised over the batch.

    Args:
        image_shape: (H, W, C), with sides that are multiples of 4.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of the trunk's dense layer, at least 1.
        dtype: "float32" or "mixed_bfloat16".

    Returns:
        Two built Keras models that share the trunk's layers: images [B, H, W, C] in
        [0, 1] -> parameters float32 [B, num_outputs], and -> logits float32 [B, 1].
    """
    blocks.check_network(num_outputs, "num_outputs", width, dtype, seed)
    blocks.smallest_map(image_shape, num_layers=2)
    stack = blocks.LayerStack(
        seed, dtype, "leaky_relu", "dcgan", batch_norm=True, slope=0.1
    )
    images = keras.Input(checks.image_shape(image_shape), name="images")
    h = stack.conv(images, 64, "conv_1", normalize=False)
    h = stack.conv(h, 128, "conv_2")
    h = keras.layers.Flatten(data_format="channels_last", dtype=dtype)(h)
    trunk = stack.dense(h, width, "dense_1")
    critic = keras.Model(
        images, stack.heads(trunk, 1, name="head_critic"), name="infogan_critic"
    )
    h = stack.dense(trunk, 128, "dense_2")
    outputs = stack.heads(h, num_outputs)
    return keras.Model(images, outputs, name="infogan_encoder"), critic


def infogan_encoder(
    image_shape: Sequence[int],
    num_outputs: int,
    *,
    seed: int,
    width: int = 1024,
    dtype: str = "float32",
) -> keras.Model:
    """Builds the recognition network of `infogan_pair`, with a trunk of its own.

    Args:
        image_shape: (H, W, C), as for `infogan_pair`.
        num_outputs: Numbers per image that the latent space asks for, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        dtype: "float32" or "mixed_bfloat16".
    """
    pair = infogan_pair(image_shape, num_outputs, seed=seed, width=width, dtype=dtype)
    return pair[0]


def infogan_critic(
    image_shape: Sequence[int],
    num_outputs: int = 1,
    *,
    seed: int,
    width: int = 1024,
    dtype: str = "float32",
) -> keras.Model:
    """Builds the critic of `infogan_pair`, with a trunk of its own.

    Args:
        image_shape: (H, W, C), as for `infogan_pair`.
        num_outputs: Always 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of the hidden dense layer, at least 1.
        dtype: "float32" or "mixed_bfloat16".
    """
    checks.require(num_outputs == 1, "num_outputs", "be 1 for a critic", num_outputs)
    return infogan_pair(image_shape, 1, seed=seed, width=width, dtype=dtype)[1]
