"""What Keras's optimisers offer, against updates by hand, of both sides of a model."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tf_disentangle import checks, networks, objectives
from tf_disentangle.models import CriticTraining, build_infogan, build_vae
from tf_disentangle.models.fitting import step_seed
from tf_disentangle.models.optimizers import checked_optimizer

SHAPE, RATE = (4, 4, 1), 0.05
IMAGES = np.random.default_rng(0).integers(0, 256, (16, *SHAPE), dtype=np.uint8)
MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=3),
    "decoder": functools.partial(networks.mlp_decoder, width=3),
}


def pair(image_shape, num_outputs, *, seed, dtype):
    """A recognition network and a critic that share a layer."""
    encoder = networks.mlp_encoder(image_shape, num_outputs, seed=seed, width=3)
    trunk = encoder.layers[-2].output
    head = keras.layers.Dense(1, name="head_critic", dtype="float32")
    head.build(trunk.shape)
    head.kernel.assign(np.linspace(-0.9, 1.0, trunk.shape[-1])[:, np.newaxis])
    return encoder, keras.Model(encoder.inputs, head(trunk))


def build(kind, optimizer=None):
    training = CriticTraining(1, optimizer=optimizer)
    options = {"latents": 2, "critic_training": training, **MLP}
    if kind == "one trunk":
        return build_infogan(SHAPE, 1, num_noise=1, **options | {"encoder": pair})
    if kind == "infogan":
        critic = functools.partial(networks.mlp_encoder, width=3)
        return build_infogan(SHAPE, 1, num_noise=1, critic=critic, **options)
    critic = functools.partial(networks.mlp_critic, width=3, num_layers=1)
    objective = objectives.factor_vae(3.0) if kind == "factor_vae" else None
    return build_vae(SHAPE, 1, objective=objective, critic=critic, **options)


def trained(kind, make, steps=4):
    """A model after `fit`, with the same optimiser on both sides."""
    model = build(kind, make)
    model.compile(make(), run_eagerly=True)
    model.fit(IMAGES, batch_size=16 // 4, shuffle=False, verbose=0)
    assert int(model.steps_done) == steps
    return model


def sides(model):
    """The variables that each optimiser moves, by its name."""
    found = {"optimizer": list(model.optimized_variables)}
    if hasattr(model, "critic"):
        found["critic_optimizer"] = model.critic_variables
    return found


def gradients(model, step, update):
    """Takes a step: hands each side's gradients to `update`, in the order of old."""
    images = IMAGES[4 * step : 4 * step + 4]
    step = tf.constant(step, tf.int64)
    seed, variables = step_seed(model.seed, step), sides(model)

    def move(side, loss):
        with tf.GradientTape() as tape:
            value, rest = loss()
        update(side, tape.gradient(value, variables[side]))
        return rest

    own, *seeds = tfp.random.split_seed(seed, n=2, salt="critic")
    if "critic" not in model.parts or hasattr(model, "penalty"):

        def of_vae():
            inference = model.infer(images, seed, step, True)
            terms = model.terms(images, inference, True).scalars()
            return terms["loss"], inference

        inference = move("optimizer", of_vae)
        if hasattr(model, "penalty"):
            sample = inference.sample
            loss = functools.partial(model.penalty.critic_loss, inference, sample)
            move("critic_optimizer", lambda: (loss(seeds[0]), None))
        return
    draw_seed, critic_seed = tfp.random.split_seed(seeds[0], n=2)
    real = tf.cast(images, tf.float32) / 255.0
    codes, noise = model.draw(4, draw_seed)
    generated = model.generate(codes, noise, True)

    def of_critic():
        logits = model.critic(generated, training=True)
        terms = model.critic_terms(real, generated, logits, critic_seed, True)
        if not model.shares_layers:
            return terms["critic_loss"], None
        told = model.posterior_of(generated, True).information(codes)
        return terms["critic_loss"] - tf.reduce_mean(tf.reduce_sum(told, 1)), None

    move("critic_optimizer", of_critic)
    codes, noise = model.draw(4, own)

    def of_generator():
        generated = model.generate(codes, noise, True)
        both = model.information_and_logits(generated, codes, True)
        return model.objective.generator_terms(model.latents, *both)["loss"], None

    move("optimizer", of_generator)


def by_hand(kind, rule, steps=4):
    """The model after as many steps of `rule(t, variables, gradients, memory)`."""
    model = build(kind)
    variables, memory = sides(model), {}
    for t in range(steps):

        def update(side, found, t=t):
            found = [g.numpy().astype(np.float64) for g in found]
            old = [v.numpy().astype(np.float64) for v in variables[side]]
            new = rule(t, old, found, memory.setdefault(side, {}))
            for v, value in zip(variables[side], new, strict=True):
                v.assign(value)

        gradients(model, t, update)
    for side, held in memory.items():
        for v, value in zip(variables[side], held.get("average", []), strict=False):
            v.assign(value)
    return model


def sgd(_, old, found, memory):
    return [v - RATE * g for v, g in zip(old, found, strict=True)]


def clipped_by_norm(t, old, found, memory):
    norms = [max(np.linalg.norm(g), 0.1) for g in found]
    return sgd(t, old, [g * 0.1 / n for g, n in zip(found, norms, strict=True)], memory)


def clipped_by_global_norm(t, old, found, memory):
    norm = np.sqrt(sum(np.sum(g**2) for g in found))
    return sgd(t, old, [g * min(1, 0.1 / norm) for g in found], memory)


def clipped_by_value(t, old, found, memory):
    return sgd(t, old, [np.clip(g, -0.01, 0.01) for g in found], memory)


def decayed(t, old, found, memory):
    return sgd(t, [v - 0.1 * RATE * v for v in old], found, memory)


def averaged(t, old, found, memory):
    new = sgd(t, old, found, memory)
    before = memory.get("average", new)
    memory["average"] = [0.8 * a + 0.2 * v for a, v in zip(before, new, strict=True)]
    return new


def accumulated(t, old, found, memory):
    if t % 2 == 0:
        memory["first"] = found
        return old
    pairs = zip(memory["first"], found, strict=True)
    return sgd(t, old, [(a + b) / 2 for a, b in pairs], memory)


def amsgrad(t, old, found, memory):
    zeros = [np.zeros_like(g) for g in found]
    m, v, top = (memory.setdefault(k, list(zeros)) for k in "mvt")
    scale = RATE * np.sqrt(1 - 0.999 ** (t + 1)) / (1 - 0.9 ** (t + 1))
    new = []
    for i, g in enumerate(found):
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.999 * v[i] + 0.001 * g**2
        top[i] = np.maximum(top[i], v[i])
        new.append(old[i] - scale * m[i] / (np.sqrt(top[i]) + 1e-7))
    return new


SGD = functools.partial(keras.optimizers.SGD, RATE)
OPTIONS = {
    "plain": (SGD, sgd),
    "clipnorm": (functools.partial(SGD, clipnorm=0.1), clipped_by_norm),
    "global_clipnorm": (
        functools.partial(SGD, global_clipnorm=0.1),
        clipped_by_global_norm,
    ),
    "clipvalue": (functools.partial(SGD, clipvalue=0.01), clipped_by_value),
    "weight_decay": (functools.partial(SGD, weight_decay=0.1), decayed),
    "use_ema": (functools.partial(SGD, use_ema=True, ema_momentum=0.8), averaged),
    "gradient_accumulation_steps": (
        functools.partial(SGD, gradient_accumulation_steps=2),
        accumulated,
    ),
    "loss_scale_factor": (functools.partial(SGD, loss_scale_factor=64.0), sgd),
    "LossScaleOptimizer": (lambda: keras.optimizers.LossScaleOptimizer(SGD()), sgd),
    "amsgrad": (
        functools.partial(keras.optimizers.Adam, RATE, amsgrad=True),
        amsgrad,
    ),
}


# Those that scale the loss, count or end the training: on both sides of a model.
BOTH = ("use_ema", "gradient_accumulation_steps", "LossScaleOptimizer", "clipnorm")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("vae", name) for name in OPTIONS),
        *(("infogan", name) for name in BOTH),
        *(("one trunk", name) for name in BOTH),
        # Both sides of a model by the same code as InfoGAN's.
        *(pytest.param("factor_vae", n, marks=pytest.mark.slow) for n in BOTH),
    ],
)
def test_every_option_moves_the_weights_as_its_formula_says(kind, name):
    make, rule = OPTIONS[name]
    model, expected = trained(kind, make), by_hand(kind, rule)
    for side, variables in sides(expected).items():
        for a, b in zip(sides(model)[side], variables, strict=True):
            np.testing.assert_allclose(
                a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5, err_msg=f"{side} {a.path}"
            )


@pytest.mark.parametrize("kind", ["vae", "infogan", "one trunk"])
def test_under_mixed_float16_updates_are_those_of_float32(kind):
    expected = trained(kind, SGD)
    policy = keras.config.dtype_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = trained(kind, SGD)
        for optimizer in model.optimizers.values():
            assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or (
                kind == "vae"
            )
        assert model(IMAGES / 255.0).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy(policy)
    for a, b in zip(model.trainable_weights, expected.trainable_weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-5)


def test_a_step_is_a_batch_whatever_the_optimiser_counts():
    """Each draws anew, and schedules of the objective go by steps."""
    model = build("vae")
    model.compile(SGD(gradient_accumulation_steps=2))
    model.fit(IMAGES, batch_size=4, epochs=2, verbose=0)
    assert int(model.steps_done) == 8 and int(model.optimizer.iterations) == 4
    model.compile(SGD())
    assert int(model.steps_done) == 0


def test_the_optimisers_that_keras_names_are_taken_and_numbers_checked():
    model = build("vae")
    model.compile("rmsprop")
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)
    model.compile()
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-4)
    with pytest.raises(checks.ArgumentError, match="learning_rate must be at least 0"):
        model.compile(keras.optimizers.SGD(-1.0))
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(beta_1=1.5))
    with pytest.raises(checks.ArgumentError, match="beta_1 must be less than 1"):
        checked_optimizer(scaled)
