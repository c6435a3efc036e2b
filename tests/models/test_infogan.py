"""A generator, a critic and a recognition network: who moves what, and what decodes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests import undrawn
from tests.models.one_step import SHAPE, all_equal, images, sgd, weights
from tf_disentangle import checks
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import (
    CategoricalLatents,
    GaussianLatents,
    JointLatents,
)
from tf_disentangle.models import (
    CriticTraining,
    InfoGAN,
    build_infogan,
    build_vae,
    log_evidence,
)
from tf_disentangle.models.fitting import step_seed
from tf_disentangle.networks import (
    conv_decoder,
    conv_encoder,
    infogan_pair,
    mlp_decoder,
    mlp_encoder,
)
from tf_disentangle.objectives import factor_vae, infogan, infowgan_gp
from tf_disentangle.training import Intervals

NETWORKS = {
    "encoder": functools.partial(conv_encoder, width=8),
    "decoder": functools.partial(conv_decoder, width=8),
    "critic": functools.partial(conv_encoder, width=8, activation="leaky_relu"),
}


def built(objective=None, updates=2, rate=0.1):
    model = build_infogan(
        SHAPE,
        1,
        latents=JointLatents(GaussianLatents(2), CategoricalLatents([3])),
        objective=infowgan_gp(0.5) if objective is None else objective,
        num_noise=4,
        critic_training=CriticTraining(updates, optimizer=sgd(rate)),
        **NETWORKS,
    )
    model.compile(optimizer=keras.optimizers.SGD(0.05), jit_compile=False)
    model.build_optimizers()
    return model


def test_codes_are_drawn_from_the_prior_and_noise_beside_them():
    codes, noise = built().draw(20_000, tf.constant([3, 4]))
    z, c = codes[:, :2].numpy(), codes[:, 2:].numpy()
    assert noise.shape == [20_000, 4] and codes.shape == [20_000, 5]
    np.testing.assert_array_equal(np.sort(c, axis=1), np.tile([0, 0, 1], (20_000, 1)))
    assert np.all(np.abs(c.mean(axis=0) - 1 / 3) < 4 * np.sqrt(2 / 9 / 20_000))
    together = np.concatenate([z, c[:, :1], noise], axis=1)
    off = np.corrcoef(together, rowvar=False) - np.eye(7)
    assert np.abs(off).max() < 4 / np.sqrt(20_000)
    for part in (z, noise.numpy()):
        assert np.abs(part.mean()) < 0.02 and np.abs(part.std() - 1) < 0.02


def test_real_images_alone_move_the_statistics_that_encode_uses():
    """The mean of white images is 1 - 0.5^n; the second batch is black."""
    inputs = keras.Input(SHAPE)
    normalise = keras.layers.BatchNormalization(momentum=0.5)
    trunk = keras.layers.Flatten()(normalise(inputs))
    encoder = keras.Model(inputs, keras.layers.Dense(7)(trunk))
    critic = keras.Model(inputs, keras.layers.Dense(1)(trunk))
    model = InfoGAN(
        encoder,
        conv_decoder(9, SHAPE, seed=0, width=8),
        JointLatents(GaussianLatents(2), CategoricalLatents([3])),
        infogan(),
        critic,
        CriticTraining(2, optimizer=sgd(0.1)),
    )
    model.compile(optimizer=keras.optimizers.SGD(0.05), jit_compile=False)
    images = np.zeros((16, *SHAPE), np.uint8)
    images[:8] = 255
    for step in range(1, 4):
        model.train_on_batch(images)
        np.testing.assert_allclose(normalise.moving_mean, 1 - 0.5**step, rtol=1e-6)
        np.testing.assert_allclose(normalise.moving_variance, 0.5**step, rtol=1e-6)


def information_of(raw, codes):
    """In nats, one number an example: mean field of the two normals and a category."""
    mean, log_variance, logits = tf.split(raw, [2, 2, 3], axis=1)
    normal = tfp.distributions.Normal(mean, tf.exp(0.5 * log_variance))
    prior = tfp.distributions.Normal(0.0, 1.0).log_prob(codes[:, :2])
    told = tf.reduce_sum(normal.log_prob(codes[:, :2]) - prior, axis=1)
    told -= tf.nn.softmax_cross_entropy_with_logits(codes[:, 2:], logits)
    return told + tf.math.log(3.0)


def by_hand(model, reals):
    """The critic's updates and then a generator's step, in formulas of its own."""
    seed = step_seed(1, tf.constant(0, tf.int64))
    own, *seeds = tfp.random.split_seed(seed, n=1 + len(reals), salt="critic")
    critic = keras.models.clone_model(model.critic)
    critic.set_weights(model.critic.get_weights())

    def made(key):
        codes, noise = model.draw(8, key)
        outputs = model.decoder(tf.concat([codes, noise], axis=1), training=True)
        return codes, tf.sigmoid(outputs)

    for real, key in zip(reals, seeds, strict=True):
        real = tf.cast(real, tf.float32) / 255.0
        draw_key, game_key = tfp.random.split_seed(key, n=2)
        fake = made(draw_key)[1]
        rate = tf.random.stateless_uniform([8, 1, 1, 1], game_key)
        with tf.GradientTape() as tape:
            between = rate * fake + (1.0 - rate) * real
            with tf.GradientTape() as inner:
                inner.watch(between)
                answers = critic(between)
            slopes = tf.reshape(inner.gradient(answers, between), [8, -1])
            penalty = tf.reduce_mean((tf.norm(slopes, axis=1) - 1.0) ** 2)
            loss = tf.reduce_mean(critic(fake) - critic(real)) + 10.0 * penalty
        gradients = tape.gradient(loss, critic.trainable_variables)
        for v, g in zip(critic.trainable_variables, gradients, strict=True):
            v.assign_sub(0.1 * g)
    with tf.GradientTape() as tape:
        codes, fake = made(own)
        information = information_of(model.encoder(fake, training=True), codes)
        loss = tf.reduce_mean(-critic(fake)[:, 0] - 0.5 * information)
    moved = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    gradients = tape.gradient(loss, moved)
    expected = [v - 0.05 * g for v, g in zip(moved, gradients, strict=True)]
    return expected, weights(critic), loss


@pytest.mark.parametrize("updates", [1, 3])
def test_a_step_moves_the_critic_first_each_time_on_new_images(updates):
    model = built(updates=updates)
    batch = images(8 * updates)
    expected, critic, loss = by_hand(model, tf.split(batch, updates))
    found = model.train_step(batch)
    pairs = zip(weights(model.encoder) + weights(model.decoder), expected, strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(weights(model.critic), critic, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-4)


def test_each_optimiser_moves_its_own_and_no_other():
    model = built(infogan(0.5), rate=0.0)
    critic, generator = weights(model.critic), weights(model.decoder)
    model.train_step(images(16))
    assert all_equal(weights(model.critic), critic)
    assert not all_equal(weights(model.decoder), generator)
    model = built(infogan(0.0))
    recognition, critic = weights(model.encoder), weights(model.critic)
    model.train_step(images(16))
    assert all_equal(weights(model.encoder), recognition)  # nothing asks for its codes
    assert not all_equal(weights(model.critic), critic)
    count = len(model.optimized_variables) + len(model.critic.trainable_variables)
    assert count == len(model.trainable_variables)


class Probe(keras.layers.Layer):
    """Keeps the mode of each call."""

    def __init__(self, **options):
        super().__init__(**options)
        self.modes = []

    def call(self, inputs, training=None):
        self.modes.append(training)
        return inputs


def with_one_trunk(as_one=True, frozen=False, updates=1):
    """Recognition network of two heads, critic and generator of single layers."""
    inputs = keras.Input((2, 2, 1))
    shared = keras.layers.Dense(5, "tanh", name="shared", trainable=not frozen)
    trunk = shared(Probe(name="probe")(keras.layers.Flatten()(inputs)))
    encoder = keras.Model(inputs, [keras.layers.Dense(n)(trunk) for n in (4, 3)])
    critic = keras.Model(inputs, keras.layers.Dense(1)(trunk))
    if not as_one:  # Keras cannot make one model of these two.
        critic = keras.Sequential([keras.Input((2, 2, 1)), critic])
    decoder = keras.Sequential(
        [keras.Input((9,)), keras.layers.Dense(4), keras.layers.Reshape((2, 2, 1))]
    )
    latents = JointLatents(GaussianLatents(2), CategoricalLatents([3]))
    training = CriticTraining(updates, optimizer=sgd(0.1))
    model = InfoGAN(encoder, decoder, latents, infogan(0.5), critic, training)
    model.compile(optimizer=keras.optimizers.SGD(0.05), run_eagerly=True)
    return model


@pytest.mark.parametrize(("as_one", "updates"), [(True, 1), (False, 1), (True, 2)])
def test_a_shared_trunk_learns_from_critic_and_information_alone(as_one, updates):
    """Chen et al.'s code: the critic's optimiser has D and Q, the generator's G."""
    model = with_one_trunk(as_one, updates=updates)
    both = [*model.critic.trainable_variables, *model.encoder.trainable_variables[2:]]
    sides = model.critic_variables, model.optimized_variables
    assert [v.path for v in sides[0]] == [v.path for v in both]
    assert [v.path for v in sides[1]] == [
        v.path for v in model.decoder.trainable_variables
    ]
    shape = (8 * updates, 2, 2, 1)
    batch = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    seed = step_seed(0, tf.constant(0, tf.int64))
    own, *keys = tfp.random.split_seed(seed, 1 + updates, "critic")
    start, old = weights(model.critic) + weights(model.encoder), weights(model.decoder)
    reals = np.split(batch.astype(np.float32) / 255.0, updates)
    for real, key in zip(reals, keys, strict=True):
        codes, noise = model.draw(8, tfp.random.split_seed(key, n=2)[0])
        fake = model.generate(codes, noise, True)
        with tf.GradientTape() as tape:
            of_critic = tf.reduce_mean(-tf.math.log_sigmoid(model.critic(real)))
            of_critic += tf.reduce_mean(-tf.math.log_sigmoid(-model.critic(fake)))
            told = information_of(tf.concat(model.encoder(fake), 1), codes)
            total = of_critic - 0.5 * tf.reduce_mean(told)
        for variable, gradient in zip(both, tape.gradient(total, both), strict=True):
            variable.assign_sub(0.1 * gradient)
    moved = weights(model.critic) + weights(model.encoder)
    held = [*model.critic.variables, *model.encoder.variables]
    for variable, value in zip(held, start, strict=True):
        variable.assign(value)
    found = model.train_on_batch(batch, return_dict=True)
    np.testing.assert_allclose(found["critic_loss"], of_critic, rtol=1e-5)
    for variable, expected in zip(held, moved, strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)
    # The generator's step: of the networks as they are now.
    new = weights(model.decoder)
    for variable, value in zip(model.decoder.trainable_variables, old, strict=True):
        variable.assign(value)
    codes, noise = model.draw(8, own)
    with tf.GradientTape() as tape:
        fake = model.generate(codes, noise, True)
        told = information_of(tf.concat(model.encoder(fake), 1), codes)
        loss = tf.reduce_mean(-tf.math.log_sigmoid(model.critic(fake)))
        loss -= 0.5 * tf.reduce_mean(told)
    gradients = tape.gradient(loss, model.decoder.trainable_variables)
    for a, b, g in zip(new, old, gradients, strict=True):
        np.testing.assert_allclose(a, b - 0.05 * g, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["loss"], loss, rtol=1e-5)


def test_shared_layers_are_computed_once():
    """On real images; on generated ones in the critic's and the generator's step."""
    for as_one, count in ((True, 3), (False, 5)):
        model = with_one_trunk(as_one)
        assert (model.pair is not None) == as_one
        model.build_optimizers()
        modes = model.encoder.get_layer("probe").modes
        modes.clear()
        model.train_step(np.zeros((8, 2, 2, 1), np.uint8))
        assert modes == [True] * count


def test_networks_that_share_only_what_is_frozen_learn_apart():
    model = with_one_trunk(frozen=True)
    assert model.pair is not None
    held = weights(model.critic)
    assert len(model.critic_variables) == len(held) == 2
    assert len(model.optimized_variables) == 4 + 2
    heads = weights(model.encoder)
    model.train_on_batch(np.ones((8, 2, 2, 1), np.uint8))
    assert not all_equal(weights(model.encoder), heads)
    assert not all_equal(weights(model.critic), held)


def test_the_critic_learns_in_training_mode_and_validates_in_the_other():
    """What matters to one with dropout or a normalisation."""
    probe = Probe()
    modes = probe.modes

    def critic(shape, *_, seed, dtype):
        inputs = keras.Input(shape if isinstance(shape, tuple) else (shape,))
        hidden = probe(keras.layers.Flatten()(inputs))
        return keras.Model(inputs, keras.layers.Dense(1)(hidden))

    small = {name: NETWORKS[name] for name in ("encoder", "decoder")}
    of_codes = build_vae(SHAPE, objective=factor_vae(), critic=critic, **small)
    for model in (build_infogan(SHAPE, critic=critic, **small), of_codes):
        model.compile(optimizer=keras.optimizers.SGD(0.05), jit_compile=False)
        model.build_optimizers()
        modes.clear()
        model.train_step(images(8 * model.batches_per_step))
        assert len(modes) > 5 and all(mode is True for mode in modes)
        modes.clear()
        model.held_out_terms(images(), tf.constant([0, 0]), tf.constant(0, tf.int64))
        assert modes and not any(modes)


def test_decode_takes_noise_and_zero_is_none():
    model = built()
    codes = np.array([[0.5, -1.0, 2.0], [0.0, 1.0, 0.0]], np.float32)
    plain = model.decode(codes)
    assert plain.shape == (2, *SHAPE) and plain.min() >= 0.0 and plain.max() <= 1.0
    np.testing.assert_array_equal(plain, model.decode(codes, np.zeros((2, 4))))
    noisy = model.decode(codes, np.ones((2, 4)))
    assert not np.allclose(noisy, plain)
    np.testing.assert_allclose(model.reconstruct(images()).shape, (8, *SHAPE))
    assert len(model.decode(codes[:0])) == 0
    # Draws are taken in turn, so that codes three apart share one.
    decode = model.sampler(3, tf.constant([0, 0]))
    same = decode(np.repeat(codes[:1], 7, axis=0))
    np.testing.assert_allclose(same[:3], same[3:6], atol=1e-6)
    assert not np.allclose(same[0], same[1])
    with pytest.raises(checks.ArgumentError, match=r"noise must have shape \(2, 4\)"):
        model.decode(codes, np.zeros((2, 3)))
    with pytest.raises(checks.ArgumentError, match="hold the values 0 to 2"):
        model.decode(codes + 0.5)


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=80)


def run(data, output, steps):
    return undrawn.train(
        functools.partial(
            build_infogan,
            latents=GaussianLatents(3),
            num_noise=2,
            critic_training=CriticTraining(2),
            **NETWORKS,
        ),
        data,
        output=str(output),
        steps=steps,
        batch_size=8,
        validation_size=16,
        intervals=Intervals(log=2, evaluate=2, save=2, pictures=0),
    )


def test_a_run_with_dropout_goes_on_with_the_same_bits(data, tmp_path):
    """Keras counts a layer's draws in a variable that TensorFlow does not find."""

    def encoder(shape, num_outputs, *, seed, dtype):
        images = keras.Input(shape)
        h = keras.layers.AveragePooling2D(8)(images)
        h = keras.layers.Dropout(0.5, seed=seed)(keras.layers.Flatten()(h))
        head = keras.layers.Dense(num_outputs, kernel_initializer="ones")
        return keras.Model(images, head(h))

    def trained(output, *steps):
        make = functools.partial(build_infogan, **{**NETWORKS, "encoder": encoder})
        for count in steps:
            result = undrawn.train(
                functools.partial(make, critic_training=CriticTraining(1)),
                data,
                output=str(tmp_path / output),
                steps=count,
                batch_size=8,
                validation_size=16,
                intervals=Intervals(log=1, evaluate=2, save=2, pictures=0),
            )
        return weights(result.model.encoder)

    assert all_equal(trained("whole", 4), trained("in parts", 2, 4))


def test_a_run_says_what_its_codes_tell_and_keeps_no_best(data, tmp_path):
    result = run(data, tmp_path, 2)
    row = result.folder.rows()[-1]
    each = row["information_per_latent"]
    np.testing.assert_allclose(sum(each), row["val_information"], rtol=1e-4)
    assert "val_elbo" not in row and "val_wasserstein" in row
    assert not (result.folder.checkpoints / "best").exists()
    assert result.folder.describe()["model"]["class_name"].endswith("InfoGAN")
    with pytest.raises(checks.ArgumentError, match=r"have a likelihood.*InfoGAN"):
        log_evidence(result.model, data.images()[:2])


def test_a_category_finds_two_clusters_of_points():
    """The claim itself. Without noise, which could choose the cluster as well."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(2, size=4096)
    points = np.stack([4.0 * cluster - 2.0, np.zeros(4096)], axis=1)
    points = (points + 0.3 * rng.normal(size=points.shape)).astype(np.float32)
    points = points[:, np.newaxis, np.newaxis]
    wide = {"width": 32, "num_layers": 2}
    adam = functools.partial(keras.optimizers.Adam, 3e-3, beta_1=0.5, beta_2=0.9)
    model = build_infogan(
        (1, 1, 2),
        latents=CategoricalLatents([2]),
        num_noise=0,
        encoder=functools.partial(mlp_encoder, **wide),
        decoder=functools.partial(mlp_decoder, **wide),
        critic=functools.partial(mlp_encoder, **wide),
        critic_training=CriticTraining(5, optimizer=adam),
    )
    model.compile(optimizer=adam(), jit_compile=False)
    model.build_optimizers()
    step = tf.function(model.train_step)
    made = []
    for i in range(300):
        step(tf.constant(points[rng.integers(4096, size=320)]))
        if i >= 200:
            made.append(model.decode(np.array([[0.0], [1.0]]))[:, 0, 0])
    codes = model.encode(points)[:, 0]
    assert max(np.mean(codes == cluster), np.mean(codes != cluster)) > 0.99
    # The game goes round the balance: where it ends after a step is the rounding's.
    made = np.median(made, axis=0)
    np.testing.assert_allclose(np.sort(made[:, 0]), [-2.0, 2.0], atol=1.0)
    np.testing.assert_allclose(model.encode(made[:, None, None])[:, 0], [0, 1])


def test_parts_that_do_not_fit():
    parts = {"latents": GaussianLatents(3), **NETWORKS}
    with pytest.raises(
        checks.ArgumentError, match="second_batch must be False for Inf"
    ):
        build_infogan(SHAPE, critic_training=CriticTraining(second_batch=True), **parts)
    with pytest.raises(checks.ArgumentError, match="num_noise must be at least 0"):
        build_infogan(SHAPE, num_noise=-1, **parts)
    encoder = conv_encoder(SHAPE, 6, seed=0, width=8)
    critic = conv_encoder(SHAPE, 1, seed=0, width=8)
    decoder = conv_decoder(3, SHAPE, seed=0, width=8)
    rest = GaussianLatents(3), infogan()
    with pytest.raises(checks.ArgumentError, match="critic must map images"):
        InfoGAN(encoder, decoder, *rest, encoder)
    few = conv_decoder(2, SHAPE, seed=0, width=8)
    with pytest.raises(checks.ArgumentError, match="decoder must take at least 3"):
        InfoGAN(encoder, few, *rest, critic)
    wide = conv_decoder(3, (32, 32, 3), seed=0, width=8)
    with pytest.raises(checks.ArgumentError, match="decoder must emit 1 channels"):
        InfoGAN(encoder, wide, *rest, critic)
    with pytest.raises(checks.ArgumentTypeError, match="critic must be Model"):
        InfoGAN(encoder, decoder, *rest, None)
    pair = functools.partial(infogan_pair, width=4)
    shape, latents = (8, 8, 1), GaussianLatents(3)
    with pytest.raises(checks.ArgumentError, match="critic must be left out"):
        build_infogan(shape, latents=latents, encoder=pair, critic=critic)
    with pytest.raises(
        checks.ArgumentError, match=r"return one keras\.Model; received t"
    ):
        build_vae(shape, latents=latents, encoder=infogan_pair)
    with pytest.raises(checks.ArgumentTypeError, match="objective must be Adversarial"):
        InfoGAN(encoder, decoder, GaussianLatents(3), factor_vae(), critic)
    with pytest.raises(checks.ArgumentTypeError, match="objective must be Adversarial"):
        build_infogan(SHAPE, objective=infogan, **parts)
