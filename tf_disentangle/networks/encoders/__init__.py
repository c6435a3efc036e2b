"""Encoders: images in [0, 1] -> parameters of the posterior."""

from tf_disentangle.networks.encoders.conv import conv_encoder
from tf_disentangle.networks.encoders.mlp import mlp_encoder

__all__ = ["conv_encoder", "mlp_encoder"]
