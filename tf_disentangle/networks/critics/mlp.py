"""The perceptron that tells codes from permuted codes."""

from __future__ import annotations

import keras

from tf_disentangle.networks import blocks


def mlp_critic(
    num_inputs: int,
    *,
    seed: int,
    width: int = 1000,
    num_layers: int = 6,
    dtype: str = "float32",
) -> keras.Model:
    """Builds codes [B, num_inputs] -> logits float32 [B, 1].

    `num_layers` dense layers of `width` units with leaky ReLU of slope 0.2 and a linear
    head, which computes in float32 under either `dtype`.

    Args:
        num_inputs: Numbers in a sampled code, at least 1.
        seed: Seed of the initial weights, at least 0.
        width: Units of each hidden layer, at least 1.
        num_layers: Number of hidden layers, at least 0; with 0 the map is affine.
        dtype: "float32" or "mixed_bfloat16" (float32 weights, bfloat16 arithmetic).

    Returns:
        A built Keras model.

    Raises:
        ArgumentError: If an argument breaks its rule.
        ArgumentTypeError: If an argument has another type.

    References:
        Kim and Mnih, Disentangling by Factorising (2018): 6 layers of 1,000 units; the
        activation is in the appendix of the last version alone.
    """
    blocks.check_network(num_inputs, "num_inputs", width, dtype, seed)
    codes = keras.Input((num_inputs,), name="codes")
    stack = blocks.LayerStack(seed, dtype, "leaky_relu")
    h = stack.dense_layers(codes, num_layers, width)
    return keras.Model(codes, stack.heads(h, 1), name="mlp_critic")
