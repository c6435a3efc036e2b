"""Networks: tensors in, tensors out, no probability.

Flow: datasets -> **encoders** -> latents -> **decoders** -> objectives -> models.
**Critics** are trained alongside them, for objectives that need one.
A network of your own is a function with the same arguments that returns a Keras model;
adding it to the library is one entry in a table below.

Every network has initial weights that follow from its `seed` alone, has float32 weights
under either `dtype` ("mixed_bfloat16" computes in bfloat16), and raises `ArgumentError`
or `ArgumentTypeError` for an argument that breaks its rule.
"""

from tf_disentangle import determinism
from tf_disentangle.networks.conv import (
    conv_decoder,
    conv_encoder,
    dcgan_decoder,
    dcgan_encoder,
)
from tf_disentangle.networks.infogan import (
    infogan_critic,
    infogan_encoder,
    infogan_pair,
)
from tf_disentangle.networks.mlp import mlp_critic, mlp_decoder, mlp_encoder

determinism.run_operations_in_turn()

#: (image_shape, num_outputs, *, seed, width, dtype) -> keras.Model
ENCODERS = {
    "conv_encoder": conv_encoder,
    "dcgan_encoder": dcgan_encoder,
    "infogan_critic": infogan_critic,  # of images, so called as an encoder is
    "infogan_encoder": infogan_encoder,
    "mlp_encoder": mlp_encoder,
}

#: As encoders, -> (recognition network, critic) on one trunk, for InfoGAN.
ENCODER_PAIRS = {"infogan_pair": infogan_pair}

#: (num_latents, image_shape, *, seed, width, dtype) -> keras.Model
DECODERS = {
    "conv_decoder": conv_decoder,
    "dcgan_decoder": dcgan_decoder,
    "mlp_decoder": mlp_decoder,
}

#: (num_inputs, *, seed, width, dtype) -> keras.Model
CRITICS = {"mlp_critic": mlp_critic}

__all__ = [
    "CRITICS",
    "DECODERS",
    "ENCODERS",
    "ENCODER_PAIRS",
    "conv_decoder",
    "conv_encoder",
    "dcgan_decoder",
    "dcgan_encoder",
    "infogan_critic",
    "infogan_encoder",
    "infogan_pair",
    "mlp_critic",
    "mlp_decoder",
    "mlp_encoder",
]


def __dir__() -> list[str]:
    """Lists the public names, without the modules that define them."""
    return sorted(__all__)
