"""beta-TCVAE: the three parts of the KL, each with a weight of its own.

    L = E_q(z|x)[log p(x|z)]
        - alpha I(x; z)
        - beta  KL(q(z) || prod_j q(z_j))
        - gamma sum_j KL(q(z_j) || p(z_j))
    E_x KL(q(z|x) || p(z)) = the sum of the three, if p(z) is a product

(equation 4; index-code mutual information, total correlation, dimension-wise KL.) Each
is an expectation over the aggregate posterior q(z) = 1/N sum_n q(z|x_n), estimated at
the batch's samples; `distributions/aggregate_posterior.py` has the two estimators of
log q(z) and of log q(z_j). Where p(z) is no product, the third part is
E_q(z)[sum_j log q(z_j) - log p(z)], so that the three always sum to the KL.

Whatever the estimator, with equal weights log q(z) and log q(z_j) cancel: with all
three 1 the objective is the ELBO, its KL estimated at the sample.

References:
    Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders",
    NeurIPS 2018, arXiv:1802.04942.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import ESTIMATORS, Likelihood, log_aggregate_posterior
from tf_disentangle.objectives.objective import Objective
from tf_disentangle.objectives.terms import BatchPenalty, Inference, WeightedKL


def mutual_information(
    inference: Inference, estimator: str = "stratified"
) -> tf.Tensor:
    """Returns log q(z|x) - log q(z), [B]: I(x; z) on average, at most log N nats."""
    conditional = inference.posterior.log_prob(inference.sample)
    return conditional - _log_joint(inference, estimator)


def total_correlation(inference: Inference, estimator: str = "stratified") -> tf.Tensor:
    """Returns log q(z) - sum_j log q(z_j), [B]: the total correlation on average."""
    return _log_joint(inference, estimator) - _log_product(inference, estimator)


def dimension_kl(inference: Inference, estimator: str = "stratified") -> tf.Tensor:
    """Returns sum_j log q(z_j) - log p(z), [B]: the dimension-wise KL on average."""
    prior = inference.latents.prior.distribution()
    return _log_product(inference, estimator) - prior.log_prob(inference.sample)


def _log_joint(inference: Inference, estimator: str) -> tf.Tensor:
    """Returns log q(z), [B]."""
    log_prob, examples = inference.posterior.log_prob, inference.require_num_examples()
    return log_aggregate_posterior(log_prob, inference.sample, examples, estimator)


def _log_product(inference: Inference, estimator: str) -> tf.Tensor:
    """Returns sum_j log q(z_j), [B]."""
    log_prob = inference.posterior.marginal_log_prob
    examples = inference.require_num_examples()
    logs = log_aggregate_posterior(log_prob, inference.sample, examples, estimator)
    return tf.reduce_sum(logs, axis=-1)


@dataclasses.dataclass(frozen=True)
class _Part(BatchPenalty):
    """A weighted part of the KL, [B].

    Attributes:
        weight: At least 0.
        estimator: Estimator of log q(z), "stratified" or "weighted".
        name: Name of the term in the rows of a run.
    """

    _estimate: ClassVar[Any]  # (inference, estimator) -> [B]

    weight: float = 1.0
    estimator: str = "stratified"

    def __post_init__(self) -> None:
        checks.real(self.weight, "weight", at_least=0.0)
        checks.one_of(self.estimator, ESTIMATORS, "estimator")

    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns the weighted estimate, [B]."""
        return self.weight * self._estimate(inference, self.estimator)


@dataclasses.dataclass(frozen=True)
class MutualInformation(_Part):
    """weight I(x; z), the index-code mutual information."""

    name: str = "weighted_mutual_information"
    _estimate = staticmethod(mutual_information)


@dataclasses.dataclass(frozen=True)
class TotalCorrelation(_Part):
    """weight KL(q(z) || prod_j q(z_j)); needs no critic."""

    name: str = "weighted_total_correlation"
    _estimate = staticmethod(total_correlation)


@dataclasses.dataclass(frozen=True)
class DimensionKL(_Part):
    """weight sum_j KL(q(z_j) || p(z_j))."""

    name: str = "weighted_dimension_kl"
    _estimate = staticmethod(dimension_kl)


def beta_tcvae(
    beta: float = 6.0,
    alpha: float = 1.0,
    gamma: float = 1.0,
    estimator: str = "stratified",
    likelihood: Likelihood | None = None,
) -> Objective:
    """Returns beta-TCVAE's objective (Chen et al., 2018).

    The KL itself has weight 0; the three parts replace it. They share log q(z) and
    log q(z_j), which the compiled step computes once.

    Args:
        beta: Weight of the total correlation, at least 0.
        alpha: Weight of I(x; z), at least 0.
        gamma: Weight of the dimension-wise KL, at least 0.
        estimator: The estimator of log q(z): "stratified"; or "weighted", as in the
            paper's experiments, which gives the parts an offset.
        likelihood: p(x|z); None means Bernoulli on logits.
    """
    for value, name in ((beta, "beta"), (alpha, "alpha"), (gamma, "gamma")):
        checks.real(value, name, at_least=0.0)
    parts = (
        MutualInformation(alpha, estimator),
        TotalCorrelation(beta, estimator),
        DimensionKL(gamma, estimator),
    )
    return Objective("beta_tcvae", likelihood, WeightedKL(0.0), parts)
