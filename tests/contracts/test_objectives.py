"""What every objective, and every part for one, must do; without a row it fails."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import configs
from tf_disentangle.latents import (
    CategoricalLatents,
    GaussianLatents,
    JointLatents,
    LocationScaleLatents,
)
from tf_disentangle.objectives import (
    ADVERSARIAL_OBJECTIVES,
    KL_TERMS,
    OBJECTIVES,
    PENALTIES,
    SCHEDULES,
    ConstantSchedule,
    CyclicSchedule,
    Inference,
    InvariantCategories,
    LinearSchedule,
    Objective,
    annealed_vae,
    beta_vae,
    elbo,
    joint_vae,
)
from tf_disentangle.priors import InverseWishartPrior

PLAIN = GaussianLatents(2)
HIERARCHICAL = GaussianLatents(2, "full", InverseWishartPrior(9.0))
LAPLACE = LocationScaleLatents(2, "laplace")
JOINT = JointLatents(GaussianLatents(2), CategoricalLatents([3, 2]))
ROWS = {
    "annealed_vae": PLAIN,
    "beta_tcvae": LAPLACE,
    "beta_vae": PLAIN,
    "cfactor_vae": PLAIN,
    "chyvae": HIERARCHICAL,
    "decomposition_vae": LAPLACE,
    "dip_vae_i": PLAIN,
    "dip_vae_ii": HIERARCHICAL,
    "elbo": PLAIN,
    "factor_vae": HIERARCHICAL,
    "joint_vae": JOINT,
}
PENALTY_ROWS = {
    "AggregateDivergence": {},
    "CovariancePenalty": {"lambda_od": 2.0, "lambda_d": 3.0, "of": "samples"},
    "CriticTotalCorrelation": {},
    "DimensionKL": {},
    "InvariantCategories": {},
    "MutualInformation": {},
    "TotalCorrelation": {},
}
KL_TERM_ROWS = {
    "CapacityKL": {"capacity": ConstantSchedule(3.0)},
    "JointCapacityKL": {
        "capacity": ConstantSchedule(3.0),
        "discrete_capacity": ConstantSchedule(1.0),
    },
    "WeightedGroups": {"beta": 2.0, "discrete_beta": 3.0},
    "WeightedKL": {"beta": 2.0},
}


def critic(samples):
    """A fixed one, for objectives that need it."""
    return tf.reduce_sum(tf.square(samples), axis=1, keepdims=True)


def test_every_objective_and_part_has_a_row():
    assert set(ROWS) == set(OBJECTIVES)
    assert set(PENALTY_ROWS) == set(PENALTIES)
    assert set(KL_TERM_ROWS) == set(KL_TERMS)


@pytest.fixture(params=ROWS)
def case(request):
    return OBJECTIVES[request.param](), ROWS[request.param]


def terms(objective, latents, rows=slice(None), step=0):
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(6, 4, 4, 1)).astype("float32")
    raw = rng.normal(size=(6, latents.num_parameters)).astype("float32")
    outputs = rng.normal(size=(6, 4, 4, 1)).astype("float32")
    posterior = latents.posterior(raw[rows])
    sample = posterior.sample(seed=[1, 2])
    step, seed = tf.constant(step, tf.int64), tf.constant([3, 4])
    other = latents.posterior(tf.sin(raw[rows]))
    inference = Inference(
        latents, posterior, sample, step, seed, 30, critic, lambda change: other
    )
    return objective(images[rows], outputs[rows], inference)


def test_is_data_of_the_one_type_and_names_itself(case):
    objective, latents = case
    assert isinstance(objective, Objective)
    assert OBJECTIVES[objective.name]() == objective
    objective.check(latents, critic)


def test_names_shapes_and_finiteness(case):
    objective, latents = case
    actual = terms(objective, latents)
    scalars = actual.scalars()
    assert tuple(scalars) == objective.term_names(latents)
    assert all(v.shape == [] and np.isfinite(v) for v in scalars.values())
    assert actual.log_likelihood.shape == actual.elbo().shape == [6]
    assert all(part.shape == [6] for part in actual.kl.values())
    assert actual.kl_term.shape in ([6], [])


def test_likelihood_of_an_image_does_not_depend_on_its_batch(case):
    objective, latents = case
    full_batch = terms(objective, latents).log_likelihood
    half = terms(objective, latents, slice(0, 3)).log_likelihood
    np.testing.assert_allclose(full_batch[:3], half, rtol=1e-5)


def test_elbo_is_a_bound_and_not_what_is_weighed(case):
    """Equal to likelihood minus all KL parts, whatever the loss makes of them."""
    objective, latents = case
    actual = terms(objective, latents)
    total = sum(part.numpy() for part in actual.kl.values())
    np.testing.assert_allclose(actual.elbo(), actual.log_likelihood - total, rtol=1e-5)


@pytest.fixture(params=PENALTY_ROWS)
def penalty(request):
    return PENALTIES[request.param](**PENALTY_ROWS[request.param])


@pytest.mark.parametrize("latents", [PLAIN, HIERARCHICAL, LAPLACE, JOINT], ids=repr)
def test_penalty_in_any_latent_space_has_value_gradient_and_graph(penalty, latents):
    def value(raw):
        posterior = latents.posterior(raw)
        sample = posterior.sample(seed=[1, 2])
        step, seed = tf.constant(0, tf.int64), tf.constant([3, 4])
        inference = Inference(
            *(latents, posterior, sample, step, seed, 30, critic),
            reencode=lambda change: latents.posterior(tf.sin(raw)),
        )
        return penalty(inference)

    rng = np.random.default_rng(0)
    raw = tf.constant(rng.normal(size=(6, latents.num_parameters)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(raw)
        actual = value(raw)
    if isinstance(penalty, InvariantCategories) and latents is not JOINT:
        assert actual.numpy() == 0.0, "no categories, nothing to say"
        return
    gradient = tape.gradient(actual, raw).numpy()
    assert actual.shape in ([6], []) and np.isfinite(actual).all()
    assert np.isfinite(gradient).all() and gradient.any()
    graph = tf.function(value, autograph=False)
    np.testing.assert_allclose(graph(raw), actual, rtol=1e-5, atol=1e-6)
    # XLA: each penalty in one space.
    if latents is HIERARCHICAL or isinstance(penalty, InvariantCategories):
        compiled = tf.function(value, autograph=False, jit_compile=True)(raw)
        # Other draws, still finite.
        assert np.isfinite(compiled).all()


def test_penalty_adds_its_weight_times_a_term_under_its_own_name(penalty):
    objective = dataclasses.replace(elbo(), penalties=(penalty,))
    objective.check(PLAIN, critic)
    plain, actual = terms(elbo(), PLAIN).scalars(), terms(objective, PLAIN).scalars()
    assert tuple(actual) == (*plain, penalty.name)
    np.testing.assert_allclose(
        actual["loss"], plain["loss"] + actual[penalty.name], rtol=1e-5
    )


@pytest.mark.parametrize("name", KL_TERM_ROWS)
def test_kl_term_takes_any_named_parts(name):
    kl_term = KL_TERMS[name](**KL_TERM_ROWS[name])
    assert kl_term.uses_kl is True
    step = tf.constant(5, tf.int64)
    for kl in (
        {"kl": tf.constant([2.0, 6.0])},
        {"a": tf.ones(2), "b": tf.ones(2)},
        {"kl_continuous": tf.ones(2), "kl_discrete": tf.ones(2)},
        {"kl_discrete": tf.ones(2)},
    ):
        actual = kl_term(kl, step)
        assert actual.shape in ([2], []) and np.isfinite(actual).all()
        np.testing.assert_array_equal(tf.function(kl_term.__call__)(kl, step), actual)


def again(value):
    return configs.deserialize(json.loads(json.dumps(configs.serialize(value))))


FACTORIES = {**OBJECTIVES, **ADVERSARIAL_OBJECTIVES}


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_is_made_again_from_its_config(factory):
    assert again(factory()) == factory()


def test_every_part_is_made_again_from_its_config():
    parts = [PENALTIES[name](**PENALTY_ROWS[name]) for name in PENALTIES]
    parts += [KL_TERMS[name](**KL_TERM_ROWS[name]) for name in KL_TERMS]
    ramp = {"start": 0.0, "end": 2.0, "steps": 9, "begin": 3}
    rows = {"ConstantSchedule": {"value": 3.0}, "LinearSchedule": ramp}
    rows |= {"CosineSchedule": ramp, "CyclicSchedule": {**ramp, "period": 5}}
    del rows["CyclicSchedule"]["steps"], rows["CyclicSchedule"]["begin"]
    parts += [SCHEDULES[name](**rows[name]) for name in SCHEDULES]
    assert [again(part) for part in parts] == parts


def assert_sums_to_the_loss(objective, latents, step=0):
    row = terms(objective, latents, step=step).scalars()
    summands = ["reconstruction", "kl_term", *(p.name for p in objective.penalties)]
    total = sum(float(row[name]) for name in summands)
    np.testing.assert_allclose(row["loss"], total, rtol=1e-6)
    return {name: float(value) for name, value in row.items()}


def test_the_recorded_terms_sum_to_the_loss(case):
    for step in (0, 40_000):
        assert_sums_to_the_loss(*case, step)


@pytest.mark.parametrize("name", KL_TERMS)
def test_the_recorded_terms_of_any_parts_sum_to_the_loss(name):
    penalties = tuple(PENALTIES[p](**PENALTY_ROWS[p]) for p in PENALTIES)
    kl_term = KL_TERMS[name](**KL_TERM_ROWS[name])
    objective = Objective("mine", kl_term=kl_term, penalties=penalties)
    for latents in (PLAIN, HIERARCHICAL, JOINT):
        assert_sums_to_the_loss(objective, latents)


def test_what_is_scheduled_is_recorded_and_gives_the_kl_term():
    """By hand from the row alone, at steps before, on and after the ramps."""
    ramp, cycle = LinearSchedule(0.0, 8.0, 10), CyclicSchedule(0.5, 2.0, period=8)
    for step in (0, 3, 10, 12):
        row = assert_sums_to_the_loss(beta_vae(cycle), PLAIN, step)
        assert row["beta"] == float(cycle(step))
        np.testing.assert_allclose(row["kl_term"], row["beta"] * row["kl"], rtol=1e-6)
        row = assert_sums_to_the_loss(annealed_vae(7.0, ramp), HIERARCHICAL, step)
        kl = row["kl_gaussian"] + row["kl_covariance"]
        assert row["capacity"] == float(ramp(step))
        expected = 7.0 * abs(kl - row["capacity"])
        np.testing.assert_allclose(row["kl_term"], expected, rtol=1e-5)
        row = assert_sums_to_the_loss(joint_vae(7.0, ramp, ramp), JOINT, step)
        z, c = row["capacity_continuous"], row["capacity_discrete"]
        assert z == float(ramp(step)) and c == np.float32(min(z, np.log(6)))
        gaps = abs(row["kl_continuous"] - z) + abs(row["kl_discrete"] - c)
        np.testing.assert_allclose(row["kl_term"], 7.0 * gaps, rtol=1e-5)
    assert "beta" not in terms(beta_vae(4.0), PLAIN).scalars()
