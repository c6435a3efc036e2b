"""Decoders: latents -> logits of the image."""

from tf_disentangle.networks.decoders.conv import conv_decoder, dcgan_decoder
from tf_disentangle.networks.decoders.mlp import mlp_decoder

__all__ = ["conv_decoder", "dcgan_decoder", "mlp_decoder"]
