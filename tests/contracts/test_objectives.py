"""What every objective must do; one that has no row here fails."""

import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle.latents import GaussianLatents, InverseWishartPrior
from tf_disentangle.objectives import OBJECTIVES, Inference, Objective

PLAIN = GaussianLatents(2)
HIERARCHICAL = GaussianLatents(2, "full", InverseWishartPrior(9.0))
ROWS = {"elbo": PLAIN, "beta_vae": PLAIN, "chyvae": HIERARCHICAL}


def test_every_objective_has_a_row():
    assert set(ROWS) == set(OBJECTIVES)


@pytest.fixture(params=ROWS)
def case(request):
    return OBJECTIVES[request.param](), ROWS[request.param]


def terms(objective, latents, rows=slice(None)):
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(6, 4, 4, 1)).astype("float32")
    raw = rng.normal(size=(6, latents.num_parameters)).astype("float32")
    outputs = rng.normal(size=(6, 4, 4, 1)).astype("float32")
    posterior = latents.posterior(raw[rows])
    sample = posterior.sample(seed=[1, 2])
    step, seed = tf.constant(0, tf.int64), tf.constant([3, 4])
    inference = Inference(latents, posterior, sample, step, seed)
    return objective(images[rows], outputs[rows], inference)


def test_is_data_of_the_one_type_and_names_itself(case):
    objective, latents = case
    assert isinstance(objective, Objective)
    assert OBJECTIVES[objective.name]() == objective
    objective.check(latents)


def test_names_shapes_and_finiteness(case):
    objective, latents = case
    found = terms(objective, latents)
    scalars = found.scalars()
    assert tuple(scalars) == objective.term_names(latents)
    assert all(v.shape == [] and np.isfinite(v) for v in scalars.values())
    assert found.log_likelihood.shape == found.elbo().shape == [6]
    assert all(part.shape == [6] for part in found.kl.values())
    assert found.kl_cost.shape in ([6], [])


def test_likelihood_of_an_image_does_not_depend_on_its_batch(case):
    objective, latents = case
    whole = terms(objective, latents).log_likelihood
    half = terms(objective, latents, slice(0, 3)).log_likelihood
    np.testing.assert_allclose(whole[:3], half, rtol=1e-5)


def test_elbo_is_a_bound_and_not_what_is_weighed(case):
    """Equal to likelihood minus all KL parts, whatever the loss makes of them."""
    objective, latents = case
    found = terms(objective, latents)
    total = sum(part.numpy() for part in found.kl.values())
    np.testing.assert_allclose(found.elbo(), found.log_likelihood - total, rtol=1e-5)
