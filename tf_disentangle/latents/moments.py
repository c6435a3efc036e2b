"""The moments of q(z|x), computed from encoder outputs by plain operations.

Exported graphs hold these instead of TFP's distributions: every runtime that reads
TensorFlow's graphs knows multiplication, softplus and softmax, while ONNX Runtime,
OpenVINO or LiteRT lack the Cholesky factorisation and the broadcasts of TFP.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Moments:
    """The moments of q(z|x) for B images; M of the L latents are continuous.

    Attributes:
        mean: The mean of the continuous latents, [B, M]; None if there are none.
        stddev: Their standard deviations, [B, M]; None likewise.
        covariance: Their covariance, [B, M, M]; None where it is diagonal.
        codes: The deterministic code [B, L]; None where it is the mean.
        probabilities: Those of each categorical latent, [B, n], by its name.
    """

    mean: tf.Tensor | None = None
    stddev: tf.Tensor | None = None
    covariance: tf.Tensor | None = None
    codes: tf.Tensor | None = None
    probabilities: Mapping[str, tf.Tensor] = dataclasses.field(default_factory=dict)

    @property
    def code(self) -> tf.Tensor:
        """The deterministic code, [B, L]."""
        return self.mean if self.codes is None else self.codes

    def named(self) -> dict[str, tf.Tensor]:
        """Returns the moments that there are; probabilities as `probabilities_NAME`."""
        tensors = {
            "mean": self.mean,
            "stddev": self.stddev,
            "covariance": self.covariance,
            "codes": self.codes,
        }
        of_each = {f"probabilities_{n}": p for n, p in self.probabilities.items()}
        return {n: t for n, t in tensors.items() if t is not None} | of_each
