"""Critics: samples -> logits."""

from tf_disentangle.networks.critics.mlp import mlp_critic

__all__ = ["mlp_critic"]
