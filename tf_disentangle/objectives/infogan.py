"""InfoGAN: a generator whose codes can be read off its images.

    min_(G,Q) max_D  V(D, G) - lambda L_I(G, Q)                         (equation 6)
    L_I(G, Q) = E_c~p(c), x~G(z,c) [log Q(c|x)] + H(c)  <=  I(c; G(z, c))      (5)

with codes c, noise z, a generator G, a critic D on images and a recognition network Q.
L_I is taken apart: of each latent i the mean of log Q(c_i|x) - log p(c_i), a lower
bound of I(c_i; x). It has no upper end for a continuous latent, of which an image may
tell as many digits as it can hold. The game V is one of two:

    NonSaturating   D maximises log s(D(x)) + log(1 - s(D(G))), G maximises log s(D(G))
    Wasserstein     V = E[D(x)] - E[D(G)] - weight E[(||grad D(y)|| - 1)^2]

where s is the sigmoid and y lies on the line from an image to a generated one.

References:
    Chen et al., "InfoGAN", NeurIPS 2016, arXiv:1606.03657.
    Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, arXiv:1406.2661.
    Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017,
    arXiv:1704.00028, equation (3).
    Kim & Mnih, ICML 2018, arXiv:1802.05983, call the second InfoWGAN-GP.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.objectives.objective import Critic

if TYPE_CHECKING:
    from tf_disentangle.latents import Latents

# Keeps the norm's gradient finite where the critic is flat.
_TINY = 1e-12


@runtime_checkable
class Game(Protocol):
    """What a critic of images and a generator play for.

    Attributes:
        critic_names: The keys of what `critic_terms` returns.
    """

    critic_names: tuple[str, ...]

    def critic_terms(
        self, critic: Critic, real: tf.Tensor, made: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns scalars by name; the critic minimises "critic_loss".

        Args:
            critic: Images [B, H, W, C] -> [B, 1].
            real: Images in [0, 1].
            made: Generated ones, as many.
            seed: int32 [2].
        """

    def generator_loss(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns what the generator minimises, of the critic's answers [B, 1]."""


@dataclasses.dataclass(frozen=True)
class NonSaturating:
    """The game of Goodfellow et al., the generator's side as they train it."""

    critic_names: ClassVar[tuple[str, ...]] = ("critic_loss",)

    def critic_terms(
        self, critic: Critic, real: tf.Tensor, made: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns both sides' cross entropy, 2 log 2 for a critic that guesses."""
        del seed
        of_real = tf.reduce_mean(tf.nn.softplus(-critic(real)))
        of_made = tf.reduce_mean(tf.nn.softplus(critic(made)))
        return {"critic_loss": of_real + of_made}

    def generator_loss(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns -E[log s(D(G))]."""
        return tf.reduce_mean(tf.nn.softplus(-logits))


@dataclasses.dataclass(frozen=True)
class Wasserstein:
    """The game of Gulrajani et al., with a gradient penalty.

    Attributes:
        penalty: Its weight, at least 0.
    """

    critic_names: ClassVar[tuple[str, ...]] = (
        "critic_loss",
        "wasserstein",
        "gradient_penalty",
    )

    penalty: float = 10.0

    def __post_init__(self) -> None:
        """Checks the argument."""
        checks.real(self.penalty, "penalty", at_least=0.0)

    def critic_terms(
        self, critic: Critic, real: tf.Tensor, made: tf.Tensor, seed: tf.Tensor
    ) -> Mapping[str, tf.Tensor]:
        """Returns the loss, the distance E[D(x)] - E[D(G)] and the bare penalty."""
        distance = tf.reduce_mean(critic(real)) - tf.reduce_mean(critic(made))
        penalty = gradient_penalty(critic, real, made, seed)
        loss = self.penalty * penalty - distance
        return {
            "critic_loss": loss,
            "wasserstein": distance,
            "gradient_penalty": penalty,
        }

    def generator_loss(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns -E[D(G)]."""
        return -tf.reduce_mean(logits)


def gradient_penalty(
    critic: Critic, real: tf.Tensor, made: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Returns E[(||grad D(y)|| - 1)^2], a scalar.

    y = x + u (G - x) with one u ~ U(0, 1) for each pair.

    Args:
        critic: Images [B, H, W, C] -> [B, 1].
        real: Images x.
        made: Generated ones G, as many.
        seed: int32 [2].
    """
    shape = tf.stack([tf.shape(real)[0], 1, 1, 1])
    between = real + tf.random.stateless_uniform(shape, seed) * (made - real)
    with tf.GradientTape() as tape:
        tape.watch(between)
        answers = critic(between)
    slopes = tape.gradient(answers, between)
    squares = tf.reduce_sum(tf.square(slopes), axis=[1, 2, 3])
    return tf.reduce_mean(tf.square(tf.sqrt(squares + _TINY) - 1.0))


@dataclasses.dataclass(frozen=True)
class AdversarialObjective:
    """A game and the information that codes keep in it.

    Attributes:
        name: The paper's name for it.
        game: What critic and generator play for.
        weight: lambda, of the information of each latent, at least 0.
        discrete_weight: That of categorical latents; None is `weight`.
    """

    #: The fewest images at once for which every term has a meaning.
    least_batch: ClassVar[int] = 1

    name: str
    game: Game = dataclasses.field(default_factory=Wasserstein)
    weight: float = 1.0
    discrete_weight: float | None = None

    def __post_init__(self) -> None:
        """Checks what a gin file binds."""
        checks.require_type(self.name, str, "name")
        remedy = "In gin, write @Name() with its parentheses."
        is_game = isinstance(self.game, Game) and not isinstance(self.game, type)
        checks.require(is_game, "game", "be a Game", self.game, remedy)
        checks.real(self.weight, "weight", at_least=0.0)
        if self.discrete_weight is not None:
            checks.real(self.discrete_weight, "discrete_weight", at_least=0.0)

    @property
    def term_names(self) -> tuple[str, ...]:
        """The keys of the generator's terms, then of the critic's."""
        return ("loss", "generator_loss", "information", *self.game.critic_names)

    def check(self, latents: Latents) -> None:
        """Raises `ArgumentError` for latents without a density for each of them."""
        posterior = latents.posterior(tf.zeros([2, latents.num_parameters]))
        try:
            latents.information(posterior, tf.zeros([2, latents.num_decoded]))
        except NotImplementedError as error:
            rule = "have a density p(c_i) of each latent, which the information needs"
            found, remedy = type(latents.prior).__name__, "Take StandardNormalPrior."
            raise checks.ArgumentError(
                checks.message("latents", rule, found, remedy)
            ) from error
        checks.require(
            not latents.prior.requires_kl_term,
            "latents",
            "have a posterior that the information alone trains",
            type(latents).__name__,
            "Take GaussianLatents.",
        )
        trained = [weight.path for weight in latents.trainable_variables]
        rule = "have a fixed prior, for nothing would train this one"
        checks.require(not trained, "latents", rule, ", ".join(trained))

    def generator_terms(
        self, latents: Latents, information: tf.Tensor, logits: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns scalars by name; generator and recognition minimise "loss".

        Args:
            latents: The codes' latent space.
            information: Of each latent, [B, L], in nats (`Latents.information`).
            logits: The critic's answers to the generated images, [B, 1].
        """
        discrete = self.weight if self.discrete_weight is None else self.discrete_weight
        weights = [
            self.weight if column.kind == "continuous" else discrete
            for column in latents.columns
        ]
        each = tf.reduce_mean(information, axis=0)
        loss = self.game.generator_loss(logits)
        return {
            "loss": loss - tf.reduce_sum(tf.constant(weights) * each),
            "generator_loss": loss,
            "information": tf.reduce_sum(each),
        }


def infogan(
    weight: float = 1.0, discrete_weight: float | None = None
) -> AdversarialObjective:
    """Returns InfoGAN's objective.

    Args:
        weight: lambda, at least 0.
        discrete_weight: That of categorical latents; None is `weight`.
    """
    return AdversarialObjective("infogan", NonSaturating(), weight, discrete_weight)


def infowgan_gp(
    weight: float = 1.0,
    discrete_weight: float | None = None,
    penalty: float = 10.0,
) -> AdversarialObjective:
    """Returns InfoWGAN-GP's objective.

    Args:
        weight: lambda, at least 0.
        discrete_weight: That of categorical latents; None is `weight`.
        penalty: Weight of the gradient penalty, at least 0.
    """
    game = Wasserstein(penalty)
    return AdversarialObjective("infowgan_gp", game, weight, discrete_weight)
