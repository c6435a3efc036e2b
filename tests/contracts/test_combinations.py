"""Any latent space x any prior x any objective, KL term or penalty of the tables.

Each combination has a finite loss, with a finite gradient for every weight, or refuses
with an `ArgumentError` that says what to do instead. An objective sees a latent space
and its prior only through the posterior's and the prior's own methods, so that all
*pairs* are covered, not all triples:

    latent space x prior       each with the ELBO
    prior x objective          in the latent space that takes it, Gaussian or mean-field
    latent space x objective   with its usual prior, and in every family of posteriors

"Objective" stands for each factory, each KL term and each penalty. Those of one latent
space and prior share an inference, and their losses are differentiated as one sum: no
number in a sum hides a NaN or an infinity.
"""

import numpy as np
import pytest
import tensorflow as tf

from tests.contracts.test_objectives import KL_TERM_ROWS, PENALTY_ROWS, critic
from tests.contracts.test_priors import ROWS, SIZE
from tf_disentangle import checks
from tf_disentangle.latents import LATENTS
from tf_disentangle.objectives import (
    KL_TERMS,
    OBJECTIVES,
    PENALTIES,
    Inference,
    Objective,
    elbo,
)
from tf_disentangle.priors import PRIORS

SPACES = {
    "GaussianLatents": {"covariance": "full"},
    "JointLatents": {"sizes": [3, 2]},
    "LocationScaleLatents": {"family": "laplace"},
    "MeanFieldLatents": {"covariance": "full"},
}
#: Spaces whose prior is their own.
WITHOUT_PRIOR = {"CategoricalLatents": {"sizes": [3, 2]}}
#: Settings of a latent space, and with a prior, that change its density.
FURTHER = [
    ("GaussianLatents", {"covariance": "diagonal"}, "StandardNormalPrior"),
    ("GaussianLatents", {"covariance": "identity"}, "InverseGammaPrior"),
    ("LocationScaleLatents", {"family": "logistic"}, "LaplacePrior"),
    ("LocationScaleLatents", {"family": "student_t", "df": 5.0}, "InverseGammaPrior"),
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
#: No finite KL: for the codes of a GAN, and refused by every objective here.
WITHOUT_KL = "UniformPrior"
#: What chyvae's structured bound needs.
HYPERPRIORS = {
    "InverseWishartPrior",
    "MeanFieldInverseWishartPrior",
    "InverseGammaPrior",
}
#: Where only the KL trains q(Sigma|x), and beta_tcvae does not minimise it.
UNTRAINED = ("beta_tcvae", "MeanFieldInverseWishartPrior")
MEAN_FIELD = ("MeanFieldLatents", SPACES["MeanFieldLatents"])

SPACE_AND_PRIOR = [(s, SPACES[s], prior) for s in SPACES for prior in sorted(PRIORS)]
PRIOR_AND_OBJECTIVE = [
    (*MEAN_FIELD, prior)
    if prior == "MeanFieldInverseWishartPrior"
    else ("GaussianLatents", SPACES["GaussianLatents"], prior)
    for prior in sorted(PRIORS)
    if prior != WITHOUT_KL
]
#: One prior for each way in which objectives take or refuse it; the rest are slow.
BY_DEFAULT = {
    "InverseWishartPrior",
    "MeanFieldInverseWishartPrior",
    "StandardNormalPrior",
}
SPACE_AND_OBJECTIVE = [
    ("JointLatents", SPACES["JointLatents"], "StandardNormalPrior"),
    ("LocationScaleLatents", SPACES["LocationScaleLatents"], "LaplacePrior"),
    *FURTHER,
    *((space, options, None) for space, options in WITHOUT_PRIOR.items()),
]
IMAGES = tf.random.stateless_uniform((6, 4, 4, 1), [1, 2])


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


def every_objective():
    """The factories', and one for each KL term, the first with all penalties."""
    yield from (OBJECTIVES[name]() for name in OBJECTIVES)
    penalties = tuple(PENALTIES[name](**PENALTY_ROWS[name]) for name in PENALTIES)
    for name in KL_TERMS:
        kl_term = KL_TERMS[name](**KL_TERM_ROWS[name])
        yield Objective(name, kl_term=kl_term, penalties=penalties)
        penalties = ()  # Once is enough: terms are added to each other.


def assert_trains(latents, objectives):
    """Finite terms, and a finite gradient that moves every weight."""
    rng = np.random.default_rng(0)

    def weight(*shape):
        return tf.Variable(rng.normal(scale=0.3, size=shape), dtype=tf.float32)

    encoder, decoder = (
        weight(16, latents.num_parameters),
        weight(latents.num_decoded, 16),
    )
    weights = [encoder, decoder, *(v.value for v in latents.trainable_variables)]
    step, seed = tf.constant(0, tf.int64), tf.constant([3, 4])
    with tf.GradientTape() as tape:
        posterior = latents.posterior(tf.reshape(IMAGES, [6, 16]) @ encoder)
        z = posterior.sample(seed + 1)
        inference = Inference(
            *(latents, posterior, z, step, seed, 60, critic),
            reencode=lambda change: posterior,
        )
        outputs = tf.reshape(z @ decoder, IMAGES.shape)
        kl = posterior.kl(z, seed)
        posterior.kl = lambda *_: kl  # Computed once for all.
        rows = [o(IMAGES, outputs, inference).scalars() for o in objectives]
        total = tf.add_n([row["loss"] for row in rows])
    for objective, row in zip(objectives, rows, strict=True):
        assert all(np.isfinite(v) for v in row.values()), (objective.name, row)
    for gradient in tape.gradient(total, weights):
        assert np.isfinite(gradient).all() and np.any(gradient)


def test_every_latent_space_has_a_row():
    assert {*SPACES, *WITHOUT_PRIOR} == set(LATENTS)


@pytest.mark.parametrize("case", SPACE_AND_PRIOR, ids=label)
def test_latent_space_and_prior_train_or_refuse_with_a_remedy(case):
    space, _, prior = case
    if space in NO_MEANING.get(prior, {"MeanFieldLatents"}):
        with pytest.raises(checks.ArgumentError, match=r"received .*\. Use "):
            built_latents(*case)
        return
    latents, objective = built_latents(*case), elbo()
    if prior == WITHOUT_KL:
        for objective in every_objective():
            with pytest.raises(checks.ArgumentError, match=r"received .*\. Take "):
                objective.check(latents, critic)
        return
    objective.check(latents)
    assert_trains(latents, [objective])


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=() if case[2] in BY_DEFAULT else pytest.mark.slow)
        for case in PRIOR_AND_OBJECTIVE
    ]
    + SPACE_AND_OBJECTIVE,
    ids=label,
)
def test_objectives_train_or_refuse_with_a_remedy(case):
    *_, prior = case
    latents, objectives = built_latents(*case), []
    for objective in every_objective():
        if objective.name == "chyvae" and prior not in HYPERPRIORS:
            with pytest.raises(
                checks.ArgumentError, match="Take GaussianLatents with Inverse"
            ):
                objective.check(latents)
        elif (objective.name, prior) == UNTRAINED:
            with pytest.raises(checks.ArgumentError, match=r"minimise the KL, .*Use c"):
                objective.check(latents)
        else:
            objective.check(latents, critic)
            objectives.append(objective)
    assert_trains(latents, objectives)
