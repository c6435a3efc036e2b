"""Any latent space x any prior x any objective or penalty of the tables.

Each combination takes a step of training, or refuses before the first one with an
`ArgumentError` that says what to do instead. To stay fast the objectives of one latent
space and prior share an inference, and their losses are differentiated as one sum: no
number in a sum hides a NaN or an infinity.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts.test_priors import ROWS, SIZE
from tf_disentangle import checks
from tf_disentangle.latents import LATENTS
from tf_disentangle.models import FactorVAE
from tf_disentangle.objectives import (
    KL_TERMS,
    OBJECTIVES,
    PENALTIES,
    ConstantSchedule,
    Objective,
    factor_vae,
)
from tf_disentangle.priors import (
    PRIORS,
)

SPACES = {
    "GaussianLatents": {"covariance": "full"},
    "JointLatents": {"sizes": [3, 2]},
    "LocationScaleLatents": {"family": "laplace"},
    "MeanFieldLatents": {"covariance": "full"},
}
#: Spaces whose prior is their own.
WITHOUT_PRIOR = {"CategoricalLatents": {"sizes": [3, 2]}}
#: Settings of a latent space that do not change what it combines with.
FURTHER = [
    ("GaussianLatents", {"covariance": "diagonal"}),
    ("LocationScaleLatents", {"family": "logistic"}),
    ("LocationScaleLatents", {"family": "student_t", "df": 5.0}),
]
#: Which priors have no meaning for which latent spaces; all others must train.
NO_MEANING = {
    "InverseWishartPrior": {"LocationScaleLatents", "MeanFieldLatents"},
    "MeanFieldInverseWishartPrior": {
        "LocationScaleLatents",
        "GaussianLatents",
        "JointLatents",
    },
}
#: What chyvae's structured bound needs.
HYPERPRIORS = {
    "InverseWishartPrior",
    "MeanFieldInverseWishartPrior",
    "InverseGammaPrior",
}
#: Of costs and penalties that have arguments without default.
ARGUMENTS = {
    "CapacityKL": {"gamma": 2.0, "capacity": ConstantSchedule(1.0)},
    "CovariancePenalty": {"lambda_od": 2.0, "lambda_d": 1.0},
    "JointCapacityKL": {
        "capacity": ConstantSchedule(1.0),
        "discrete_capacity": ConstantSchedule(0.5),
    },
}
SHAPE = (4, 4, 1)
CASES = [(space, SPACES[space], prior) for space in SPACES for prior in sorted(PRIORS)]
CASES += [(*case, p) for case in FURTHER for p in ("InverseGammaPrior", "LaplacePrior")]
CASES += [(space, options, None) for space, options in WITHOUT_PRIOR.items()]


#: Where only the KL trains q(Sigma|x), and beta_tcvae does not pay it.
UNPAID = ("beta_tcvae", "MeanFieldInverseWishartPrior")


def label(case):
    return "-".join([case[0], *map(str, case[1].values()), str(case[2])])


def built_latents(space, options, prior):
    """The latent space; of joint ones the prior is that of full Gaussian latents."""
    if space in WITHOUT_PRIOR:
        return LATENTS[space](**options)
    prior = PRIORS[prior](**ROWS[prior][0])
    if space == "JointLatents":
        continuous = LATENTS["GaussianLatents"](SIZE, "full", prior)
        return LATENTS[space](continuous, LATENTS["CategoricalLatents"](**options))
    return LATENTS[space](SIZE, prior=prior, **options)


@pytest.fixture(params=CASES, ids=label)
def case(request):
    return request.param


def model_of(latents):
    """The smallest model: a dense layer each way, and one for what needs a critic."""
    image, code = keras.Input(SHAPE), keras.Input((latents.num_decoded,))
    flat = keras.layers.Flatten()(image)
    start = keras.initializers.RandomNormal(stddev=0.1, seed=0)
    raw = keras.layers.Dense(latents.num_parameters, kernel_initializer=start)(flat)
    logits = keras.layers.Reshape(SHAPE)(keras.layers.Dense(16)(code))
    critic = keras.Model(code, keras.layers.Dense(1)(code))
    networks = keras.Model(image, raw), keras.Model(code, logits)
    return FactorVAE(*networks, latents, factor_vae(), critic)


def assembled():
    """An objective for each cost of the KL, with all penalties at once."""
    penalties = (PENALTIES[name](**ARGUMENTS.get(name, {})) for name in PENALTIES)
    penalties = tuple(penalties)
    for name in KL_TERMS:
        cost = KL_TERMS[name](**ARGUMENTS.get(name, {}))
        yield Objective(name, kl_term=cost, penalties=penalties)
        penalties = ()  # Once is enough: terms are added to each other.


def losses_and_gradients(model, objectives, monkeypatch):
    """The scalars of each objective, and the gradients of the sum of the losses."""
    images = tf.random.stateless_uniform((6, *SHAPE), [1, 2])
    model.num_examples = 60
    with tf.GradientTape() as tape:
        inference = model.infer(images, tf.constant([3, 4]), 0, True)
        outputs = model.decoder(inference.sample)
        kl = model.inference.posterior.kl(inference.sample, inference.seed)
        monkeypatch.setattr(model.latents, "kl", lambda *_: kl)
        scalars = {o.name: o(images, outputs, inference).scalars() for o in objectives}
        total = tf.add_n([s["loss"] for s in scalars.values()])
    return scalars, tape.gradient(total, model.trainable_variables)


def test_every_latent_space_has_a_row():
    assert {*SPACES, *WITHOUT_PRIOR} == set(LATENTS)


def test_trains_or_refuses_with_a_remedy(case, monkeypatch):
    space, _, prior = case
    if space in NO_MEANING.get(prior, {"MeanFieldLatents"}):
        with pytest.raises(checks.ArgumentError, match=r"received .*\. Use "):
            built_latents(*case)
        return
    latents = built_latents(*case)
    model, objectives = model_of(latents), []
    for name in OBJECTIVES:
        objective = OBJECTIVES[name]()
        if name == "chyvae" and prior not in HYPERPRIORS:
            with pytest.raises(
                checks.ArgumentError, match="Take GaussianLatents with Inverse"
            ):
                objective.check(latents)
        elif (name, prior) == UNPAID:
            with pytest.raises(checks.ArgumentError, match=r"pay the KL, .*Use chyv"):
                objective.check(latents)
        else:
            objective.check(latents, model.critic)
            objectives.append(objective)
    for objective in assembled():
        objective.check(latents, model.critic)
        objectives.append(objective)

    before = [v.numpy() for v in model.trainable_variables]
    scalars, gradients = losses_and_gradients(model, objectives, monkeypatch)
    for name, terms in scalars.items():
        assert all(np.isfinite(v) for v in terms.values()), (name, terms)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all() and np.any(gradient), variable.path
    keras.optimizers.SGD(1e-6).apply(gradients, model.trainable_variables)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert np.isfinite(new).all() and np.any(old != new.numpy())
