"""Named protocols: the choices that make two metrics of one name comparable.

A protocol is data, a frozen record of every number that the definition leaves open.
Scores of different protocols are not interchangeable, so each result carries the name.
`docs/protocols.md` says what each protocol follows, and where it departs from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import numpy as np

from tf_disentangle.checks import integer, one_of, real, require_type


@dataclasses.dataclass(frozen=True)
class FactorVAEProtocol:
    """The open choices of the FactorVAE score.

    Attributes:
        name: What the result reports as its protocol.
        batch_size: Images per vote, at least 2.
        num_variance_samples: Images from which the global variance is computed, at
            least 2.
        num_train_votes: Votes to which the majority classifier is fitted, at least 1.
        num_test_votes: Fresh votes that score it, at least 1.
        prune_threshold: Latents whose standard deviation over the variance samples is
            below it never win a vote; 0 prunes constant latents only.
        verbatim: Whether to follow the reference code for factors with one value (they
            are drawn), constant latents (0 does not prune them, and they win every
            vote) and the number of active latents (all of them count).
        same_votes: Whether the training votes are also the test votes, so that no
            others are drawn.
        student_t_df: Degrees of freedom of the prior, a product of Student-t
            distributions; codes are first mapped to N(0, 1) by Phi^-1(F_t(z)). None
            maps nothing.
    """

    name: str
    batch_size: int
    num_variance_samples: int
    num_train_votes: int
    num_test_votes: int
    prune_threshold: float
    verbatim: bool = False
    same_votes: bool = False
    student_t_df: float | None = None

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_variance_samples"):
            remedy = "A variance needs two images."
            integer(getattr(self, name), name, at_least=2, remedy=remedy)
        for name in ("num_train_votes", "num_test_votes"):
            integer(getattr(self, name), name, at_least=1)
        real(self.prune_threshold, "prune_threshold", at_least=0.0)
        if self.student_t_df is not None:
            real(self.student_t_df, "student_t_df", above=0.0)


FACTOR_VAE_PROTOCOLS: dict[str, FactorVAEProtocol] = {
    protocol.name: protocol
    for protocol in (
        # The study of Locatello et al. (2019).
        FactorVAEProtocol("dlib", 64, 10_000, 10_000, 5_000, 0.05),
        FactorVAEProtocol("dlib-verbatim", 64, 10_000, 10_000, 5_000, 0.05, True),
        # The authors' code of CHyVAE, Ansari and Soh (2019).
        FactorVAEProtocol("chyvae", 200, 5_000, 800, 800, 0.0),
        FactorVAEProtocol("chyvae-verbatim", 200, 5_000, 800, 800, 0.0, True),
        # The authors' code of Mathieu et al. (2019), whose deviations are of all data.
        FactorVAEProtocol(
            "decomposition", 1_000, 100_000, 20_000, 20_000, 0.0, same_votes=True
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class BetaVAEProtocol:
    """The open choices of the BetaVAE score.

    Attributes:
        name: What the result reports as its protocol.
        solvers: The version whose default solver is used, as in `ArrayProtocol`.
        batch_size: Pairs of images per vote, at least 1.
        num_train_votes: Votes to which the classifier is fitted, at least 1.
        num_test_votes: Fresh votes that score it, at least 1.
        scale_codes: Whether differences are divided by each latent's standard
            deviation before the classifier sees them.
        verbatim: Whether factors with one value are drawn, as in the study's code.
    """

    name: str
    solvers: Literal["sklearn-0.20", "sklearn-1.9"]
    batch_size: int = 64
    num_train_votes: int = 10_000
    num_test_votes: int = 5_000
    scale_codes: bool = False
    verbatim: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "num_train_votes", "num_test_votes"):
            integer(getattr(self, name), name, at_least=1)
        require_type(self.scale_codes, bool, "scale_codes")


BETA_VAE_PROTOCOLS: dict[str, BetaVAEProtocol] = {
    protocol.name: protocol
    for protocol in (
        BetaVAEProtocol("dlib", "sklearn-0.20"),
        BetaVAEProtocol("dlib-sklearn1.9", "sklearn-1.9"),
        BetaVAEProtocol("dlib-verbatim", "sklearn-0.20", verbatim=True),
        BetaVAEProtocol("dlib-sklearn1.9-verbatim", "sklearn-1.9", verbatim=True),
    )
}


@dataclasses.dataclass(frozen=True)
class ArrayProtocol:
    """The open choices of the metrics that take codes and factors as arrays.

    Attributes:
        name: What the result reports as its protocol.
        solvers: The version whose default solvers are used: "sklearn-0.20", with which
            the study of Locatello et al. (2019) ran, or "sklearn-1.9".
        verbatim: Whether degenerate input is treated as the study's code treats it,
            with its NaN, its errors and its inflated scores.
        num_bins: Bins of equal width per continuous column, at least 1.
        diff_quantile: Quantile used as the largest deviation (IRS), in [0, 1].
        continuous_factors: Whether factors are quantities (SAP), not labels.
        categorical: How categorical columns were treated; "" without any.
    """

    name: str
    solvers: Literal["sklearn-0.20", "sklearn-1.9"]
    verbatim: bool = False
    num_bins: int = 20
    diff_quantile: float = 0.99
    continuous_factors: bool = False
    categorical: str = ""

    def __post_init__(self) -> None:
        integer(self.num_bins, "num_bins", at_least=1)
        real(self.diff_quantile, "diff_quantile", at_least=0.0, at_most=1.0)


ARRAY_PROTOCOLS: dict[str, ArrayProtocol] = {
    protocol.name: protocol
    for protocol in (
        ArrayProtocol("dlib", "sklearn-0.20"),
        ArrayProtocol("dlib-sklearn1.9", "sklearn-1.9"),
        ArrayProtocol("dlib-verbatim", "sklearn-0.20", verbatim=True),
        ArrayProtocol("dlib-sklearn1.9-verbatim", "sklearn-1.9", verbatim=True),
    )
}

_Protocol = TypeVar("_Protocol")


def array_protocol(
    name: str, rule: str, categorical: np.ndarray, **overrides: Any
) -> ArrayProtocol:
    """Returns the protocol `name` of `ARRAY_PROTOCOLS` with overrides.

    Args:
        name: A key of the table.
        rule: How the metric treats categorical columns; written into the protocol's
            name if there is one.
        categorical: bool [L], the categorical columns.
        **overrides: As in `named_protocol`.

    Raises:
        ArgumentError: As `named_protocol`.
    """
    used = rule if np.any(categorical) else None
    return named_protocol(ARRAY_PROTOCOLS, name, categorical=used, **overrides)


def named_protocol(
    protocols: Mapping[str, _Protocol], name: str, **overrides: Any
) -> _Protocol:
    """Returns the protocol `name` with the overrides that are not None.

    An override that changes a value is written into the name, such as
    "dlib, batch_size=32", so that no changed score passes for the published one.

    Args:
        protocols: The metric's table.
        name: A key of the table.
        **overrides: Fields of the protocol; None keeps the protocol's own value.

    Raises:
        ArgumentError: If the name is unknown or a value breaks its field's rule.
    """
    protocol: Any = protocols[one_of(name, list(protocols), "protocol")]
    changed = {
        field: value
        for field, value in overrides.items()
        if value is not None and value != getattr(protocol, field)
    }
    full_name = ", ".join([name, *(f"{f}={v}" for f, v in changed.items())])
    return dataclasses.replace(protocol, name=full_name, **changed)
