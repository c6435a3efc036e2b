"""Mixtures of normals as priors: clusters, and sparsity.

    clusters: p(z) = sum_k w_k N(z | m_k, diag(v_k))
    sparse:   p(z) = prod_i gamma N(z_i | 0, spike^2) + (1 - gamma) N(z_i | 0, slab^2)

The first has structure over all latents jointly, the second over each separately: z_i
is either nearly off (the spike) or active (the slab).

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments; numbers from its authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks
from tf_disentangle.priors.base import Prior, float_array

tfd = tfp.distributions


class NormalMixturePrior(Prior):
    """p(z) = sum_k w_k N(z | m_k, diag(v_k)); one sample estimates the KL.

    Args:
        locs: The K means, [K][L].
        variances: Variances of the components: one number, or [K][L], greater than 0.
        weights: w, [K], positive with sum 1; None means equal weights.
    """

    label = "z ~ mixture of normals"

    def __init__(
        self,
        locs: Sequence[Sequence[float]],
        variances: float | Sequence[Sequence[float]] = 1.0,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        rule = "be a table of numbers [K][L], a row for each component"
        self.locs = float_array(locs, 2, "locs", rule)
        rule = f"be one positive number, or positive and of shape {self.locs.shape}"
        # A list's rows may differ in length, in which case it has no shape.
        ndim = 2 if isinstance(variances, list | tuple) else np.ndim(variances)
        self.variances = float_array(variances, ndim, "variances", rule)
        fits = ndim == 0 or self.variances.shape == self.locs.shape
        positive = (self.variances > 0).all()
        checks.require(fits and positive, "variances", rule, variances)
        self.scales = np.broadcast_to(np.sqrt(self.variances), self.locs.shape)
        self._shares = _mixture_weights(weights, len(self.locs))
        self._weights = None if weights is None else [float(w) for w in weights]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as JSON holds them."""
        # `weights` is an attribute of every Keras layer.
        return {**super().get_config(), "weights": self._weights}

    def build(self, input_shape: tuple) -> None:
        """Checks the means against the number of latents."""
        super().build(input_shape)
        size, count = self.num_latents, self.locs.shape[1]
        rule = f"have {size} numbers for each component, one for each latent"
        checks.require(count == size, "locs", rule, count)

    def distribution(self) -> tfd.Distribution:
        """Returns the mixture, event shape [L]."""
        return tfd.MixtureSameFamily(
            tfd.Categorical(probs=_float32(self._shares)),
            tfd.MultivariateNormalDiag(_float32(self.locs), _float32(self.scales)),
        )

    def marginals(self) -> tfd.Distribution:
        """Returns p(z_i), mixtures of K univariate normals."""
        weights = np.tile(self._shares, (self.num_latents, 1))
        return tfd.MixtureSameFamily(
            tfd.Categorical(probs=_float32(weights)),
            tfd.Normal(_float32(self.locs.T), _float32(self.scales.T)),
        )


class SparsePrior(Prior):
    """p(z): each latent is off with probability gamma; one sample estimates the KL.

    Args:
        gamma: Weight of the spike, in [0, 1]; 0 is N(0, slab^2 I).
        spike: Standard deviation of a latent that is off, greater than 0.
        slab: Standard deviation of a latent that is active, greater than the spike's.
    """

    def __init__(
        self, gamma: float = 0.8, spike: float = 0.05, slab: float = 1.0
    ) -> None:
        super().__init__()
        self.gamma = checks.real(gamma, "gamma", at_least=0.0, at_most=1.0)
        self.spike = checks.real(spike, "spike", above=0.0)
        self.slab = checks.real(slab, "slab", above=self.spike)
        self.label = f"z_i ~ sparse, gamma = {self.gamma:g}"

    def marginals(self) -> tfd.Distribution:
        """Returns L equal mixtures of spike and slab."""
        shape = (self.num_latents, 2)
        weights = np.broadcast_to([self.gamma, 1 - self.gamma], shape)
        scales = np.broadcast_to([self.spike, self.slab], shape)
        return tfd.MixtureSameFamily(
            tfd.Categorical(probs=_float32(weights)),
            tfd.Normal(tf.zeros(shape), _float32(scales)),
        )


def _float32(values: np.ndarray) -> tf.Tensor:
    return tf.constant(values, tf.float32)


def _mixture_weights(weights: Sequence[float] | None, count: int) -> np.ndarray:
    """Returns K positive weights whose sum is 1."""
    if weights is None:
        return np.full(count, 1 / count)
    rule = f"be {count} positive numbers, one for each component, whose sum is 1"
    array = float_array(weights, 1, "weights", rule)
    good = len(array) == count and (array > 0).all()
    checks.require(good and np.isclose(array.sum(), 1), "weights", rule, weights)
    return array / array.sum()
