"""The one type that every objective is: likelihood + KL + penalties.

    loss = mean_B[ -log p(x|z) ] + mean_B[ kl_term ] + sum of penalties

A paper's objective is data of this type, made by a factory in a file of its own, so
that any latent space, prior and penalties combine. Terms are pure functions of
tensors, in nats per image: sums over pixels and latents. Per-example terms have
shape [B]; a term that exists only for a batch (a total correlation, |mean KL - C|) is
a scalar. The mean over the batch is taken once, in `Terms.scalars`.

A penalty may also be what replaces the KL: beta-TCVAE pays 0 for the KL and three
weighted parts of it instead.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.distributions import Bernoulli, Likelihood
from tf_disentangle.objectives.schedules import Schedule, at_least_zero

if TYPE_CHECKING:
    import tensorflow_probability as tfp

    from tf_disentangle.latents import Latents


#: What `monitors` reports beside the terms, in the same rows of the records.
MONITORS = (
    "mutual_information",
    "total_correlation",
    "dimension_kl",
    "gaussian_total_correlation",
    "critic_total_correlation",
)

#: Samples [B, D] -> logits [B, 1].
Critic = Callable[[tf.Tensor], tf.Tensor]


class Inference(NamedTuple):
    """What is known of one batch after the encoder, before the decoder.

    Attributes:
        latents: The latent space, with its prior.
        posterior: q(z|x), batch shape [B], event shape [D].
        sample: z [B, D], drawn from the posterior and decoded; D is L unless latents
            are categorical, and `latents.groups` says where each stands.
        step: int64 scalar, the number of steps done.
        seed: int32 [2], for terms that draw on their own.
        num_examples: N, the number of training images; None if it is not known.
        critic: The network that the objective's critic penalty reads, if it has one.
    """

    latents: Latents
    posterior: tfp.distributions.Distribution
    sample: tf.Tensor
    step: tf.Tensor
    seed: tf.Tensor
    num_examples: int | None = None
    critic: Critic | None = None

    def known_examples(self) -> int:
        """Returns N, for terms that need it.

        Raises:
            ArgumentError: If it is not known.
        """
        checks.require(
            self.num_examples is not None,
            "num_examples",
            "be known to estimate the aggregate posterior",
            self.num_examples,
            "Training sets it; elsewhere set model.num_examples to the number of "
            "training images.",
        )
        return self.num_examples

    def known_critic(self) -> Critic:
        """Returns the critic, for terms that need it.

        Raises:
            ArgumentError: If there is none.
        """
        checks.require(
            self.critic is not None,
            "critic",
            "be there for an objective with a critic penalty",
            self.critic,
            "Build the model with models.build_vae, which adds one.",
        )
        return self.critic


class KLTerm(Protocol):
    """What the objective pays for the KL.

    One that may leave the KL out says so by a `uses_kl` of False.
    """

    def __call__(
        self,
        kl: Mapping[str, tf.Tensor],
        step: tf.Tensor,
        bounds: Mapping[str, float] | None = None,
    ) -> tf.Tensor:
        """Maps the named parts of the KL, each [B], to a cost [B] or scalar.

        Args:
            kl: The parts, in nats.
            step: int64 scalar, the number of steps done.
            bounds: The most nats of those parts that have a bound; None if none has.
        """


class Penalty(Protocol):
    """A further term that is minimised.

    One that exists only for several images says so by `least_batch`, the fewest that a
    device may be given at once; without the attribute one will do.

    Attributes:
        name: Its label in logs.
    """

    name: str

    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns the weighted penalty, [B] or scalar, in nats."""


@runtime_checkable
class CriticPenalty(Penalty, Protocol):
    """A penalty that reads a critic: a network that is trained beside the model.

    The type says what the model must have. `models.FactorVAE` gives it the critic in
    `Inference.critic`, and trains that by `critic_loss`.
    """

    def critic_loss(
        self, inference: Inference, others: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Returns what the critic minimises, a scalar.

        Args:
            inference: A batch; gradients are the critic's alone.
            others: Samples [B, D] of the aggregate posterior: those of `inference`
                again, or of further images.
            seed: int32 [2].
        """


class Terms(NamedTuple):
    """The terms of one batch.

    Attributes:
        log_likelihood: log p(x|z), [B].
        kl: Named parts of KL(q(z|x) || p(z)), each [B], unweighted.
        kl_term: What the objective makes of them, [B] or scalar.
        penalties: Weighted penalties by name, each [B] or scalar.
    """

    log_likelihood: tf.Tensor
    kl: Mapping[str, tf.Tensor]
    kl_term: tf.Tensor
    penalties: Mapping[str, tf.Tensor]

    def elbo(self) -> tf.Tensor:
        """Returns log p(x|z) - KL, [B]: the bound, whatever the objective weighs."""
        return self.log_likelihood - tf.add_n(list(self.kl.values()))

    def scalars(self) -> dict[str, tf.Tensor]:
        """Returns the batch means by name; "loss" is what training minimises."""
        reconstruction = -tf.reduce_mean(self.log_likelihood)
        penalties = {k: tf.reduce_mean(v) for k, v in self.penalties.items()}
        loss = reconstruction + tf.reduce_mean(self.kl_term)
        return {
            "loss": tf.add_n([loss, *penalties.values()]),
            "elbo": tf.reduce_mean(self.elbo()),
            "reconstruction": reconstruction,
            **{name: tf.reduce_mean(part) for name, part in self.kl.items()},
            **penalties,
        }


@dataclasses.dataclass(frozen=True)
class WeightedKL:
    """beta times the sum of the KL's parts, [B].

    Attributes:
        beta: A number of at least 0, or a Schedule that is never negative, such as the
            cyclic one of Fu et al. (`schedules.py`).
    """

    beta: float | Schedule = 1.0

    def __post_init__(self) -> None:
        """Checks the argument."""
        if isinstance(self.beta, Schedule):
            at_least_zero(self.beta, "beta")
        else:
            checks.real(self.beta, "beta", at_least=0.0)

    @property
    def uses_kl(self) -> bool:
        """Whether the KL is paid at all."""
        return isinstance(self.beta, Schedule) or self.beta > 0

    def __call__(
        self,
        kl: Mapping[str, tf.Tensor],
        step: tf.Tensor,
        bounds: Mapping[str, float] | None = None,
    ) -> tf.Tensor:
        """Returns beta * KL, [B]."""
        del bounds
        beta = self.beta(step) if isinstance(self.beta, Schedule) else self.beta
        return beta * tf.add_n(list(kl.values()))


@dataclasses.dataclass(frozen=True)
class Objective:
    """Likelihood + KL + penalties.

    Attributes:
        name: The paper's name for it.
        likelihood: p(x|z).
        kl_term: What is paid for the KL.
        penalties: Further terms.
        requires: Names of KL parts without which it has no meaning.
    """

    name: str
    likelihood: Likelihood = dataclasses.field(default_factory=Bernoulli)
    kl_term: KLTerm = WeightedKL()
    penalties: tuple[Penalty, ...] = ()
    requires: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Checks what a gin file binds; it has lists where tuples are meant."""
        remedy = "In gin, write @Name() with its parentheses."
        checks.require_type(self.name, str, "name")
        likelihood = self.likelihood
        ok = isinstance(likelihood, Likelihood) and not isinstance(likelihood, type)
        instead = "Pass distributions.Bernoulli(); in gin @Bernoulli()."
        checks.require(ok, "likelihood", "be a Likelihood", likelihood, instead)
        checks.require(
            _is_part(self.kl_term), "kl_term", "be a KLTerm", self.kl_term, remedy
        )
        checks.require_type(
            self.penalties, (list, tuple), "penalties", "Put it in a list: [...]"
        )
        for penalty in self.penalties:
            named = _is_part(penalty) and hasattr(penalty, "name")
            checks.require(named, "penalties", "be Penalties", penalty, remedy)
        object.__setattr__(self, "penalties", tuple(self.penalties))
        checks.require_type(
            self.requires, (list, tuple), "requires", "Put it in a list: [...]"
        )
        object.__setattr__(self, "requires", tuple(self.requires))

    @property
    def least_batch(self) -> int:
        """The fewest images at once for which every penalty has a meaning."""
        return max([1, *(getattr(p, "least_batch", 1) for p in self.penalties)])

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
        checks.require(
            set(self.requires) <= set(latents.kl_names),
            "latents",
            f"have a KL with the parts {', '.join(self.requires)} for the objective "
            f"{self.name}",
            f"{type(latents.prior).__name__} with {', '.join(latents.kl_names)}",
            "Take GaussianLatents with InverseWishartPrior(nu=200), or "
            "InverseGammaPrior with any latents; or elbo with "
            f"{type(latents.prior).__name__}.",
        )
        checks.require(
            getattr(self.kl_term, "uses_kl", True)
            or not latents.prior.requires_kl_term,
            "objective",
            f"pay the KL, which alone trains q(Sigma|x) of {type(latents).__name__}",
            f"{self.name}, which does not",
            "Use chyvae, elbo or beta_vae with beta > 0; or this objective with "
            "GaussianLatents and InverseWishartPrior.",
        )
        names = self.term_names(latents)
        checks.require(
            len(set(names)) == len(names),
            "penalties",
            "have names of their own, for each is a column of the records",
            names,
            "A penalty's name is an argument of it.",
        )
        taken = sorted(set(names) & set(MONITORS))
        rule = "not have the name of a monitor, for validation records both"
        checks.require(not taken, "penalties", rule, ", ".join(taken))
        self._dry_run(latents, critic)

    def _dry_run(self, latents: Latents, critic: Critic | None) -> None:
        """Takes KL and penalties of a batch of two, to see what the latents lack."""
        seed = tf.zeros([2], tf.int32)
        posterior = latents.posterior(tf.zeros([2, latents.num_parameters]))
        sample = posterior.sample(seed=seed)
        step = tf.zeros([], tf.int64)
        inference = Inference(latents, posterior, sample, step, seed, 2, critic)
        _check_finite(latents, latents.kl(posterior, sample, seed))
        for penalty in self.penalties:
            try:
                penalty(inference)
            except NotImplementedError as error:
                raise checks.ArgumentError(
                    checks.message(
                        "latents",
                        f"have the densities that {type(penalty).__name__} needs",
                        f"{type(latents).__name__} with {type(latents.prior).__name__}",
                        str(error),
                    )
                ) from error

    def term_names(self, latents: Latents) -> tuple[str, ...]:
        """Returns the keys of `Terms.scalars` in their order."""
        penalties = tuple(penalty.name for penalty in self.penalties)
        return ("loss", "elbo", "reconstruction", *latents.kl_names, *penalties)

    def __call__(
        self, images: tf.Tensor, outputs: tf.Tensor, inference: Inference
    ) -> Terms:
        """Returns the terms of one batch.

        Args:
            images: float32 [B, H, W, C] in [0, 1].
            outputs: What the decoder made of `inference.sample`, [B, H, W, C].
            inference: Posterior, sample and prior of the same batch.
        """
        kl = inference.latents.kl(inference.posterior, inference.sample, inference.seed)
        return Terms(
            log_likelihood=self.likelihood.log_prob(images, outputs),
            kl=kl,
            kl_term=self.kl_term(kl, inference.step, inference.latents.kl_bounds),
            penalties={p.name: p(inference) for p in self.penalties},
        )


def _is_part(value: Any) -> bool:
    """Whether `value` can be called and is no class whose parentheses are missing."""
    return callable(value) and not isinstance(value, type)


def _check_finite(latents: Latents, kl: Mapping[str, tf.Tensor]) -> None:
    """Raises `ArgumentError` for settings whose KL is beyond float32."""
    wrong = [name for name, part in kl.items() if not np.isfinite(part).all()]
    checks.require(
        not wrong,
        "prior",
        f"have a finite KL from {type(latents).__name__} in float32",
        f"{type(latents.prior).__name__}, whose {', '.join(wrong)} is not",
        "A setting of the prior or of the latents is too small or too large.",
    )
