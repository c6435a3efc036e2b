"""Metrics on a data set: what they draw, share, and say of it; how they are named."""

import dataclasses
import functools
import inspect

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import metrics
from tf_disentangle.checks import ArgumentError, ArgumentTypeError
from tf_disentangle.interfaces import CodeColumn, PosteriorEncoder
from tf_disentangle.metrics import (
    METRICS,
    EncodedFactors,
    Input,
    Metric,
    calls_of,
    check_arguments,
)

SIZES = (4, 3, 2)


@dataclasses.dataclass(frozen=True)
class Seen:
    score: float
    arrays: tuple
    protocol: str = "mine"


def of_codes(codes, *, option=3):
    return Seen(0.0, (codes,), f"mine, option={option}")


def of_pairs(codes, factors):
    return Seen(0.0, (codes, factors))


def of_split(codes, factors, test_codes=None, test_factors=None, *, seed=7):
    return Seen(seed, (codes, factors, test_codes, test_factors))


KINDS = {
    of_codes: Input.CODES,
    of_pairs: Input.CODES_AND_FACTORS,
    of_split: Input.SPLIT,
}


def on_data(function):
    return Metric(function, KINDS[function]).on_data


def call(function, **options):
    dataset = known.GridDataset(SIZES)
    options = {"num_train": 500, "progress": False, **options}
    return on_data(function)(dataset, known.perfect(SIZES), **options)


def test_arrays_are_successive_draws_of_one_seed():
    result = call(of_split, num_test=200, seed=5)
    dataset, rng = known.GridDataset(SIZES), np.random.default_rng(5)
    train, test = dataset.sample_factors(500, rng), dataset.sample_factors(200, rng)
    np.testing.assert_array_equal(result.arrays[1], train)
    np.testing.assert_array_equal(result.arrays[3], test)
    for codes, factors in (result.arrays[:2], result.arrays[2:]):
        expected = known.perfect(SIZES)(dataset.render(factors)).astype(np.float32)
        np.testing.assert_array_equal(codes, expected)
    assert result.score == 5, "the metric's own seed is that of the draws"
    # A metric of one draw sees the train part of the other's.
    pairs = call(of_pairs, seed=5)
    np.testing.assert_array_equal(pairs.arrays[1], train)
    np.testing.assert_array_equal(call(of_codes, seed=5).arrays[0], pairs.arrays[0])


def test_each_image_is_encoded_once_and_a_cache_is_shared():
    dataset, seen = known.GridDataset(SIZES), []

    def encode(images):
        seen.append(len(images))
        return known.perfect(SIZES)(images)

    encoder = EncodedFactors(dataset, encode)
    for function in (of_codes, of_pairs, of_split):
        on_data(function)(dataset, encoder, num_train=500, progress=False)
    assert sum(seen) == 24


def test_factors_choose_columns_and_the_others_vary():
    result = call(of_split, num_test=200, factors=["factor2", "factor0"])
    assert result.arrays[1].shape == (500, 2)
    assert result.arrays[0].shape == (500, 3)
    assert len(np.unique(result.arrays[0][:, 1])) == 3, "factor1 still varies"
    assert result.protocol.endswith("factors=factor0+factor2")


def test_the_protocol_says_what_is_not_usual():
    assert call(of_codes, option=4).protocol == "mine, option=4, num_train=500"
    assert call(of_split, num_test=50).protocol == "mine, num_train=500, num_test=50"
    usual = call(of_codes, num_train=10_000)
    assert usual.protocol == "mine, option=3"
    assert len(usual.arrays[0]) == 10_000


def test_signature_is_what_gin_and_users_read():
    parameters = inspect.signature(on_data(of_codes)).parameters
    assert list(parameters)[:3] == ["data", "encoder", "seed"]
    assert "factors" not in parameters
    assert "num_test" not in parameters
    assert parameters["option"].default == 3
    assert parameters["seed"].default == 0
    split = inspect.signature(on_data(of_split)).parameters
    assert {"num_test", "factors", "num_train"} <= set(split)
    mig = METRICS["mig"].on_data
    assert mig.__name__ == "mig_score"
    assert mig.__doc__.startswith(metrics.mig_score.__doc__[:40])
    with pytest.raises(TypeError, match=r"num_trian'\. Did you mean num_train\?"):
        call(of_codes, num_trian=3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"factors": ["factr1"]}, "Did you mean factor1"),
        ({"factors": []}, "at least one factor"),
        ({"num_train": 1}, "num_train must be at least 2"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_errors(options, words):
    with pytest.raises(ArgumentError, match=words):
        call(of_split, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mig", {"protocol": "dlbi"}),
        ("mig", {"num_bins": 0}),
        ("dci", {"predictor": "boosting"}),
        ("factor_vae", {"protocol": "dlbi"}),
    ],
)
def test_choices_are_checked_before_the_first_image(name, options):
    def encode(images):
        raise AssertionError("an image was encoded")

    with pytest.raises(ArgumentError, match=next(iter(options))):
        METRICS[name].on_data(known.GridDataset(SIZES), encode, **options)
    with pytest.raises(ArgumentError, match=next(iter(options))):
        bound = functools.partial(METRICS[name].function, **options)
        check_arguments(bound, known.GridDataset(SIZES))


class Noisy(PosteriorEncoder):
    """Knows the factors of an image; its codes are those and noise."""

    sampled = True

    def __init__(self):
        self.num_known = 0

    def __call__(self, images):
        return self.draw(self.parameters(images), np.random.default_rng(0))

    def parameters(self, images):
        self.num_known += len(images)
        return known.perfect(SIZES)(images)

    def draw(self, parameters, rng):
        return parameters + 0.5 * rng.standard_normal(parameters.shape)

    def gaussian_moments(self, images):
        means = self.parameters(images)
        return means, np.full(means.shape, 0.5)

    def log_evidence(self, images, *, num_samples, seed, on_images=None):
        on_images(len(images))
        each = images.reshape(len(images), -1).sum(axis=1) + seed
        return Seen(float(each.mean()), (each,))


@pytest.mark.parametrize("shared", [False, True])
def test_random_codes_are_drawn_anew_and_known_once(shared):
    dataset, encode = known.GridDataset(SIZES), Noisy()
    encoder = EncodedFactors(dataset, encode) if shared else encode
    result = on_data(of_pairs)(dataset, encoder, num_train=20_000, progress=False)
    codes, factors = result.arrays
    assert encode.num_known == 24
    noise = codes - known.perfect(SIZES)(dataset.render(factors))
    assert len(np.unique(codes)) > 59_000, "every draw has noise of its own"
    # 60,000 draws: standard errors 0.002 of the mean and 0.0014 of the deviation.
    assert abs(noise.mean()) < 0.008
    assert abs(noise.std() - 0.5) < 0.006
    again = on_data(of_pairs)(dataset, Noisy(), num_train=20_000, progress=False)
    np.testing.assert_array_equal(again.arrays[0], codes)


class Unlabelled(known.GridDataset):
    """Images without known factors."""

    def __init__(self):
        super().__init__(SIZES)
        self.all = super().images()
        self.factor_names = self.factor_sizes = ()

    def __len__(self):
        return len(self.all)

    def images(self):
        return self.all


def test_codes_of_a_set_without_factors_are_of_its_images():
    def encode(images):
        return known.perfect(SIZES)(images).astype(np.float32)

    result = on_data(of_codes)(Unlabelled(), encode, num_train=20)
    rows = np.random.default_rng(0).integers(24, size=20)
    np.testing.assert_array_equal(result.arrays[0], encode(Unlabelled().images())[rows])
    assert result.protocol == "mine, option=3, training images, num_train=20"
    # A set that is smaller is taken as it is.
    result = on_data(of_codes)(Unlabelled(), encode)
    np.testing.assert_array_equal(result.arrays[0], encode(Unlabelled().images()))
    assert result.protocol == "mine, option=3, training images, num_train=24"
    with pytest.raises(ArgumentError, match="have ground-truth factors"):
        on_data(of_pairs)(Unlabelled(), encode)
    dataset, random = Unlabelled(), Noisy()
    for encoder in (random, EncodedFactors(dataset, random)):
        codes = on_data(of_codes)(dataset, encoder, num_train=20).arrays[0]
        assert len(np.unique(codes)) == 60


def test_random_codes_of_stochastic_images():
    dataset = known.GridDataset(SIZES, stochastic=True)
    encode = Noisy()
    on_data(of_pairs)(dataset, encode, num_train=300, progress=False)
    assert encode.num_known == 300


def test_a_missing_data_set_is_told_as_python_does():
    """From these words the configuration tells @mig_score() from @mig_score."""
    metric = METRICS["mig"].on_data
    for arguments, words in (
        ((), "missing 2 required positional arguments: 'data' and 'encoder'"),
        ((None,), "missing 1 required positional argument: 'encoder'"),
    ):
        with pytest.raises(TypeError, match=words):
            metric(*arguments)


@pytest.mark.parametrize("name", METRICS)
def test_the_wrong_form_says_which_one_to_call(name):
    data, encode = known.GridDataset(SIZES), known.perfect(SIZES)
    codes = np.zeros((9, 2))
    if METRICS[name].input is not Input.ENCODER:
        arguments = (data,) if METRICS[name].input is Input.CODES else (data, encode)
        with pytest.raises(ArgumentTypeError, match=r"call metrics\.evaluate\(data"):
            METRICS[name].function(*arguments)
        words = rf"call metrics\.{METRICS[name].function.__name__}\(codes, factors\)"
        with pytest.raises(ArgumentTypeError, match=words):
            METRICS[name].on_data(codes, codes)
    else:
        with pytest.raises(ArgumentError, match="ModelEncoder"):
            METRICS[name].on_data(data, encode)


class TestNames:
    @pytest.mark.parametrize("name", METRICS)
    def test_short_and_full_names_and_functions(self, name):
        metric = METRICS[name]
        wrapped = functools.wraps(metric.on_data)(lambda *a, **k: None)
        full = metric.function.__name__
        for form in (name, full, metric, metric.function, metric.on_data, wrapped):
            (call,) = calls_of([form])
            assert (call.name, call.metric) == (name, metric)

    def test_a_typo_and_other_things(self):
        with pytest.raises(ArgumentError, match="Did you mean mig"):
            calls_of("mgi")
        with pytest.raises(ArgumentTypeError, match="names of metrics, or functions"):
            calls_of([3])

    def test_bound_options_and_two_protocols(self):
        partial = functools.partial(metrics.factor_vae_score, protocol="chyvae")
        first, second = calls_of([metrics.factor_vae_score, partial])
        assert (first.name, second.name) == ("factor_vae", "factor_vae (chyvae)")
        assert second.options == {"protocol": "chyvae"}

    def test_a_call_is_known_by_all_that_is_bound_by_a_wrapper_too(self):
        metric = METRICS["mig"].on_data

        @functools.wraps(metric)
        def as_gin_makes(*args, **options):
            return metric(*args, **{"num_bins": 7, **options})

        def mig(data, encoder):
            return None

        for wrapper in (as_gin_makes, functools.partial(metric, num_bins=7)):
            (call,) = calls_of({"another name": wrapper})
            assert call.key({"seed": 3}) == "mig(num_bins=7, seed=3)"
        (own,) = calls_of(mig)
        assert own.key({}) == "own mig()"

    def test_a_metric_of_ones_own(self, monkeypatch):
        monkeypatch.setitem(METRICS, "pairs", Metric(of_pairs, Input.CODES_AND_FACTORS))
        (call,) = calls_of("pairs")
        result = call.function(
            known.GridDataset(SIZES), known.perfect(SIZES), num_train=50
        )
        assert result.arrays[0].shape == (50, 3)


class TestCheckArguments:
    DATA = known.GridDataset(SIZES)

    @pytest.mark.parametrize("name", METRICS)
    def test_nothing_is_encoded_or_drawn(self, name, monkeypatch):
        def fail(*args):
            raise AssertionError("something was drawn")

        monkeypatch.setattr(known.GridDataset, "sample_factors", fail)
        monkeypatch.setattr(known.GridDataset, "render", fail)
        check_arguments(name, self.DATA)

    @pytest.mark.parametrize(
        ("metric", "words"),
        [
            (functools.partial(metrics.mig_score, protocol="dlib-verbatim"), "latents"),
            (metrics.strong_downstream_score, "take `columns`"),
            (functools.partial(METRICS["dci"].on_data, factors=["factr0"]), "factor0"),
        ],
    )
    def test_what_can_be_known_before_training(self, metric, words):
        columns = [CodeColumn("c", "categorical")]
        with pytest.raises(ArgumentError, match=words):
            check_arguments(metric, self.DATA, columns)

    def test_factors_that_are_not_there(self):
        with pytest.raises(ArgumentError, match="have ground-truth factors"):
            check_arguments("factor_vae", Unlabelled())


class TestEncoderMetrics:
    """The aggregate posterior and the evidence, of an encoder that knows them."""

    def test_aggregate_posterior(self):
        data, encoder = known.GridDataset(SIZES), Noisy()
        result = METRICS["aggregate_posterior"].on_data(
            data, encoder, num_images=20, num_samples=50, progress=False
        )
        rows = np.sort(np.random.default_rng(0).choice(24, size=20, replace=False))
        means = known.perfect(SIZES)(data.images()[rows])
        expected = metrics.aggregate_posterior_scores(
            means, np.full(means.shape, 0.5), num_samples=50, progress=False
        )
        assert result.score == expected.score
        assert result.protocol == "mixture of 20, 50 draws"

    def test_evidence_of_held_out_images(self):
        data = known.GridDataset(SIZES)
        held_out = np.array([7, 3, 2, 20, 11])
        log_evidence = METRICS["log_evidence"].on_data
        result = log_evidence(
            data, Noisy(), seed=3, num_images=4, held_out=held_out, progress=False
        )
        rows = np.random.default_rng(3).choice(held_out, size=4, replace=False)
        expected = data.images()[np.sort(rows)].reshape(4, -1).sum(axis=1) + 3
        np.testing.assert_array_equal(result.arrays[0], expected)
        assert result.protocol == "4 held-out images, 1000 draws"
        everything = log_evidence(data, Noisy(), progress=False)
        assert everything.protocol == "24 images, 1000 draws"
        with pytest.raises(ArgumentError, match="held_out must have at least 2"):
            log_evidence(data, Noisy(), held_out=held_out[:1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mig", r"Did you mean mig_score\?"),
        ("statistical_eficiency", r"Did you mean statistical_efficiency\?"),
        ("evaluat", r"Did you mean evaluate"),
    ],
)
def test_a_name_that_people_try_is_answered_with_the_functions_name(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(metrics, name)


@pytest.mark.parametrize("name", ["log_evidence", "aggregate_posterior"])
def test_metrics_of_posteriors_refuse_arrays(name):
    codes, factors = np.zeros((9, 2)), np.zeros((9, 1), int)
    own = f"{name} is no function of codes: pass a data set and models.encoder.Model"
    with pytest.raises(ArgumentTypeError, match=f"data must be a data set.*{own}"):
        getattr(metrics, name)(codes, factors)
    data = known.GridDataset(SIZES)
    for function in (getattr(metrics, name), METRICS[name].on_data):
        with pytest.raises(ArgumentError, match=f"encoder must be .*{own}"):
            function(data, known.perfect(SIZES))
