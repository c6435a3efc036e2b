"""What an objective is made of: KL terms and penalties, and the batch they see.

A term's type says what it needs: a `BatchPenalty` needs several images at once, and a
`CriticPenalty` needs a network that is trained alongside the model.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.objectives.schedules import Schedule, at_least_zero

if TYPE_CHECKING:
    from tf_disentangle.latents import Latents, Posterior

#: Tensors by name: parts of a KL, or scheduled values.
Parts = Mapping[str, tf.Tensor]
#: The most nats of the KL parts that have a bound; None if none has.
Bounds = Mapping[str, float] | None
#: Samples [B, D] -> logits [B, 1], of each sample by itself.
Critic = Callable[[tf.Tensor], tf.Tensor]
#: Called with a map of images; returns q(z|x) of the batch's images so changed.
Reencode = Callable[[Callable[[tf.Tensor], tf.Tensor]], "Posterior"]


class Inference(NamedTuple):
    """One batch after the encoder, before the decoder.

    Attributes:
        latents: The latent space, with its prior.
        posterior: q(z|x) of the batch, `latents.Posterior`.
        sample: z [B, D], drawn from the posterior and decoded; D is L unless latents
            are categorical, and `latents.groups` gives the columns of each latent.
        step: int64 scalar, the number of steps done.
        seed: int32 [2], for terms that need random numbers of their own.
        num_examples: N, the number of training images; None if it is not known.
        critic: The network that the objective's critic penalty reads, if it has one.
        reencode: Applies a map, float32 [B, H, W, C] to the same shape, to the images
            and returns q(z|x) of the result; None where there are no images.
    """

    latents: Latents
    posterior: Posterior
    sample: tf.Tensor
    step: tf.Tensor
    seed: tf.Tensor
    num_examples: int | None = None
    critic: Critic | None = None
    reencode: Reencode | None = None

    def require_num_examples(self) -> int:
        """Returns N, for terms that need it.

        Raises:
            ArgumentError: If it is not known.
        """
        rule = "be known to estimate the aggregate posterior"
        remedy = (
            "Training sets it; elsewhere set model.num_examples to the number of "
            "training images."
        )
        known = self.num_examples is not None
        checks.require(known, "num_examples", rule, None, remedy)
        return self.num_examples

    def require_critic(self) -> Critic:
        """Returns the critic, for terms that need it.

        Raises:
            ArgumentError: If there is none.
        """
        rule = "be there for an objective with a critic penalty"
        remedy = "Build the model with models.build_vae, which adds one."
        checks.require(self.critic is not None, "critic", rule, None, remedy)
        return self.critic

    def require_reencode(self) -> Reencode:
        """Returns `reencode`, for terms that need it.

        Raises:
            ArgumentError: If there is none.
        """
        rule = "be there for a penalty that encodes changed images"
        remedy = "VAE.infer gives it."
        checks.require(self.reencode is not None, "reencode", rule, None, remedy)
        return self.reencode


class KLTerm(abc.ABC):
    """The term that an objective makes of the KL."""

    @property
    def uses_kl(self) -> bool:
        """Whether minimising this term trains what only the KL trains.

        If False, that stays untrained, which `Prior.requires_kl_term` forbids.
        """
        return True

    @abc.abstractmethod
    def __call__(self, kl: Parts, step: tf.Tensor, bounds: Bounds = None) -> tf.Tensor:
        """Maps the named parts of the KL, each [B], to a term [B] or scalar, in nats.

        Args:
            kl: The parts, in nats.
            step: int64 scalar, the number of steps done.
            bounds: The most nats of those parts that have a bound; None if none has.
        """

    def scheduled(self, step: tf.Tensor, bounds: Bounds = None) -> Parts:
        """Returns the scheduled scalars by their names in the rows; none by default.

        Args:
            step: int64 scalar, the number of steps done.
            bounds: As `__call__`.
        """
        del step, bounds
        return {}


class Penalty(abc.ABC):
    """A further term that is minimised.

    Attributes:
        name: Its name in the rows of a run.
    """

    name: str

    @abc.abstractmethod
    def __call__(self, inference: Inference) -> tf.Tensor:
        """Returns the weighted penalty, [B] or scalar, in nats."""


class BatchPenalty(Penalty):
    """A penalty that exists only for several images at once."""

    @property
    def min_batch_size(self) -> int:
        """The fewest images that a device may be given at once: here 2."""
        return 2


class CriticPenalty(Penalty):
    """A penalty that reads a critic: a network that is trained alongside the model.

    `models.FactorVAE` passes the critic in `Inference.critic`, and trains it with
    `critic_loss`.
    """

    @abc.abstractmethod
    def critic_loss(
        self, inference: Inference, others: tf.Tensor, seed: tf.Tensor
    ) -> tf.Tensor:
        """Returns what the critic minimises, a scalar.

        Args:
            inference: A batch; gradients are taken for the critic alone.
            others: Samples [B, D] of the aggregate posterior: those of `inference`
                again, or of further images.
            seed: int32 [2].
        """


@dataclasses.dataclass(frozen=True)
class WeightedKL(KLTerm):
    """beta times the sum of the KL's parts, [B].

    Attributes:
        beta: A number of at least 0, or a Schedule that is never negative, such as the
            cyclic one of Fu et al. (`schedules.py`).
    """

    beta: float | Schedule = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.beta, Schedule):
            at_least_zero(self.beta, "beta")
        else:
            checks.real(self.beta, "beta", at_least=0.0)

    @property
    def uses_kl(self) -> bool:
        """Whether beta is more than a constant 0."""
        return isinstance(self.beta, Schedule) or self.beta > 0

    def __call__(self, kl: Parts, step: tf.Tensor, bounds: Bounds = None) -> tf.Tensor:
        """Returns beta * KL, [B]."""
        beta = self.scheduled(step, bounds).get("beta", self.beta)
        return beta * tf.add_n(list(kl.values()))

    def scheduled(self, step: tf.Tensor, bounds: Bounds = None) -> Parts:
        """Returns beta, if it is a schedule."""
        del bounds
        return {"beta": self.beta(step)} if isinstance(self.beta, Schedule) else {}
