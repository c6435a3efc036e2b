"""The one type of all objectives: likelihood + KL term + penalties.

    loss = mean_B[ -log p(x|z) ] + mean_B[ kl_term ] + sum of penalties

A paper's objective is an instance of this type, made by a factory in a file of its own,
so that any latent space, prior and penalties combine. Terms are pure functions of
tensors, in nats per image: sums over pixels and latents. Per-example terms have
shape [B]; a term that exists only for a batch (a total correlation, |mean KL - C|) is
a scalar. The mean over the batch is taken once, in `Terms.scalars`.

A penalty may also replace the KL: beta-TCVAE gives the KL weight 0 and has three
weighted parts of it instead.

Every term is recorded, so that a row of the records sums to its loss:

    loss == reconstruction + kl_term + sum of penalties
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Bernoulli, Likelihood
from tf_disentangle.objectives.terms import (
    BatchPenalty,
    Critic,
    CriticPenalty,
    Inference,
    KLTerm,
    Penalty,
    WeightedKL,
)

if TYPE_CHECKING:
    from tf_disentangle.latents import Latents

#: What `diagnostics` reports in addition to the terms, in the same rows of the records.
DIAGNOSTICS = (
    "mutual_information",
    "total_correlation",
    "dimension_kl",
    "gaussian_total_correlation",
    "critic_total_correlation",
)


class Terms(NamedTuple):
    """The terms of one batch.

    Attributes:
        log_likelihood: log p(x|z), [B].
        kl: Named parts of KL(q(z|x) || p(z)), each [B], unweighted.
        kl_term: What the objective makes of them, [B] or scalar.
        penalties: Weighted penalties by name, each [B] or scalar.
        scheduled: Values of the schedules at this step by name, scalars.
    """

    log_likelihood: tf.Tensor
    kl: Mapping[str, tf.Tensor]
    kl_term: tf.Tensor
    penalties: Mapping[str, tf.Tensor]
    scheduled: Mapping[str, tf.Tensor]

    def elbo(self) -> tf.Tensor:
        """Returns log p(x|z) - KL, [B]: the bound, whatever weights are used."""
        return self.log_likelihood - tf.add_n(list(self.kl.values()))

    def scalars(self) -> dict[str, tf.Tensor]:
        """Returns the batch means by name; "loss" is what training minimises.

        It is the sum of "reconstruction", "kl_term" and the penalties.
        """
        reconstruction = -tf.reduce_mean(self.log_likelihood)
        kl_term = tf.reduce_mean(self.kl_term)
        penalties = {k: tf.reduce_mean(v) for k, v in self.penalties.items()}
        return {
            "loss": tf.add_n([reconstruction + kl_term, *penalties.values()]),
            "elbo": tf.reduce_mean(self.elbo()),
            "reconstruction": reconstruction,
            **{name: tf.reduce_mean(part) for name, part in self.kl.items()},
            "kl_term": kl_term,
            **penalties,
            **self.scheduled,
        }


@dataclasses.dataclass(frozen=True)
class Objective:
    """Likelihood + KL term + penalties.

    Attributes:
        name: The paper's name for it.
        likelihood: p(x|z); None means Bernoulli on logits.
        kl_term: The term that is made of the KL.
        penalties: Further terms.
        requires: Names of the KL parts that the objective needs.
    """

    name: str
    likelihood: Likelihood | None = None
    kl_term: KLTerm = dataclasses.field(default_factory=WeightedKL)
    penalties: tuple[Penalty, ...] = ()
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks the parts; lists become tuples."""
        checks.require_type(self.name, str, "name")
        likelihood = Bernoulli() if self.likelihood is None else self.likelihood
        remedy = "Pass an object, such as distributions.Bernoulli()."
        checks.require_type(likelihood, Likelihood, "likelihood", remedy)
        object.__setattr__(self, "likelihood", likelihood)
        remedy = "Pass an object, such as objectives.WeightedKL(4.0)."
        checks.require_type(self.kl_term, KLTerm, "kl_term", remedy)
        for name in ("penalties", "requires"):
            value = getattr(self, name)
            checks.require_type(value, (list, tuple), name, "Put it in a list: [...]")
            object.__setattr__(self, name, tuple(value))
        remedy = "Pass objects, such as objectives.TotalCorrelation(5.0)."
        for penalty in self.penalties:
            checks.require_type(penalty, Penalty, "penalties", remedy)

    @property
    def min_batch_size(self) -> int:
        """The smallest batch for which every penalty is defined."""
        penalties = [p for p in self.penalties if isinstance(p, BatchPenalty)]
        return max([1, *(penalty.min_batch_size for penalty in penalties)])

    @property
    def critic_penalties(self) -> tuple[CriticPenalty, ...]:
        """The penalties that need a critic."""
        return tuple(p for p in self.penalties if isinstance(p, CriticPenalty))

    def check(self, latents: Latents, critic: Critic | None = None) -> None:
        """Raises `ArgumentError` if the parts cannot serve this objective.

        Args:
            latents: The latent space with its prior.
            critic: The model's critic, if it has one.
        """
        space, prior = type(latents).__name__, type(latents.prior).__name__
        checks.require(
            set(self.requires) <= set(latents.kl_names),
            "latents",
            f"have a KL with the parts {', '.join(self.requires)} for the objective "
            f"{self.name}",
            f"{prior} with {', '.join(latents.kl_names)}",
            "Take GaussianLatents with InverseWishartPrior(nu=200), or "
            f"InverseGammaPrior with any latents; or elbo with {prior}. "
            + checks.see("free_combination"),
        )
        checks.require(
            self.kl_term.uses_kl or not latents.prior.requires_kl_term,
            "objective",
            f"minimise the KL, which alone trains q(Sigma|x) of {space}",
            f"{self.name}, which does not",
            "Use chyvae, elbo or beta_vae with beta > 0; or this objective with "
            "GaussianLatents and InverseWishartPrior.",
        )
        names = self.term_names(latents)
        rule = "have different names, since each is a column of the records"
        remedy = "A penalty's name is one of its arguments."
        checks.require(len(set(names)) == len(names), "penalties", rule, names, remedy)
        taken = sorted(set(names) & set(DIAGNOSTICS))
        rule = "not have the name of a diagnostic, since validation records both"
        checks.require(not taken, "penalties", rule, ", ".join(taken))
        self._check_terms(latents, critic)

    def _check_terms(self, latents: Latents, critic: Critic | None) -> None:
        """Computes KL and penalties of a batch of two, to see what the latents lack."""
        space, prior = type(latents).__name__, type(latents.prior).__name__
        seed, step = tf.zeros([2], tf.int32), tf.zeros([], tf.int64)
        posterior = latents.posterior(tf.zeros([2, latents.num_parameters]))
        sample = posterior.sample(seed)
        kl = posterior.kl(sample, seed)
        infinite = [name for name, part in kl.items() if not np.isfinite(part).all()]
        checks.require(
            not infinite,
            "prior",
            f"have a finite KL from {space} in float32",
            f"{prior}, whose {', '.join(infinite)} is not",
            "A setting of the prior or of the latents is too small or too large.",
        )
        inference = Inference(
            *(latents, posterior, sample, step, seed, 2, critic),
            reencode=lambda change: posterior,
        )
        for penalty in self.penalties:
            try:
                penalty(inference)
            except NotImplementedError as error:
                rule = f"have the densities that {type(penalty).__name__} needs"
                raise checks.ArgumentError(
                    checks.message("latents", rule, f"{space} with {prior}", str(error))
                ) from error

    def term_names(self, latents: Latents) -> tuple[str, ...]:
        """Returns the keys of `Terms.scalars` in their order."""
        penalties = tuple(penalty.name for penalty in self.penalties)
        names = ("loss", "elbo", "reconstruction", *latents.kl_names, "kl_term")
        return (*names, *penalties, *self.scheduled_names(latents))

    def scheduled_names(self, latents: Latents) -> tuple[str, ...]:
        """Returns which of `term_names` are weights and capacities, not terms."""
        return tuple(self.kl_term.scheduled(tf.constant(0), latents.kl_bounds))

    def __call__(
        self, images: tf.Tensor, outputs: tf.Tensor, inference: Inference
    ) -> Terms:
        """Returns the terms of one batch.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
            outputs: The decoder's outputs for `inference.sample`, [B, H, W, C].
            inference: Posterior, sample and prior of the same batch.
        """
        kl = inference.posterior.kl(inference.sample, inference.seed)
        bounds = inference.latents.kl_bounds
        return Terms(
            log_likelihood=self.likelihood.log_prob(images, outputs),
            kl=kl,
            kl_term=self.kl_term(kl, inference.step, bounds),
            penalties={p.name: p(inference) for p in self.penalties},
            scheduled=self.kl_term.scheduled(inference.step, bounds),
        )
