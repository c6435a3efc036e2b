"""InfoGAN's losses by their formulas, its gradient penalty against exact values."""

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.latents import (
    CategoricalLatents,
    GaussianLatents,
    JointLatents,
    MeanFieldLatents,
)
from tf_disentangle.objectives import (
    ADVERSARIAL_OBJECTIVES,
    AdversarialObjective,
    NonSaturating,
    Wasserstein,
    gradient_penalty,
    infogan,
    infowgan_gp,
)
from tf_disentangle.priors import (
    InverseWishartPrior,
    MeanFieldInverseWishartPrior,
    NormalPrior,
    Prior,
)

SEED = tf.constant([1, 2])


def images(count=6, seed=0):
    rng = np.random.default_rng(seed)
    return tf.constant(rng.uniform(size=(count, 4, 4, 1)), tf.float32)


def sums(x):
    return tf.reduce_sum(x, [1, 2, 3])[:, tf.newaxis]


@pytest.mark.parametrize("size", [0.25, 1.0, 3.0])
def test_gradient_penalty_of_a_linear_critic(size):
    """Its slope is w everywhere: (||w|| - 1)^2, with the gradient of that."""
    direction = np.random.default_rng(3).normal(size=(4, 4, 1))
    direction = tf.constant(direction / np.linalg.norm(direction), tf.float32)
    w = tf.Variable(size * direction)
    with tf.GradientTape() as tape:
        actual = gradient_penalty(lambda x: sums(w * x) + 7.0, images(), images(), SEED)
    np.testing.assert_allclose(actual, (size - 1.0) ** 2, rtol=1e-4, atol=1e-10)
    expected = 2.0 * (size - 1.0) * direction
    np.testing.assert_allclose(tape.gradient(actual, w), expected, rtol=1e-3, atol=1e-6)


def test_gradient_penalty_is_taken_between_the_two_images():
    """The slope of ||x||^2 / 2 at x is x; all points between x and x are x."""
    real = images()

    def critic(x):
        return 0.5 * sums(tf.square(x))

    norms = np.linalg.norm(real.numpy().reshape(6, -1), axis=1)
    actual = gradient_penalty(critic, real, real, SEED)
    np.testing.assert_allclose(actual, np.mean((norms - 1.0) ** 2), rtol=1e-5)
    # One uniform rate u for each pair: from black to white, 16 pixels, the norm is 4 u.
    count = 20_000
    ends = tf.zeros([count, 4, 4, 1]), tf.ones([count, 4, 4, 1])
    actual = gradient_penalty(critic, *ends, SEED)
    exact = 16.0 / 3.0 - 4.0 + 1.0  # E[(4 u - 1)^2]
    assert abs(actual - exact) < 5 * 3.0 / np.sqrt(count)


def test_gradient_penalty_of_a_flat_critic_is_one_with_a_finite_gradient():
    scale = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        actual = gradient_penalty(lambda x: scale * sums(x), images(), images(), SEED)
    np.testing.assert_allclose(actual, 1.0, rtol=1e-5)
    assert np.isfinite(tape.gradient(actual, scale))


def test_the_non_saturating_loss():
    gan_loss = NonSaturating()
    real, generated = images(), 2.0 + images()

    def critic(x):
        return tf.fill([6, 1], tf.where(tf.reduce_mean(x) > 1.0, -0.5, 2.0))

    def sigmoid(value):
        return 1.0 / (1.0 + np.exp(-value))

    actual = gan_loss.critic_terms(critic, real, generated, critic(generated), SEED)
    assert tuple(actual) == gan_loss.critic_names
    expected = -np.log(sigmoid(2.0)) - np.log(1.0 - sigmoid(-0.5))
    np.testing.assert_allclose(actual["critic_loss"], expected, rtol=1e-5)
    loss = gan_loss.generator_loss(critic(generated))
    np.testing.assert_allclose(loss, -np.log(sigmoid(-0.5)), rtol=1e-5)
    zeros = tf.zeros([6, 1])
    guess = gan_loss.critic_terms(lambda x: zeros, real, generated, zeros, SEED)
    np.testing.assert_allclose(guess["critic_loss"], 2.0 * np.log(2.0), rtol=1e-6)


def test_the_wasserstein_loss():
    """A critic of slope 1 along the mean: the distance is that of the means."""
    real, generated = images(), images() - 0.25

    def critic(x):
        return sums(x) / 4.0

    gan_loss = Wasserstein(penalty=10.0)
    actual = gan_loss.critic_terms(critic, real, generated, critic(generated), SEED)
    assert tuple(actual) == gan_loss.critic_names
    np.testing.assert_allclose(actual["wasserstein"], 16 * 0.25 / 4, rtol=1e-5)
    np.testing.assert_allclose(actual["weighted_gradient_penalty"], 0.0, atol=1e-8)
    np.testing.assert_allclose(actual["critic_loss"], -actual["wasserstein"], rtol=1e-5)
    loss = gan_loss.generator_loss(critic(generated))
    np.testing.assert_allclose(loss, -np.mean(critic(generated)), rtol=1e-5)
    twice = Wasserstein(10.0).critic_terms(
        lambda x: 2 * critic(x), real, generated, 2 * critic(generated), SEED
    )
    np.testing.assert_allclose(twice["critic_loss"], 10.0 - 2.0, rtol=1e-4)


def test_information_is_weighed_by_the_kind_of_latent():
    latents = JointLatents(GaussianLatents(2), CategoricalLatents([3]))
    information = tf.constant([[1.0, 2.0, 4.0], [3.0, 0.0, 0.0]])
    logits = tf.constant([[0.5], [1.5]])
    actual = infowgan_gp(0.1).generator_terms(latents, information, logits)
    np.testing.assert_allclose(actual["information"], 5.0)
    np.testing.assert_allclose(actual["generator_loss"], -1.0)
    np.testing.assert_allclose(actual["loss"], -1.0 - 0.1 * 5.0, rtol=1e-6)
    actual = infowgan_gp(0.1, 2.0).generator_terms(latents, information, logits)
    np.testing.assert_allclose(actual["loss"], -1.0 - 0.1 * 3.0 - 2.0 * 2.0, rtol=1e-6)


@pytest.mark.parametrize("name", ADVERSARIAL_OBJECTIVES)
def test_each_is_data_whose_named_terms_sum_to_what_is_minimised(name):
    objective = ADVERSARIAL_OBJECTIVES[name]()
    assert objective == ADVERSARIAL_OBJECTIVES[objective.name]()
    latents = GaussianLatents(2)
    objective.check(latents)
    own = objective.generator_terms(latents, tf.ones([6, 2]), tf.ones([6, 1]))
    others = images(seed=1)
    of_critic = objective.gan_loss.critic_terms(
        sums, images(), others, sums(others), SEED
    )
    assert (*own, *of_critic) == objective.term_names
    total = own["generator_loss"] + own["information_term"]
    np.testing.assert_allclose(own["loss"], total, rtol=1e-6)
    if name == "infogan":
        total = of_critic["critic_loss_real"] + of_critic["critic_loss_generated"]
    else:
        total = of_critic["weighted_gradient_penalty"] - of_critic["wasserstein"]
    np.testing.assert_allclose(of_critic["critic_loss"], total, rtol=1e-6)


def test_values_without_a_meaning():
    with pytest.raises(checks.ArgumentError, match="weight must be at least 0"):
        infogan(-1.0)
    with pytest.raises(checks.ArgumentError, match="discrete_weight must be at least"):
        infogan(1.0, -1.0)
    with pytest.raises(checks.ArgumentError, match="penalty must be at least 0"):
        infowgan_gp(penalty=-10.0)
    with pytest.raises(checks.ArgumentTypeError, match="gan_loss must be GANLoss"):
        AdversarialObjective("mine", Wasserstein)


def test_latents_without_a_density_for_each_or_with_a_trained_prior():
    class Formless(Prior):
        """It knows no density."""

    infogan().check(GaussianLatents(3, "full", InverseWishartPrior(9.0)))
    with pytest.raises(checks.ArgumentError, match=r"a density p\(c_i\).*Formless"):
        infogan().check(GaussianLatents(3, prior=Formless()))
    paid = MeanFieldLatents(3, prior=MeanFieldInverseWishartPrior(nu=10.0))
    with pytest.raises(checks.ArgumentError, match="that the information alone trains"):
        infogan().check(paid)
    trained = GaussianLatents(3, prior=NormalPrior(trainable=True))
    with pytest.raises(checks.ArgumentError, match="have a fixed prior"):
        infogan().check(trained)
