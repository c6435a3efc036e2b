"""Encoders: images in [0, 1] -> parameters of the posterior."""

from tf_disentangle.networks.encoders.conv import conv_encoder, dcgan_encoder
from tf_disentangle.networks.encoders.infogan import (
    infogan_critic,
    infogan_encoder,
    infogan_pair,
)
from tf_disentangle.networks.encoders.mlp import mlp_encoder

__all__ = [
    "conv_encoder",
    "dcgan_encoder",
    "infogan_critic",
    "infogan_encoder",
    "infogan_pair",
    "mlp_encoder",
]
