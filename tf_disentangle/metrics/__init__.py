"""Metrics of disentanglement: numpy in, a frozen record out, never TensorFlow.

A sampling metric takes a `Dataset` and a callable `represent(images) -> codes`; the
choices that change its value stand in a named protocol (`docs/protocols.md`), and the
name is part of the result.

To add a metric: its file, its test, and one entry in `METRICS`. The closure test in
`tests/contracts/test_metrics.py` then asks for the metric's properties.
"""

from collections.abc import Callable
from typing import Any

from tf_disentangle.metrics.supervised.factor_vae import (
    FactorVAEScore,
    factor_vae_score,
)

#: Every metric by the name that configuration and records use.
METRICS: dict[str, Callable[..., Any]] = {
    "factor_vae_score": factor_vae_score,
}

__all__ = ["METRICS", "FactorVAEScore", "factor_vae_score"]
