"""The property table of the metrics: each metric of the library has its row.

A metric is run on a data set and a representation; a metric of arrays gets a `run` that
draws its codes and factors first.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle.metrics import METRICS, factor_vae_score

SIZES = (4, 4, 4, 4)
SMALL = {
    "batch_size": 10,
    "num_variance_samples": 1_000,
    "num_train_votes": 400,
    "num_test_votes": 400,
}

#: "exact": equal results; "statistical": within `tolerance`; "none": not claimed.
Claim = Literal["exact", "statistical", "none"]


@dataclasses.dataclass(frozen=True)
class Properties:
    """What holds of one metric.

    Attributes:
        run: (dataset, represent) to the metric's result.
        range: Bounds of the score.
        latent_permutation: Under another order of the latents.
        latent_sign: Under a change of sign of latents.
        latent_scale: Under other scales of the latents.
        factor_permutation: Under another order of the factors.
        factor_values: Under other labels of a factor's values.
        answers: Bounds of the score for each code of `CODES`.
        tolerance: Four standard errors of the difference of two scores.
    """

    run: Callable
    range: tuple[float, float]
    latent_permutation: Claim
    latent_sign: Claim
    latent_scale: Claim
    factor_permutation: Claim
    factor_values: Claim
    answers: dict[str, tuple[float, float]]
    tolerance: float = 0.0


CODES = {
    "perfect": known.perfect(SIZES),
    "collapsed": known.collapsed(4),
    "dead latent": known.dead_latent(SIZES),
    "duplicated factor": known.duplicated(SIZES),
    "missing factor": known.missing_factor(SIZES),
    "rotated": known.rotated(SIZES),
    "entangled": known.entangled(SIZES),
    "slightly noisy": known.noisy(SIZES, 0.1),
    "unrelated": known.unrelated(4),
}

_CHANCE = (0.15, 0.35)  # 1/4 and four standard errors of 400 votes.
_FACTOR_VAE_ANSWERS = {
    "perfect": (1.0, 1.0),
    "collapsed": (0.0, 0.0),
    "dead latent": (1.0, 1.0),
    "duplicated factor": (1.0, 1.0),
    # 3/4 for the factors seen, 1/4 of the time a vote that is right for one of three.
    "missing factor": (0.65, 0.85),
    "rotated": _CHANCE,
    "entangled": _CHANCE,
    "slightly noisy": (0.99, 1.0),
    "unrelated": _CHANCE,
}


def _factor_vae(protocol):
    # Every draw is encoded, since some of the codes are random.
    return Properties(
        run=lambda dataset, represent: factor_vae_score(
            dataset, represent, protocol=protocol, encode_once=False, **SMALL
        ),
        range=(0.0, 1.0),
        latent_permutation="exact",
        latent_sign="exact",
        latent_scale="exact",
        factor_permutation="statistical",
        factor_values="exact",
        answers=_FACTOR_VAE_ANSWERS,
        tolerance=4 * np.sqrt(2 * 0.25 / 400),
    )


PROPERTIES = {
    ("factor_vae_score", "dlib"): _factor_vae("dlib"),
    ("factor_vae_score", "chyvae"): _factor_vae("chyvae"),
}

ROWS = pytest.mark.parametrize(
    "properties", PROPERTIES.values(), ids=[" ".join(row) for row in PROPERTIES]
)


def test_no_metric_escapes_the_table():
    assert {metric for metric, _ in PROPERTIES} == set(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_options_are_keyword_only(name):
    parameters = inspect.signature(METRICS[name]).parameters.values()
    for parameter in parameters:
        has_default = parameter.default is not parameter.empty
        assert has_default == (parameter.kind is parameter.KEYWORD_ONLY)


@ROWS
def test_result_is_a_frozen_record_with_the_score_first(properties):
    result = properties.run(known.GridDataset(SIZES), CODES["perfect"])
    assert dataclasses.fields(result)[0].name == "score"
    assert isinstance(result.score, float)
    assert result.protocol
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.score = 1.0


@ROWS
@pytest.mark.parametrize("code", CODES)
def test_known_answers(properties, code):
    assert set(properties.answers) == set(CODES)
    score = properties.run(known.GridDataset(SIZES), CODES[code]).score
    low, high = properties.answers[code]
    assert low <= score <= high
    assert properties.range[0] <= score <= properties.range[1]


def _mixture():
    """A code with a middling score, where a broken invariance would show."""
    mixing = np.random.default_rng(1).normal(size=(4, 6)) + 0.9 * np.eye(4, 6)
    return lambda images: known.standardised(images, SIZES) @ mixing


CHANGES = {
    "latent_permutation": lambda codes: codes[:, [3, 0, 5, 1, 4, 2]],
    "latent_sign": lambda codes: codes * [1, -1, 1, -1, -1, 1],
    # Powers of two, which leave the float32 mantissa as it is; none so small that a
    # latent falls below the protocol's threshold.
    "latent_scale": lambda codes: codes * [2, 0.5, 64, 1, 0.25, 8],
}


def _agree(claim, properties, first, second):
    if claim == "exact":
        assert first.score == second.score
    elif claim == "statistical":
        assert abs(first.score - second.score) <= properties.tolerance


@ROWS
@pytest.mark.parametrize("change", CHANGES)
def test_latent_invariances(properties, change):
    represent = _mixture()
    dataset = known.GridDataset(SIZES)
    before = properties.run(dataset, represent)
    after = properties.run(dataset, lambda x: CHANGES[change](represent(x)))
    assert 0.3 < before.score < 0.98
    _agree(getattr(properties, change), properties, before, after)


@ROWS
@pytest.mark.parametrize(
    ("claim", "options"),
    [
        ("factor_permutation", {"columns": [2, 0, 3, 1]}),
        ("factor_values", {"reverse": True}),
    ],
)
def test_factor_relabelling(properties, claim, options):
    before = properties.run(known.GridDataset(SIZES), _mixture())
    after = properties.run(known.Relabelled(SIZES, **options), _mixture())
    _agree(getattr(properties, claim), properties, before, after)
