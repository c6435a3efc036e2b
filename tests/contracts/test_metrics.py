"""The property table of the metrics: each metric of the library has its rows.

Every metric of `METRICS` is run on a data set and a representation; what it does to
arrays is tested beside each metric and in `test_array_inputs.py`.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import metrics
from tf_disentangle.metrics import (
    METRICS,
    Bounds,
    FactorCodes,
    Input,
    Noise,
    samples,
    sources,
)

SIZES = (4, 4, 4, 4)
#: What makes a metric quick; each takes what it has a parameter for.
SMALL = {
    "batch_size": 10,
    "num_variance_samples": 1_000,
    "num_train_votes": 400,
    "num_test_votes": 400,
    "num_train": 600,
    "num_test": 300,
    # Every draw is encoded, since some of the codes are random.
    "encode_once": False,
    "progress": False,
}

#: "exact": up to rounding; "statistical": within `tolerance`; "none": not claimed.
Claim = Literal["exact", "statistical", "none"]

#: By which a public function is known to be a score.
SUFFIXES = (
    "_accuracy",
    "_efficiency",
    "_property",
    "_score",
    "_scores",
    "_sparsity",
    "_units",
)

#: Public functions that are scores and yet not of codes: each has a test of its own,
#: named here.
OTHERS = {
    "aggregate_posterior": "tests/metrics/test_metric.py",
    "log_evidence": "tests/metrics/test_metric.py",
    "aggregate_posterior_scores": "tests/metrics/unsupervised/test_aggregate.py",
    "assignment_accuracy": "tests/metrics/supervised/test_assignment.py",
    "inferred_property": "tests/metrics/supervised/test_inferred_property.py",
    "udr_score": "tests/metrics/unsupervised/test_udr.py",
}


def mixture(noise=0.0, num_latents=6):
    """Makes a code with a middling score, where a broken invariance would show."""
    shape = (4, num_latents)
    mixing = np.random.default_rng(1).normal(size=shape) + 0.9 * np.eye(*shape)
    return lambda: known.mixed(SIZES, mixing, noise)


MIXTURE = mixture()


@dataclasses.dataclass(frozen=True)
class Properties:
    """What holds of one metric.

    Attributes:
        range: Bounds of the score.
        answers: Bounds of the score for each code of `CODES`.
        latent_sign: Under a change of sign of latents.
        latent_scale: Under other scales of the latents.
        factor_permutation: Under another order of the factors.
        factor_values: Under other labels of a factor's values.
        latent_permutation: Under another order of the latents.
        tolerance: Four standard errors of the difference of two scores.
        middling: Makes a code whose score lies in `between`.
        between: Bounds of that score.
        options: Given to the metric.
    """

    range: tuple[float, float]
    answers: dict[str, tuple[float, float]]
    latent_sign: Claim = "exact"
    latent_scale: Claim = "exact"
    factor_permutation: Claim = "exact"
    factor_values: Claim = "exact"
    latent_permutation: Claim = "exact"
    tolerance: float = 0.0
    middling: Callable = MIXTURE
    between: tuple[float, float] = (0.3, 0.98)
    options: dict = dataclasses.field(default_factory=dict)


CODES = {
    "perfect": lambda: known.perfect(SIZES),
    "collapsed": lambda: known.collapsed(4),
    "dead latent": lambda: known.dead_latent(SIZES),
    "duplicated factor": lambda: known.duplicated(SIZES),
    "missing factor": lambda: known.missing_factor(SIZES),
    "rotated": lambda: known.rotated(SIZES),
    "entangled": lambda: known.entangled(SIZES),
    "slightly noisy": lambda: known.noisy(SIZES, 0.1),
    "unrelated": lambda: known.unrelated(4),
}


def answers(perfect, collapsed, duplicated, missing, rotated, entangled, noisy, random):
    """Bounds of the score of each code; a dead latent beside a perfect code is free."""
    bounds = (perfect, collapsed, perfect, duplicated, missing, rotated, entangled)
    return dict(zip(CODES, (*bounds, noisy, random), strict=True))


ONE = (1 - 1e-6, 1.0)
ZERO = (0.0, 0.0)
CHANCE = (0.15, 0.35)  # 1/4 and four standard errors of 400 votes.

FACTOR_VAE = Properties(
    range=(0.0, 1.0),
    # A factor that no latent shows: 3/4 for the others, and 1/4 of the time a vote that
    # is right for one of three.
    answers=answers(ONE, ZERO, ONE, (0.65, 0.85), CHANCE, CHANCE, (0.99, 1), CHANCE),
    factor_permutation="statistical",
    tolerance=4 * np.sqrt(2 * 0.25 / 400),
)
BETA_VAE = dataclasses.replace(
    FACTOR_VAE,
    # The missing factor costs nothing: what moves no latent is that one. The reason
    # that the FactorVAE score exists.
    answers=answers(ONE, CHANCE, ONE, (0.97, 1), CHANCE, CHANCE, (0.99, 1), CHANCE),
    latent_scale="none",
)
MIG = Properties(
    range=(0.0, 1.0),
    # A factor in two latents has no gap, and one in none has none either.
    answers=answers(
        (0.95, 1),
        ZERO,
        (0.7, 0.78),
        (0.7, 0.78),
        (0, 0.05),
        (0, 0.05),
        (0.9, 1),
        (0, 0.05),
    ),
)
MODULARITY = Properties(
    range=(0.0, 1.0),
    # It asks whether a latent has one factor, not whether a factor has a latent.
    answers=answers(
        (0.99, 1), ZERO, (0.99, 1), (0.99, 1), (0, 0.6), (0, 0.6), (0.99, 1), (0.1, 0.6)
    ),
)
SAP = Properties(
    range=(0.0, 1.0),
    # One against rest by a line through one latent knows two of four values.
    answers=answers(
        (0.2, 0.4),
        ZERO,
        (0.1, 0.3),
        (0.1, 0.3),
        (0, 0.08),
        (0, 0.08),
        (0.2, 0.4),
        (0, 0.08),
    ),
    latent_scale="none",
    between=(0.05, 0.4),
)
EXPLICITNESS = Properties(
    range=(0.0, 1.0),
    # Any invertible linear map of the factors is as explicit as the factors: not a
    # measure of axes. The missing factor counts as chance, 3/4 + 1/4 x 1/2.
    answers=answers(
        (0.999, 1),
        (0.5, 0.5),
        (0.999, 1),
        (0.82, 0.93),
        (0.99, 1),
        (0.98, 1),
        (0.99, 1),
        (0.4, 0.6),
    ),
    middling=mixture(noise=2.0),
)
IRS = Properties(
    range=(-1.0, 1.0),
    answers=answers(ONE, ZERO, ONE, ONE, (0, 0.5), (0, 0.5), (0.7, 1), (0, 0.5)),
    # Latents are weighted by the largest distance from their mean.
    latent_scale="none",
)
UNSUPERVISED = Properties(
    range=(0.0, np.inf),
    # Lower is more independent; the entangled code of Theorem 1 is as independent as
    # the perfect one, which is the theorem. TC N 2 is about chi-square with 6 degrees
    # of freedom for 4 latents and 600 samples.
    answers=answers(
        (0, 0.025),
        ZERO,
        (np.inf, np.inf),
        (0, 0.025),
        (0, 0.025),
        (0, 0.025),
        (0, 0.025),
        (0, 0.025),
    ),
    middling=mixture(num_latents=4),
    between=(0.05, 8.0),
)
DCI = Properties(
    range=(0.0, 1.0),
    # A factor that no latent shows spreads its importance evenly: each latent has 1 of
    # its own and 1/3 of it, D = 1 - H(3/4, 1/4) / ln 4. A factor in several latents
    # costs completeness, not disentanglement.
    answers=answers(
        (0.99, 1),
        ZERO,
        (0.99, 1),
        (0.55, 0.64),
        (0, 0.03),
        (0, 0.03),
        (0.99, 1),
        (0, 0.03),
    ),
    # Cuts of equal merit go by the order of the latents, the trees' seeds by that of
    # the values; over seeds the score of this code spreads by 0.003.
    latent_permutation="statistical",
    latent_sign="statistical",
    factor_values="statistical",
    tolerance=0.02,
)
TREES = dataclasses.replace(DCI, tolerance=4 * np.sqrt(2 * 0.25 / 300))
DOWNSTREAM = dataclasses.replace(
    TREES,
    # The missing factor is guessed; all the others can be read from rotated codes too.
    answers=answers(
        ONE, CHANCE, ONE, (0.75, 0.85), (0.75, 0.95), (0.75, 0.95), (0.98, 1), CHANCE
    ),
    options={"sizes": (300,)},
)
STRONG = dataclasses.replace(
    TREES,
    # Codes without axes of their own do not carry over to new combinations.
    answers=answers(
        ONE, CHANCE, ONE, (0.75, 0.87), (0.2, 0.6), (0.2, 0.6), (0.98, 1), CHANCE
    ),
    factor_permutation="statistical",
    options={"num_train": 200, "num_test": 200, "num_experiments": 1},
)
EFFICIENCY = dataclasses.replace(
    TREES,
    range=(0.0, np.inf),
    # What cannot be learned is learned from few samples as well as from many.
    answers=answers(
        ONE,
        (0.8, 1.3),
        ONE,
        (0.85, 1.1),
        (0.4, 0.8),
        (0.4, 0.8),
        (0.97, 1),
        (0.75, 1.4),
    ),
    options={"small": 40, "large": 400},
)
ACTIVE_UNITS = Properties(
    range=(0.0, 6.0),
    answers=answers((4, 4), ZERO, (6, 6), (3, 3), (4, 4), (4, 4), (4, 4), (4, 4)),
    latent_scale="none",
    between=(6.0, 6.0),
)
HOYER = Properties(
    range=(0.0, 1.0),
    # Of codes without noise whose latents are all in use none is sparse: 0.17 is what
    # uniform ones have by chance. Sparsity does not ask what a latent shows: a rotation
    # makes the code look sparser, since sums of four values are often near 0.
    answers=answers(
        (0.15, 0.2),
        ZERO,
        (0.12, 0.16),
        (0.15, 0.21),
        (0.34, 0.4),
        (0.17, 0.23),
        (0.15, 0.21),
        (0.25, 0.33),
    ),
    between=(0.2, 0.3),
)

PROPERTIES = {
    ("active_units", ""): ACTIVE_UNITS,
    ("beta_vae", "dlib"): BETA_VAE,
    ("dci", "dlib"): DCI,
    ("downstream", "dlib"): DOWNSTREAM,
    ("explicitness", "dlib"): EXPLICITNESS,
    ("factor_vae", "dlib"): FACTOR_VAE,
    ("factor_vae", "chyvae"): FACTOR_VAE,
    ("hoyer_sparsity", ""): HOYER,
    ("irs", "dlib"): IRS,
    ("mig", "dlib"): MIG,
    ("modularity", "dlib"): MODULARITY,
    ("sap", "dlib"): SAP,
    ("statistical_efficiency", "dlib"): EFFICIENCY,
    ("strong_downstream", "dlib"): STRONG,
    ("unified", "dlib"): DCI,
    ("unsupervised", "dlib"): UNSUPERVISED,
}

ROWS = pytest.mark.parametrize(
    "row", PROPERTIES, ids=[" ".join(row).strip() for row in PROPERTIES]
)


def run(row, encode, data=None, **options):
    """The metric of a row on a data set, small."""
    name, protocol = row
    metric = METRICS[name].on_data
    options = {**SMALL, **PROPERTIES[row].options, **options}
    if protocol:
        options["protocol"] = protocol
    takes = inspect.signature(metric).parameters
    options = {k: v for k, v in options.items() if k in takes}
    return metric(data or known.GridDataset(SIZES), encode, **options)


@functools.cache
def result_of(row, code):
    """The result for a code of `CODES`, the middling one, the floor or the ceiling."""
    others = {
        "middling": PROPERTIES[row].middling,
        "noise": lambda: Noise(4),
        "factors": lambda: FactorCodes(SIZES),
    }
    return run(row, (CODES | others)[code]())


def test_no_metric_escapes_the_table():
    of_codes = {n for n, m in METRICS.items() if m.input is not Input.ENCODER}
    assert {metric for metric, _ in PROPERTIES} == of_codes
    assert set(METRICS) - of_codes <= set(OTHERS)


def test_no_public_score_escapes_both_tables():
    scores = {name for name in metrics.__all__ if name.endswith(SUFFIXES)}
    functions = {metric.function.__name__ for metric in METRICS.values()}
    assert scores <= {*functions, *OTHERS}
    assert functions <= set(metrics.__all__)


@pytest.mark.parametrize("name", METRICS)
def test_options_are_keyword_only(name):
    for function in (METRICS[name].function, METRICS[name].on_data):
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in ("test_codes", "test_factors"):
                continue
            has_default = parameter.default is not parameter.empty
            assert has_default == (parameter.kind is parameter.KEYWORD_ONLY)


@ROWS
def test_result_is_a_frozen_record_with_the_score_first(row):
    result = result_of(row, "perfect")
    assert dataclasses.fields(result)[0].name == "score"
    assert isinstance(result.score, float)
    assert result.protocol
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.score = 1.0


@ROWS
@pytest.mark.parametrize("code", CODES)
def test_known_answers(row, code):
    properties = PROPERTIES[row]
    assert set(properties.answers) == set(CODES)
    score = result_of(row, code).score
    low, high = properties.answers[code]
    assert low <= score <= high
    assert properties.range[0] <= score <= properties.range[1]


CHANGES = {
    "latent_permutation": lambda codes: codes[:, _order(codes.shape[1])],
    "latent_sign": lambda codes: codes * np.resize([1, -1, 1, -1, -1], codes.shape[1]),
    # Powers of two, which leave the float32 mantissa as it is; none so small that a
    # latent falls below the protocol's threshold.
    "latent_scale": lambda codes: (
        codes * np.resize([2, 0.5, 64, 1, 0.25, 8], codes.shape[1])
    ),
}


def _order(size):
    return np.random.default_rng(0).permutation(size)


def _agree(claim, properties, first, second):
    if claim == "exact":
        assert first.score == pytest.approx(second.score, abs=1e-9)
    elif claim == "statistical":
        assert abs(first.score - second.score) <= properties.tolerance


@ROWS
@pytest.mark.parametrize("change", CHANGES)
def test_latent_invariances(row, change):
    properties = PROPERTIES[row]
    before = result_of(row, "middling")
    encode = properties.middling()
    after = run(row, lambda x: CHANGES[change](encode(x)))
    assert properties.between[0] <= before.score <= properties.between[1]
    _agree(getattr(properties, change), properties, before, after)


@ROWS
@pytest.mark.parametrize(
    ("claim", "options"),
    [
        ("factor_permutation", {"columns": [2, 0, 3, 1]}),
        ("factor_values", {"reverse": True}),
    ],
)
def test_factor_relabelling(row, claim, options):
    properties = PROPERTIES[row]
    before = result_of(row, "middling")
    after = run(row, properties.middling(), known.Relabelled(SIZES, **options))
    _agree(getattr(properties, claim), properties, before, after)


@pytest.mark.parametrize("name", ["mig", "sap", "factor_vae"])
def test_a_score_that_is_not_invariant_is_not_said_to_be(name):
    """The claim "none" is itself true of the scale for SAP, not for the others."""
    (row,) = [row for row in PROPERTIES if row[0] == name and row[1] == "dlib"]
    encode = PROPERTIES[row].middling()
    before = result_of(row, "middling").score
    after = run(row, lambda x: 64.0 * encode(x)).score
    assert (abs(before - after) > 1e-3) == (PROPERTIES[row].latent_scale == "none")


# ---- Floor, ceiling and chance.


@ROWS
def test_the_factors_are_the_ceiling_and_noise_the_floor(row):
    """The perfect code of the table, and one that knows nothing, by `bounds`."""
    properties = PROPERTIES[row]
    for end, code in (("factors", "perfect"), ("noise", "unrelated")):
        low, high = properties.answers[code]
        assert low <= result_of(row, end).score <= high


#: Scores in which noise and factors are not the two ends, and why.
UNORDERED = {
    "active_units": "noise is active",
    "hoyer_sparsity": "it does not ask what a latent shows",
    "statistical_efficiency": "noise is learned from few samples as well as from many",
    "unsupervised": "noise is independent",
}


@pytest.mark.parametrize(
    "row",
    [row for row in PROPERTIES if row[0] not in UNORDERED],
    ids=lambda row: " ".join(row),
)
def test_untrained_networks_score_between_noise_and_factors(row):
    """The floor: the mean over independent networks, nearer to the factors than noise.

    Noise is at most as good, within its error.
    """
    scores = [run(row, known.untrained(SIZES, 4, seed)).score for seed in range(3)]
    noise, ceiling = (result_of(row, end).score for end in ("noise", "factors"))
    bounds = Bounds(noise=noise, untrained=np.mean(scores), ceiling=ceiling)
    error = max(PROPERTIES[row].tolerance, 0.01)
    assert noise - error < bounds.untrained < ceiling - 0.01
    assert bounds.place(ceiling) == 1 and bounds.place(bounds.floor) == 0
    assert bounds.floor == max(noise, bounds.untrained)


class Table(known.GridDataset):
    """Images that are all there is, each with its row of factors, in no order."""

    def __init__(self, num_rows, seed):
        super().__init__(SIZES)
        rng = np.random.default_rng(seed)
        self.table = self.sample_factors(num_rows, rng)
        self.image_shape = (1, 1, 4)
        self.traits = frozenset(
            {
                "known_rows",
                "stochastic_images",
                "indexed_images",
                "missing_combinations",
            }
        )

    def __len__(self):
        return len(self.table)

    def images(self):
        number = np.arange(len(self.table), dtype="<u4")
        return number.view(np.uint8).reshape(-1, 1, 1, 4)

    def factors_of(self, indices):
        return self.table[indices]


#: What a code that knows nothing scores on rows that were not fitted: by the definition
#: where it is a share of right answers, else by the metric itself on as many fresh
#: draws of a grid, of which none is drawn twice.
CHANCE_OF = {
    "beta_vae": 1 / 4,
    "downstream": 1 / 4,
    "explicitness": 1 / 2,
    "factor_vae": 1 / 4,
    "strong_downstream": 1 / 4,
}

#: Numbers of a result that are to be at chance, 1/4, too: what is read from test rows
#: where the score itself is read from train rows, or is a difference.
PARTS: dict[str, Callable] = {
    "dci": lambda result: result.informativeness_test,
    "sap": lambda result: result.predictability.mean(),
    "strong_downstream": lambda result: result.accuracy,
    "unified": lambda result: result.matrices["predictability"].mean(),
}

#: Votes that repeat themselves where train and test rows are the same: a batch holds
#: all rows of a value, many latents tell values apart, and at a scale of 30 the penalty
#: of the classifier does not matter.
REPEATED = {
    "beta_vae": {"batch_size": 512, "num_train_votes": 200, "num_test_votes": 200},
    "factor_vae": {"batch_size": 256},
}

#: Metrics without a test part: there is no row to be tested that was fitted.
UNSPLIT = {n for n, m in METRICS.items() if m.input not in (Input.SPLIT, Input.VOTES)}

#: Metrics that fit many classifiers: fewer rows of the large table are drawn.
SLOW = ("dci", "downstream", "explicitness", "sap", "statistical_efficiency", "unified")
REPLICATES = 5


# A small table is taken whole, of a large one rows are drawn.
@pytest.mark.parametrize("num_rows", [200, 20_000])
@ROWS
def test_noise_on_a_table_scores_as_chance(row, num_rows):
    """Codes that are noise, one for each image: no row is tested that was fitted."""
    require_chance(row, num_rows)


@pytest.mark.parametrize(
    "row",
    [row for row in PROPERTIES if row[0] not in UNSPLIT],
    ids=lambda row: " ".join(row),
)
def test_noise_scores_above_chance_where_rows_are_in_both_parts(row, monkeypatch):
    """What the test above is worth: it fails where the split is broken."""

    def all_in_both(groups, seed):
        del seed
        return (np.arange(len(groups)),) * 2

    for module in (sources, samples):
        monkeypatch.setattr(module, "split_rows", all_in_both)
    with pytest.raises(AssertionError, match="chance"):
        require_chance(row, 200, replicates=3)


def require_chance(row, num_rows, replicates=REPLICATES):
    """Asserts that noise on tables of so many rows scores as chance."""
    name, published = row[0], {"num_train": 10_000, "num_test": 5_000}
    if name == "strong_downstream" or (num_rows > 200 and name in SLOW):
        published = {"num_train": 400, "num_test": 300}
    sizes = {"sizes": None, "small": None, "large": None, "encode_once": None}
    sizes |= REPEATED.get(name, {}) if num_rows == 200 else {}
    num_latents, scale = (40, 30) if name in REPEATED else (3, 1)
    ours, fresh, parts = [], [], []
    for seed in range(replicates):
        data, rng = Table(num_rows, seed), np.random.default_rng([seed, 1])
        noise = scale * rng.standard_normal((num_rows, num_latents), np.float32)

        def encode(images, noise=noise):
            return noise[images.reshape(-1, 4).copy().view("<u4")[:, 0]]

        result = run(row, encode, data, seed=seed, **published, **sizes)
        ours.append(result.score)
        if name in PARTS:
            parts.append(PARTS[name](result))
        if name not in CHANCE_OF:
            used = min(num_rows, published["num_train"])
            split = METRICS[name].input is Input.SPLIT and num_rows < 15_000
            drawn = {"num_train": used - split * (used // 3), "num_test": num_rows // 3}
            drawn["num_test"] = min(drawn["num_test"], published["num_test"])
            again = run(row, Noise(num_latents), seed=seed, **{**drawn, **sizes})
            fresh.append(again.score)
    require_near(ours, CHANCE_OF.get(name, fresh))
    if name in PARTS:
        require_near(parts, 1 / 4)


def require_near(values, expected):
    """Means that agree within 5 standard errors; 0.01 more for errors of few groups."""
    expected = np.atleast_1d(expected)
    error = np.var(values, ddof=1) / len(values)
    if len(expected) > 1:
        error += np.var(expected, ddof=1) / len(expected)
    found, chance = np.mean(values), np.mean(expected)
    allowed = 5 * np.sqrt(error) + 0.01
    assert abs(found - chance) <= allowed, f"{values} is not chance, {chance:.3f}"
