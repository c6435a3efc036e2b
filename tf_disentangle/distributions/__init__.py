"""Distributions, divergences and likelihoods that TFP lacks."""

from tf_disentangle import determinism
from tf_disentangle.distributions.aggregate_posterior import (
    ESTIMATORS,
    log_aggregate_posterior,
)
from tf_disentangle.distributions.divergences import kl_or_monte_carlo
from tf_disentangle.distributions.gaussian_inverse_wishart import (
    MeanFieldGaussian,
    expected_gaussian_kl,
    marginal_student_t,
)
from tf_disentangle.distributions.inverse_gamma import expected_product_normal_kl
from tf_disentangle.distributions.inverse_wishart import InverseWishart
from tf_disentangle.distributions.inverse_wishart_bijector import SPDInversion
from tf_disentangle.distributions.likelihoods import (
    Bernoulli,
    Laplace,
    Likelihood,
    Normal,
)
from tf_disentangle.distributions.mmd import mmd_per_dimension
from tf_disentangle.distributions.relaxed_categorical import RelaxedCategorical

determinism.run_operations_in_turn()

#: Adding a likelihood is one entry here.
LIKELIHOODS = {"Bernoulli": Bernoulli, "Laplace": Laplace, "Normal": Normal}

__all__ = [
    "ESTIMATORS",
    "LIKELIHOODS",
    "Bernoulli",
    "InverseWishart",
    "Laplace",
    "Likelihood",
    "MeanFieldGaussian",
    "Normal",
    "RelaxedCategorical",
    "SPDInversion",
    "expected_gaussian_kl",
    "expected_product_normal_kl",
    "kl_or_monte_carlo",
    "log_aggregate_posterior",
    "marginal_student_t",
    "mmd_per_dimension",
]
