"""Pieces that all networks share: the arguments' checks and `LayerStack`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tf_disentangle import checks

# bfloat16 is faster on a GPU and on a CPU that computes in it (AVX512_BF16, with oneDNN
# on, TensorFlow's default). Elsewhere TensorFlow emulates it at a tenth of float32's
# speed.
DTYPES = ("float32", "mixed_bfloat16")
ACTIVATIONS = ("relu", "leaky_relu", "tanh")
#: Initial weights: Glorot's uniform, Keras's default; N(0, 0.02^2), DCGAN's; U(-b, b)
#: with b = 1/sqrt(fan in) for kernels and biases, PyTorch's default.
INITIALIZERS = ("glorot", "dcgan", "torch")

SMALLEST = 4  # height and width between the convolutions and the dense layers
HALVINGS = {128: 5, 64: 4, 32: 3}  # image side -> stride-2 layers down to SMALLEST


def initializer(
    kind: str, seed: int, layer: int, fan_in: int | None = None
) -> keras.initializers.Initializer:
    """Returns an initialiser with a seed of its own for each layer.

    Args:
        kind: One of `INITIALIZERS`.
        seed: Seed of the network, at least 0.
        layer: Position of the layer in the network, at least 0.
        fan_in: Inputs of each unit where the weights are a layer's biases; None for a
            kernel.
    """
    if fan_in is not None and kind != "torch":
        return keras.initializers.Zeros()
    key = (seed, layer) if fan_in is None else (seed, layer, 1)
    word = np.random.SeedSequence(key).generate_state(1)[0]
    word = int(word >> 1)  # fits an int32
    if fan_in is not None:
        bound = 1 / math.sqrt(fan_in)
        return keras.initializers.RandomUniform(-bound, bound, seed=word)
    if kind == "dcgan":
        return keras.initializers.RandomNormal(0.0, 0.02, seed=word)
    if kind == "torch":
        return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=word)
    return keras.initializers.GlorotUniform(seed=word)


def check_network(size: Any, argument: str, width: Any, dtype: Any, seed: Any) -> None:
    """Checks the arguments that every network takes; `argument` names `size`."""
    checks.integer(size, argument, at_least=1)
    checks.integer(width, "width", at_least=1)
    checks.one_of(dtype, DTYPES, "dtype")
    checks.integer(seed, "seed", at_least=0)


@dataclasses.dataclass
class LayerStack:
    """Adds layers one after the other, each with initial weights of its own.

    Attributes:
        seed: Seed of the network.
        dtype: Type of every layer except the heads, one of `DTYPES`.
        activation: Activation of every layer that is not called linear.
        initializer: One of `INITIALIZERS`.
        use_bias: Whether layers have biases; heads always do.
        batch_norm: Whether activated layers are normalised over the batch, between the
            layer and its activation (momentum 0.9 and epsilon 1e-5, as in DCGAN's code
            and PyTorch).
        slope: Slope of "leaky_relu".
        count: How many layers with weights there are so far.
    """

    seed: int
    dtype: str = "float32"
    activation: str = "relu"
    initializer: str = "glorot"
    use_bias: bool = True
    batch_norm: bool = False
    slope: float = 0.2
    count: int = 0

    def __post_init__(self) -> None:
        """Checks the settings that callers choose."""
        checks.one_of(self.activation, ACTIVATIONS, "activation")
        checks.one_of(self.initializer, INITIALIZERS, "initializer")
        checks.require_type(self.batch_norm, bool, "batch_norm")

    def dense(
        self, h: keras.KerasTensor, units: int, name: str, linear: bool = False
    ) -> keras.KerasTensor:
        """Applies a dense layer to h [B, n]."""
        layer = {"units": units, "name": name}
        return self._add(keras.layers.Dense, h, layer, h.shape[-1], linear)

    def dense_layers(
        self, h: keras.KerasTensor, num_layers: Any, width: int
    ) -> keras.KerasTensor:
        """Applies `num_layers` dense layers of `width` units to h [B, n]."""
        for i in range(checks.integer(num_layers, "num_layers", at_least=0)):
            h = self.dense(h, width, f"dense_{i + 1}")
        return h

    def conv(
        self,
        h: keras.KerasTensor,
        filters: int,
        name: str,
        kernel: int = 4,
        *,
        linear: bool = False,
        transpose: bool = False,
        normalize: bool = True,
        to_one: bool = False,
    ) -> keras.KerasTensor:
        """Applies a convolution of stride 2 to h [B, H, W, C].

        Args:
            h: What it is applied to.
            filters: Channels of the result.
            name: Name of the layer.
            kernel: Height and width of the kernel.
            linear: Whether there is neither normalisation nor activation.
            transpose: Whether it is transposed, so that it doubles H and W.
            normalize: Whether `batch_norm` applies here.
            to_one: Whether stride 1 without padding reduces `kernel` x `kernel` to
                1 x 1 or, if transposed, does the reverse.
        """
        layer = {
            "filters": filters,
            "kernel_size": kernel,
            "strides": 1 if to_one else 2,
            "padding": "valid" if to_one else "same",
            "data_format": "channels_last",
            "name": name,
        }
        kind = keras.layers.Conv2DTranspose if transpose else keras.layers.Conv2D
        # PyTorch counts the outputs as the fan in of a transposed convolution.
        fan_in = kernel**2 * (filters if transpose else h.shape[-1])
        return self._add(kind, h, layer, fan_in, linear, normalize)

    def logits(
        self, h: keras.KerasTensor, image_shape: Sequence[int], kernel: int = 4
    ) -> keras.KerasTensor:
        """Applies the last transposed convolution of a decoder, cast to float32."""
        channels = checks.image_shape(image_shape)[2]
        h = self.conv(h, channels, "logits", kernel, transpose=True, linear=True)
        return keras.layers.Activation("linear", dtype="float32", name="float32")(h)

    def heads(
        self,
        h: keras.KerasTensor,
        num_outputs: int,
        heads: Sequence[int] | None = None,
        name: str = "head",
    ) -> keras.KerasTensor:
        """Applies one linear layer in float32 to h [B, n], or one for each of `heads`.

        Raises:
            ArgumentError: If `heads` does not add up to `num_outputs`.
        """
        sizes = (num_outputs,) if heads is None else sizes_of(heads, "heads")
        rule = f"add up to the {num_outputs} numbers that the latents ask for"
        remedy = "Leave it None for a single head."
        checks.require(sum(sizes) == num_outputs, "heads", rule, sizes, remedy)
        last = dataclasses.replace(self, dtype="float32", use_bias=True)
        parts = []
        for i, size in enumerate(sizes):
            of_part = name if len(sizes) == 1 else f"{name}_{i + 1}"
            parts.append(last.dense(h, size, of_part, linear=True))
        self.count = last.count
        if len(parts) == 1:
            return parts[0]
        return keras.layers.Concatenate(dtype="float32", name=name)(parts)

    def _add(
        self,
        layer: type[keras.layers.Layer],
        h: keras.KerasTensor,
        options: dict[str, Any],
        fan_in: int,
        linear: bool,
        normalize: bool = True,
    ) -> keras.KerasTensor:
        """Applies a layer, then normalisation and activation as the stack has them."""
        normalize &= self.batch_norm and not linear
        leaky = self.activation == "leaky_relu" and self.slope != 0.2  # not Keras's own
        fused = None if linear or normalize or leaky else self.activation
        kernel = initializer(self.initializer, self.seed, self.count)
        bias = initializer(self.initializer, self.seed, self.count, fan_in)
        h = layer(
            **options,
            activation=fused,
            use_bias=self.use_bias,
            kernel_initializer=kernel,
            bias_initializer=bias,
            dtype=self.dtype,
        )(h)
        self.count += 1
        if normalize:
            h = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, dtype=self.dtype
            )(h)
        if linear or fused:
            return h
        if leaky:
            return keras.layers.LeakyReLU(self.slope, dtype=self.dtype)(h)
        return keras.layers.Activation(self.activation, dtype=self.dtype)(h)


def sizes_of(sizes: Any, argument: str) -> tuple[int, ...]:
    """Returns `sizes` as a tuple of integers, each at least 1."""
    checks.require_type(sizes, (list, tuple), argument, "Put them in a list: [...]")
    checks.require(len(sizes), argument, "have at least one number", sizes)
    return tuple(checks.integer(s, f"each of {argument}", at_least=1) for s in sizes)


def kernels_of(kernels: Any, num_layers: int) -> tuple[int, ...]:
    """Returns the kernel's side of each of `num_layers` convolutions."""
    if not isinstance(kernels, list | tuple):
        return (checks.integer(kernels, "kernels", at_least=1),) * num_layers
    kernels = sizes_of(kernels, "kernels")
    rule = f"have one side for each of the {num_layers} convolutions"
    checks.require(len(kernels) == num_layers, "kernels", rule, kernels)
    return kernels


def num_halvings(image_shape: Any) -> int:
    """Returns how many stride-2 layers lie between `image_shape` and 4 x 4.

    Raises:
        ArgumentError: If the images are not square with one of these sides.
    """
    height, width, channels = checks.image_shape(image_shape)
    if height in (1, 3) and width == channels and width in HALVINGS:
        remedy = f"Write {(width, channels, height)}: images have their channels last."
        rule = "be (height, width, channels)"
        checks.require(False, "image_shape", rule, tuple(image_shape), remedy)
    checks.require(
        height == width and height in HALVINGS,
        "image_shape",
        "have height and width 128 x 128, 64 x 64 or 32 x 32",
        tuple(image_shape),
        "Resize or pad the images to one of these sizes (`size` of ImageFolder and "
        "ImageFile does), or give the channels of each layer. "
        + checks.see("your_images"),
    )
    return HALVINGS[height]


def smallest_map(image_shape: Any, num_layers: int) -> tuple[int, int]:
    """Returns height and width after `num_layers` layers of stride 2.

    Raises:
        ArgumentError: If `image_shape` cannot be halved that many times.
    """
    height, width, _ = checks.image_shape(image_shape)
    parts = 2**num_layers
    checks.require(
        height % parts == 0 and width % parts == 0,
        "image_shape",
        f"have sides that {parts} divides, for {num_layers} layers of stride 2",
        tuple(image_shape),
        "Pass fewer channels, or resize the images.",
    )
    return height // parts, width // parts
