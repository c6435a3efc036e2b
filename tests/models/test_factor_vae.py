"""A VAE with a critic: who moves what, from where, and by how many passes."""

import dataclasses
import functools
import shutil

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
from tf_disentangle.models import VAE, CriticTraining, FactorVAE, build_vae
from tf_disentangle.models.fitting import step_seed
from tf_disentangle.networks import conv_decoder, conv_encoder, mlp_critic
from tf_disentangle.objectives import (
    CriticTotalCorrelation,
    Inference,
    Objective,
    critic_total_correlation,
    elbo,
    factor_vae,
    joint_vae,
)
from tf_disentangle.objectives.factor_vae import permute_latents
from tf_disentangle.priors import (
    InverseWishartPrior,
)
from tf_disentangle.training import Device, Intervals
from tf_disentangle.training.checkpoints import restore_weights

NETWORKS = {
    "encoder": functools.partial(conv_encoder, width=8),
    "decoder": functools.partial(conv_decoder, width=8),
    "critic": functools.partial(mlp_critic, width=8, num_layers=2),
}


def built(objective=None, updates=1, second_batch=False, rate=0.1, latents=None):
    """A compiled model; its main optimiser is SGD too."""
    objective = factor_vae(3.0) if objective is None else objective
    training = CriticTraining(updates, second_batch, sgd(rate))
    latents = GaussianLatents(3) if latents is None else latents
    model = build_vae(
        SHAPE,
        1,
        latents=latents,
        objective=objective,
        critic_training=training,
        **NETWORKS,
    )
    model.num_examples = 100
    model.compile(optimizer=keras.optimizers.SGD(1e-4), jit_compile=False)
    model.build_optimizers()
    return model


def test_the_objective_chooses_the_model():
    assert type(built(elbo())) is VAE
    assert type(built()) is FactorVAE
    alone = Objective("mine", penalties=(CriticTotalCorrelation(1.0),))
    assert type(built(alone)) is FactorVAE


def test_the_librarys_critics_keep_the_weights_of_recorded_runs():
    small = functools.partial(mlp_critic, width=8)
    objective = factor_vae()
    for critic in (small, functools.partial(small, num_layers=2)):
        model = build_vae(SHAPE, 3, latents=2, objective=objective, critic=critic)
        expected = critic(2, seed=3 + 2**63).get_weights()
        assert all_equal(model.critic.get_weights(), expected)


@pytest.mark.parametrize("second_batch", [False, True])
def test_with_gamma_zero_the_vae_is_trained_as_without_a_critic(second_batch):
    """Bit for bit: a second batch and the critic's draws change nothing of it."""
    model, plain = built(factor_vae(0.0), 2, second_batch), built(elbo())
    for seed in range(3):
        batch, further = images(seed=seed), images(seed=10 + seed)
        model.train_step(tf.concat([batch, further][: 1 + second_batch], axis=0))
        plain.train_step(batch)
    for name, part in plain.parts.items():
        assert all_equal(weights(part), weights(getattr(model, name)))
    rows, expected = model.get_metrics_result(), plain.get_metrics_result()
    assert set(rows) == {*expected, "weighted_critic_total_correlation", "critic_loss"}
    for name, value in expected.items():
        np.testing.assert_allclose(rows[name], value, rtol=1e-6)


def by_hand(model, batch, second):
    """One step of both sides from the same weights, in formulas of its own."""
    seed, step = step_seed(1, tf.constant(0, tf.int64)), tf.constant(0, tf.int64)
    others_seed, *seeds = tfp.random.split_seed(
        seed, n=1 + model.critic_training.updates, salt="critic"
    )
    posterior_of = functools.partial(model.posterior, training=True)
    with tf.GradientTape() as tape:
        inference = model.infer(batch, seed, step, True)
        terms = model.terms(batch, inference, True)
        logits = model.critic(inference.sample)
        loss = -tf.reduce_mean(terms.elbo()) + 3.0 * tf.reduce_mean(logits)
    main = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    gradients = tape.gradient(loss, main)
    expected = [v - 1e-4 * g for v, g in zip(main, gradients, strict=True)]
    z = inference.sample
    others = z if second is None else posterior_of(second).sample(seed=others_seed)
    critic = keras.models.clone_model(model.critic)
    critic.set_weights(model.critic.get_weights())
    for s in seeds:
        with tf.GradientTape() as tape:
            probability = (
                tf.sigmoid(critic(z)),
                tf.sigmoid(critic(permute_latents(others, model.latents.groups, s))),
            )
            logs = tf.math.log(probability[0]) + tf.math.log(1 - probability[1])
            loss = -0.5 * tf.reduce_mean(logs)
        gradients = tape.gradient(loss, critic.trainable_variables)
        for v, g in zip(critic.trainable_variables, gradients, strict=True):
            v.assign_sub(0.1 * g)
    return expected, weights(critic)


@pytest.mark.parametrize("updates", [1, 3])
@pytest.mark.parametrize("second_batch", [False, True])
def test_a_step_moves_both_sides_from_where_they_stood(updates, second_batch):
    model = built(updates=updates, second_batch=second_batch)
    batch, second = images(), images(seed=1) if second_batch else None
    expected, critic = by_hand(model, batch, second)
    before = model.critic.get_weights()
    model.train_step(batch if second is None else tf.concat([batch, second], axis=0))
    found = [*weights(model.encoder), *weights(model.decoder)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b, old in zip(weights(model.critic), critic, before, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert not np.array_equal(a, old)


def test_each_optimiser_moves_its_own_and_no_other():
    model = built(
        rate=0.0, latents=GaussianLatents(3, "full", InverseWishartPrior(9.0))
    )
    critic, encoder = weights(model.critic), weights(model.encoder)
    model.train_step(images())
    assert all_equal(weights(model.critic), critic)
    assert not all_equal(weights(model.encoder), encoder)
    moved = {id(v) for v in model.optimized_variables}
    assert not moved & {id(v) for v in model.critic.trainable_variables}
    assert len(moved) + len(critic) == len(model.trainable_variables)
    model = built()
    model.optimizer.learning_rate = 0.0
    critic, encoder = weights(model.critic), weights(model.encoder)
    model.train_step(images())
    assert not all_equal(weights(model.critic), critic)
    assert all_equal(weights(model.encoder), encoder)


@pytest.mark.parametrize("second_batch", [False, True])
def test_the_encoder_sees_each_image_once(second_batch, monkeypatch):
    model = built(updates=3, second_batch=second_batch)
    seen, encoder = [], model.encoder

    class Counted:
        trainable_variables = encoder.trainable_variables

        def __call__(self, batch, training):
            seen.append(len(batch))
            return encoder(batch, training=training)

    monkeypatch.setattr(
        model,
        "posterior",
        lambda x, training=False: model.latents.posterior(
            Counted()(tf.cast(x, tf.float32) / 255.0, training)
        ),
    )
    model.train_step(images(16 if second_batch else 8))
    assert seen == ([8, 8] if second_batch else [8])


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_the_critic_learns_the_total_correlation_of_normals(rho):
    """benchmarks/critic_tc.py has bias and spread; here, that they are small."""
    adam = functools.partial(keras.optimizers.Adam, 2e-3, beta_1=0.5, beta_2=0.9)
    wide = functools.partial(mlp_critic, width=32, num_layers=2)
    model = build_vae(
        SHAPE,
        latents=GaussianLatents(3),
        objective=factor_vae(),
        critic_training=CriticTraining(optimizer=adam),
        **{**NETWORKS, "critic": wide},
    )
    model.critic_optimizer.build(model.critic.trainable_variables)
    covariance = rho * np.ones((3, 3)) + (1 - rho) * np.eye(3)
    factor = tf.constant(np.linalg.cholesky(covariance), tf.float32)

    def inference(count, seed):
        z = tf.random.stateless_normal([count, 3], seed) @ tf.transpose(factor)
        return Inference(model.latents, None, z, 0, seed, critic=model.critic)

    @tf.function
    def update(seed):
        batch = inference(256, seed)
        loss = functools.partial(model.penalty.critic_loss, batch, batch.sample)
        return model.update_critic(lambda: (loss(seed + 1), {}))

    for step in range(1500):
        update(tf.constant([7, step]))
    found = critic_total_correlation(inference(20_000, tf.constant([8, 0]))).numpy()
    exact = -0.5 * np.linalg.slogdet(covariance)[1]
    assert abs(found.mean() - exact) < 0.05 + 0.1 * exact


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=80)


def run(data, output, steps=4, **options):
    model = functools.partial(
        build_vae,
        latents=GaussianLatents(3),
        objective=factor_vae(3.0),
        critic_training=CriticTraining(2, second_batch=True),
        **NETWORKS,
    )
    return undrawn.train(
        model,
        data,
        output=str(output),
        steps=steps,
        batch_size=8,
        validation_size=16,
        intervals=Intervals(log=2, evaluate=2, save=2, pictures=0),
        **options,
    )


def state(model):
    held = [model, *model.optimizers.values()]
    return [v.numpy() for part in held for v in part.variables]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run of four steps."""
    return run(data, tmp_path_factory.mktemp("whole"), diagnosed=True)


def as_if_killed(whole, folder):
    """Copies a run as it was after two steps."""
    shutil.copytree(whole.folder.path, folder)
    shutil.rmtree(folder / "checkpoints" / "step-4")
    return folder


def test_a_run_resumes_bit_for_bit_with_both_optimisers(data, whole, tmp_path):
    resumed = run(data, as_if_killed(whole, tmp_path / "b"))
    assert all_equal(state(whole.model), state(resumed.model))
    assert int(whole.model.optimizer.iterations) == 4
    assert int(whole.model.critic_optimizer.iterations) == 8
    row = whole.folder.rows()[-1]
    views = ("critic_total", "gaussian_total", "total")
    assert {f"val_{name}_correlation" for name in views} <= set(row)


def test_a_critic_beside_categorical_latents():
    """The penalty on JointVAE's latents: both sides train."""
    critic = CriticTotalCorrelation(3.0)
    objective = dataclasses.replace(joint_vae(), penalties=(critic,))
    latents = JointLatents(GaussianLatents(3), CategoricalLatents([4]))
    model = built(objective, latents=latents)
    assert model.critic.input_shape == (None, 3 + 4)
    encoder, others = weights(model.encoder), weights(model.critic)
    model.train_step(images())
    assert not all_equal(weights(model.encoder), encoder)
    assert not all_equal(weights(model.critic), others)
    names = {"kl_discrete", "weighted_critic_total_correlation", "critic_loss"}
    assert names <= set(model.get_metrics_result())


def test_the_critics_optimiser_is_part_of_the_runs_identity(data, whole):
    mine = dataclasses.replace(whole.model.critic_training, optimizer=sgd())
    other = functools.partial(
        build_vae,
        latents=GaussianLatents(3),
        objective=factor_vae(3.0),
        critic_training=mine,
        **NETWORKS,
    )
    options = {"output": str(whole.folder.path), "steps": 4, "batch_size": 8}
    words = r"critic_training\.optimizer.*was 'Adam', is 'SGD'"
    with pytest.raises(checks.ArgumentError, match=words):
        undrawn.train(other, data, validation_size=16, **options)


def test_a_warm_start_takes_the_critic_along(whole):
    wide = build_vae(
        (64, 64, 1), latents=GaussianLatents(3), objective=factor_vae(), **NETWORKS
    )
    assert not all_equal(weights(wide.critic), weights(whole.model.critic))
    restore_weights(wide, whole.folder.checkpoints / "step-4")
    assert all_equal(weights(wide.critic), weights(whole.model.critic))


def test_a_second_batch_needs_twice_the_images(data, tmp_path):
    words = "at most 32, .* 2 x batch_size of the 64 .*second_batch = False"
    with pytest.raises(checks.ArgumentError, match=words):
        undrawn.train(
            functools.partial(
                build_vae,
                objective=factor_vae(),
                critic_training=CriticTraining(second_batch=True),
                **NETWORKS,
            ),
            data,
            output=str(tmp_path),
            steps=2,
            batch_size=33,
            validation_size=16,
        )


def test_parts_that_do_not_fit():
    encoder = conv_encoder(SHAPE, 6, seed=0, width=8)
    decoder = conv_decoder(3, SHAPE, seed=0, width=8)
    parts = (encoder, decoder, GaussianLatents(3))
    critic = mlp_critic(3, seed=0, width=8)
    with pytest.raises(checks.ArgumentError, match="critic must be there for an obj"):
        VAE(*parts, factor_vae())
    with pytest.raises(checks.ArgumentError, match="exactly one that needs a critic"):
        FactorVAE(*parts, elbo(), critic)
    two = (CriticTotalCorrelation(1.0), CriticTotalCorrelation(1.0, name="other"))
    with pytest.raises(checks.ArgumentError, match="Each would need its own critic"):
        FactorVAE(*parts, Objective("mine", penalties=two), critic)
    with pytest.raises(checks.ArgumentError, match="map 3 numbers to one"):
        FactorVAE(*parts, factor_vae(), mlp_critic(4, seed=0, width=8))
    with pytest.raises(checks.ArgumentError, match="updates must be at least 1"):
        CriticTraining(updates=0)
    with pytest.raises(checks.ArgumentTypeError, match="second_batch must be bool"):
        CriticTraining(second_batch=1)
    with pytest.raises(checks.ArgumentTypeError, match="critic_training must be Crit"):
        build_vae(SHAPE, objective=factor_vae(), critic_training=CriticTraining)


TWO_DEVICES = """
import dataclasses, functools, keras, numpy as np, shutil, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import tensorflow_probability as tfp
from tests import undrawn
from tf_disentangle import datasets, models, networks, training, latents, objectives
from tf_disentangle.training.checkpoints import restore_weights

class Certain(latents.Posterior):
    def kl(self, sample, seed):
        return {"kl": 0 * sample[:, 0]}
    def marginal_kl(self, sample):
        return 0 * sample

class Sure(latents.GaussianLatents):
    def posterior(self, parameters):
        loc = parameters[:, :self.num_latents]
        normal = tfp.distributions.MultivariateNormalDiag(loc, 1e-20 + 0 * loc)
        return Certain(self, normal)

@dataclasses.dataclass(frozen=True)
class Unpermuted(objectives.CriticTotalCorrelation):
    # No draws, so that one device and two must agree.
    def critic_loss(self, inference, others, seed):
        return tf.reduce_mean(inference.critic(tf.stop_gradient(inference.sample)) ** 2)

def build(shape, seed):
    sgd = lambda: keras.optimizers.SGD(1e-2, momentum=0.9)
    return models.build_vae(shape, seed, latents=Sure(4),
        objective=objectives.Objective("mine", penalties=(Unpermuted(3.0),)),
        encoder=functools.partial(networks.conv_encoder, width=8),
        decoder=functools.partial(networks.conv_decoder, width=8),
        critic=functools.partial(networks.mlp_critic, width=8),
        critic_training=models.CriticTraining(2, optimizer=sgd))

data = datasets.CorrelatedEllipses(num_images=80)

def run(output, steps, strategy):
    return undrawn.train(build, data, output="OUT/" + output, steps=steps,
        batch_size=8, validation_size=16,
        intervals=training.Intervals(log=2, save=2, evaluate=0, pictures=0),
        optimizer=lambda: keras.optimizers.SGD(1e-4, momentum=0.9),
        device=training.Device(strategy=strategy))

def state(result):
    held = [result.model, *result.model.optimizers.values()]
    return [v.numpy() for part in held for v in part.variables]

# The gradients of both sides are those of the whole batch (of a second one each device
# would take its own part of the images).
one, two = run("one", 2, "one"), run("two", 4, "mirrored")
assert two.folder.describe()["replicas"] == 2
after_two = [v.numpy() for v in one.model.trainable_variables]
checkpoints = two.folder.path / "checkpoints"
restore_weights(one.model, checkpoints / "step-2")
for a, b in zip(after_two, one.model.trainable_variables):
    np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-6)
critic_loss = two.folder.rows()[0]["critic_loss"]
assert abs(one.terms["critic_loss"] / critic_loss - 1) < 1e-3

# And as if killed after two steps, it goes on bit for bit.
shutil.rmtree(checkpoints / "step-4")
for a, b in zip(state(two), state(run("two", 4, "mirrored"))):
    np.testing.assert_array_equal(a, b)
"""


# training/test_loop.py has two devices with a model of one player.
@pytest.mark.slow
def test_two_virtual_devices(warm, tmp_path):
    """In a process of its own: devices are set before TensorFlow runs anything."""
    done = warm.run(TWO_DEVICES.replace("OUT", str(tmp_path)))
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.slow
def test_draws_and_a_second_batch_under_a_strategy(data, whole, tmp_path):
    """Of one device here; the same run as without a strategy."""
    result = run(data, tmp_path, device=Device(strategy="mirrored"))
    for a, b in zip(state(whole.model), state(result.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_codes_and_permuted_ones_are_judged_in_one_pass_as_in_two():
    model = built()
    inference = model.infer(images(8), tf.constant([0, 1]))
    judged = []

    def critic(samples):
        judged.append(samples)
        return inference.critic(samples)

    seed = tf.constant([2, 3])
    watched = inference._replace(critic=critic)
    loss = model.penalty.critic_loss(watched, inference.sample, seed)
    assert [len(samples) for samples in judged] == [16]
    permuted = permute_latents(inference.sample, inference.latents.groups, seed)
    of_codes = -model.critic(inference.sample).numpy()
    of_permuted = model.critic(permuted).numpy()
    expected = (np.logaddexp(0, of_codes) + np.logaddexp(0, of_permuted)).mean() / 2
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert abs(loss - np.log(2.0)) > 1e-6
