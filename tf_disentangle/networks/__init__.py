"""Networks: tensors in, tensors out, no probability.

Flow: datasets -> **encoders** -> latents -> **decoders** -> objectives -> models.
A network of your own is a function with the same arguments that returns a Keras model;
adding it to the library is one entry in a table below.
"""

from tf_disentangle.networks.decoders import conv_decoder, mlp_decoder
from tf_disentangle.networks.encoders import conv_encoder, mlp_encoder

#: (image_shape, num_outputs, *, seed, width, dtype) -> keras.Model
ENCODERS = {"conv_encoder": conv_encoder, "mlp_encoder": mlp_encoder}

#: (num_latents, image_shape, *, seed, width, dtype) -> keras.Model
DECODERS = {"conv_decoder": conv_decoder, "mlp_decoder": mlp_decoder}

__all__ = [
    "DECODERS",
    "ENCODERS",
    "conv_decoder",
    "conv_encoder",
    "mlp_decoder",
    "mlp_encoder",
]
