"""InfoGAN: a generator whose codes can be read off its images.

    min_(G,Q) max_D  V(D, G) - lambda L_I(G, Q)                         (equation 6)
    L_I(G, Q) = E_c~p(c), x~G(z,c) [log Q(c|x)] + H(c)  <=  I(c; G(z, c))      (5)

with codes c, noise z, a generator G, a critic D on images and a recognition network Q.
L_I is split by latent: the part of latent i is the mean of log Q(c_i|x) - log p(c_i),
a lower bound on I(c_i; x). For a continuous latent it has no upper limit, since an
image may encode the latent to as many digits as it can hold. V and its losses are one
of two choices (`GANLoss`):

    NonSaturating   D maximises log s(D(x)) + log(1 - s(D(G))), G maximises log s(D(G))
    Wasserstein     V = E[D(x)] - E[D(G)] - weight E[(||grad D(y)|| - 1)^2]

where s is the sigmoid and y lies on the line from an image to a generated one.

Every term is recorded, so that a row of the records sums to what is minimised:

    generator and recognition network:  loss == generator_loss + information_term
    critic, NonSaturating:  critic_loss == critic_loss_real + critic_loss_generated
    critic, Wasserstein:    critic_loss == weighted_gradient_penalty - wasserstein

A critic that shares layers with the recognition network minimises its loss less lambda
L_I of the images that it is shown; this second term is not recorded (`models.InfoGAN`).

References:
    Chen et al., "InfoGAN", NeurIPS 2016, arXiv:1606.03657.
    Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, arXiv:1406.2661.
    Gulrajani et al., "Improved Training of Wasserstein GANs", NeurIPS 2017,
    arXiv:1704.00028, equation (3).
    Kim & Mnih, ICML 2018, arXiv:1802.05983, call the second InfoWGAN-GP.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.objectives.terms import Critic

if TYPE_CHECKING:
    from tf_disentangle.latents import Latents

# Keeps the norm's gradient finite where the critic is flat.
_TINY = 1e-12


class GANLoss(abc.ABC):
    """What a critic of images and a generator minimise against each other.

    Attributes:
        critic_names: The keys of what `critic_terms` returns.
    """

    critic_names: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def critic_terms(
        self,
        critic: Critic,
        real: tf.Tensor,
        generated: tf.Tensor,
        logits: tf.Tensor,
        seed: tf.Tensor,
    ) -> Mapping[str, tf.Tensor]:
        """Returns scalars by name; the critic minimises "critic_loss".

        Args:
            critic: Images [B, H, W, C] -> [B, 1].
            real: Images in [0, 1].
            generated: As many generated images.
            logits: The critic's outputs for these, [B, 1].
            seed: int32 [2].
        """

    @abc.abstractmethod
    def generator_loss(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns what the generator minimises, given the critic's outputs [B, 1]."""


@dataclasses.dataclass(frozen=True)
class NonSaturating(GANLoss):
    """The losses of Goodfellow et al., with the generator's in the form they train."""

    critic_names: ClassVar[tuple[str, ...]] = (
        "critic_loss",
        "critic_loss_real",
        "critic_loss_generated",
    )

    def critic_terms(
        self,
        critic: Critic,
        real: tf.Tensor,
        generated: tf.Tensor,
        logits: tf.Tensor,
        seed: tf.Tensor,
    ) -> Mapping[str, tf.Tensor]:
        """Returns both sides' cross entropy, 2 log 2 for a critic that guesses."""
        del generated, seed
        real_loss = tf.reduce_mean(tf.nn.softplus(-critic(real)))
        generated_loss = tf.reduce_mean(tf.nn.softplus(logits))
        values = (real_loss + generated_loss, real_loss, generated_loss)
        return dict(zip(self.critic_names, values, strict=True))

    def generator_loss(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns -E[log s(D(G))]."""
        return tf.reduce_mean(tf.nn.softplus(-logits))


@dataclasses.dataclass(frozen=True)
class Wasserstein(GANLoss):
    """The losses of Gulrajani et al., with a gradient penalty.

    Attributes:
        penalty: Its weight, at least 0.
    """

    critic_names: ClassVar[tuple[str, ...]] = (
        "critic_loss",
        "wasserstein",
        "weighted_gradient_penalty",
    )

    penalty: float = 10.0

    def __post_init__(self) -> None:
        checks.real(self.penalty, "penalty", at_least=0.0)

    def critic_terms(
        self,
        critic: Critic,
        real: tf.Tensor,
        generated: tf.Tensor,
        logits: tf.Tensor,
        seed: tf.Tensor,
    ) -> Mapping[str, tf.Tensor]:
        """Returns the loss, the distance E[D(x)] - E[D(G)], the weighted penalty."""
        distance = tf.reduce_mean(critic(real)) - tf.reduce_mean(logits)
        penalty = self.penalty * gradient_penalty(critic, real, generated, seed)
        values = (penalty - distance, distance, penalty)
        return dict(zip(self.critic_names, values, strict=True))

    def generator_loss(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns -E[D(G)]."""
        return -tf.reduce_mean(logits)


def gradient_penalty(
    critic: Critic, real: tf.Tensor, generated: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Returns E[(||grad D(y)|| - 1)^2], a scalar.

    y = x + u (G - x) with one u ~ U(0, 1) for each pair.

    Args:
        critic: Images [B, H, W, C] -> [B, 1].
        real: Images x.
        generated: As many generated images G.
        seed: int32 [2].
    """
    shape = tf.stack([tf.shape(real)[0], 1, 1, 1])
    between = real + tf.random.stateless_uniform(shape, seed) * (generated - real)
    with tf.GradientTape() as tape:
        tape.watch(between)
        logits = critic(between)
    gradients = tape.gradient(logits, between)
    squares = tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3])
    return tf.reduce_mean(tf.square(tf.sqrt(squares + _TINY) - 1.0))


@dataclasses.dataclass(frozen=True)
class AdversarialObjective:
    """A GAN's losses, and the information about the codes that its images keep.

    Attributes:
        name: The paper's name for it.
        gan_loss: What critic and generator minimise.
        weight: lambda, the weight of each latent's information, at least 0.
        discrete_weight: The same for categorical latents; None means `weight`.
    """

    #: The fewest images at once for which every term has a meaning.
    min_batch_size: ClassVar[int] = 1

    name: str
    gan_loss: GANLoss = Wasserstein()
    weight: float = 1.0
    discrete_weight: float | None = None

    def __post_init__(self) -> None:
        checks.require_type(self.name, str, "name")
        remedy = "Pass an object, such as objectives.Wasserstein()."
        checks.require_type(self.gan_loss, GANLoss, "gan_loss", remedy)
        checks.real(self.weight, "weight", at_least=0.0)
        if self.discrete_weight is not None:
            checks.real(self.discrete_weight, "discrete_weight", at_least=0.0)

    @property
    def term_names(self) -> tuple[str, ...]:
        """The keys of the generator's terms, then of the critic's."""
        generator = ("loss", "generator_loss", "information_term", "information")
        return (*generator, *self.gan_loss.critic_names)

    def check(self, latents: Latents) -> None:
        """Raises `ArgumentError` unless each latent has a density of its own."""
        posterior = latents.posterior(tf.zeros([2, latents.num_parameters]))
        try:
            posterior.information(tf.zeros([2, latents.num_decoded]))
        except NotImplementedError as error:
            rule = "have a density p(c_i) of each latent, which the information needs"
            prior, remedy = type(latents.prior).__name__, "Take StandardNormalPrior."
            raise checks.ArgumentError(
                checks.message("latents", rule, prior, remedy)
            ) from error
        fits = not latents.prior.requires_kl_term
        rule = "have a posterior that the information alone trains"
        name, remedy = type(latents).__name__, "Take GaussianLatents."
        checks.require(fits, "latents", rule, name, remedy)
        trained = [weight.path for weight in latents.trainable_variables]
        rule = "have a fixed prior, for nothing would train this one"
        checks.require(not trained, "latents", rule, ", ".join(trained))

    def generator_terms(
        self, latents: Latents, information: tf.Tensor, logits: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns scalars by name; the generator minimises "loss".

        Args:
            latents: The codes' latent space.
            information: That of each latent, [B, L], nats (`Posterior.information`).
            logits: The critic's outputs for the generated images, [B, 1].

        Returns:
            "loss", its two terms, and the unweighted information in nats.
        """
        generator_loss = self.gan_loss.generator_loss(logits)
        information_term = self.information_term(latents, information)
        return {
            "loss": generator_loss + information_term,
            "generator_loss": generator_loss,
            "information_term": information_term,
            "information": tf.reduce_sum(tf.reduce_mean(information, axis=0)),
        }

    def information_term(self, latents: Latents, information: tf.Tensor) -> tf.Tensor:
        """Returns -lambda L_I, a scalar; the arguments are `generator_terms`'s."""
        discrete = self.weight if self.discrete_weight is None else self.discrete_weight
        weights = [
            self.weight if column.kind == "continuous" else discrete
            for column in latents.columns
        ]
        per_latent = tf.reduce_mean(information, axis=0)
        return -tf.reduce_sum(tf.constant(weights) * per_latent)


def infogan(
    weight: float = 1.0, discrete_weight: float | None = None
) -> AdversarialObjective:
    """Returns InfoGAN's objective (Chen et al., 2016).

    Args:
        weight: lambda, at least 0.
        discrete_weight: The same for categorical latents; None means `weight`.
    """
    return AdversarialObjective("infogan", NonSaturating(), weight, discrete_weight)


def infowgan_gp(
    weight: float = 1.0, discrete_weight: float | None = None, penalty: float = 10.0
) -> AdversarialObjective:
    """Returns InfoWGAN-GP's objective (Kim & Mnih, 2018).

    Args:
        weight: lambda, at least 0.
        discrete_weight: The same for categorical latents; None means `weight`.
        penalty: Weight of the gradient penalty, at least 0.
    """
    loss = Wasserstein(penalty)
    return AdversarialObjective("infowgan_gp", loss, weight, discrete_weight)
