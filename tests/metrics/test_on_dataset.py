"""Metrics of arrays on a data set: what they draw, share, and say of it."""

import dataclasses
import inspect

import numpy as np
import pytest

from tests import representations as known
from tf_disentangle import metrics
from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import METRICS, EncodedFactors, on_dataset

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


def of_split(train_codes, train_factors, test_codes, test_factors, *, seed=7):
    return Seen(seed, (train_codes, train_factors, test_codes, test_factors))


def call(function, **options):
    dataset = known.GridDataset(SIZES)
    options = {"num_train": 500, "progress": False, **options}
    return on_dataset(function)(dataset, known.perfect(SIZES), **options)


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
        on_dataset(function)(dataset, encoder, num_train=500, progress=False)
    assert sum(seen) == 24


def test_factors_choose_columns_and_the_others_vary():
    result = call(of_split, num_test=200, factors=["factor2", "factor0"])
    assert result.arrays[1].shape == (500, 2)
    assert result.arrays[0].shape == (500, 3)
    assert len(np.unique(result.arrays[0][:, 1])) == 3, "factor1 still varies"
    assert result.protocol.endswith("factors=factor0+factor2")
    names = metrics.chosen_names(known.GridDataset(SIZES), ["factor2", "factor0"])
    assert names == ("factor0", "factor2")


def test_the_protocol_says_what_is_not_usual():
    assert call(of_codes, option=4).protocol == "mine, option=4, num_train=500"
    assert call(of_split, num_test=50).protocol == "mine, num_train=500, num_test=50"
    usual = call(of_codes, num_train=10_000)
    assert usual.protocol == "mine, option=3"
    assert len(usual.arrays[0]) == 10_000


def test_signature_is_what_gin_and_users_read():
    parameters = inspect.signature(on_dataset(of_codes)).parameters
    assert list(parameters)[:3] == ["dataset", "encode", "seed"]
    assert "factors" not in parameters
    assert "num_test" not in parameters
    assert parameters["option"].default == 3
    assert parameters["seed"].default == 0
    split = inspect.signature(on_dataset(of_split)).parameters
    assert {"num_test", "factors", "num_train"} <= set(split)
    assert METRICS["mig_score"].__name__ == "mig_score"
    assert METRICS["mig_score"].__doc__.startswith(metrics.mig_score.__doc__[:40])
    with pytest.raises(TypeError, match="num_trian"):
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
        ("mig_score", {"protocol": "dlbi"}),
        ("mig_score", {"num_bins": 0}),
        ("dci_score", {"predictor": "boosting"}),
    ],
)
def test_choices_are_checked_before_the_first_image(name, options):
    def encode(images):
        raise AssertionError("an image was encoded")

    with pytest.raises(ArgumentError, match=next(iter(options))):
        METRICS[name](known.GridDataset(SIZES), encode, **options)


class Noisy:
    """Knows the factors of an image; its codes are those and noise."""

    def __init__(self):
        self.num_known = 0

    def __call__(self, images):
        self.num_known += len(images)
        return known.perfect(SIZES)(images)

    def draw(self, known_, rng):
        return known_ + 0.5 * rng.standard_normal(known_.shape)


@pytest.mark.parametrize("shared", [False, True])
def test_random_codes_are_drawn_anew_and_known_once(shared):
    dataset, encode = known.GridDataset(SIZES), Noisy()
    encoder = EncodedFactors(dataset, encode) if shared else encode
    result = on_dataset(of_pairs)(dataset, encoder, num_train=20_000, progress=False)
    codes, factors = result.arrays
    assert encode.num_known == 24
    noise = codes - known.perfect(SIZES)(dataset.render(factors))
    assert len(np.unique(codes)) > 59_000, "every draw has noise of its own"
    # 60,000 draws: standard errors 0.002 of the mean and 0.0014 of the deviation.
    assert abs(noise.mean()) < 0.008
    assert abs(noise.std() - 0.5) < 0.006
    again = on_dataset(of_pairs)(dataset, Noisy(), num_train=20_000, progress=False)
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
    encode = known.perfect(SIZES)
    result = on_dataset(of_codes)(Unlabelled(), encode, num_train=500)
    rows = np.random.default_rng(0).integers(24, size=500)
    np.testing.assert_array_equal(result.arrays[0], encode(Unlabelled().images())[rows])
    assert result.protocol == "mine, option=3, training images, num_train=500"
    with pytest.raises(ArgumentError, match="have ground-truth factors"):
        on_dataset(of_pairs)(Unlabelled(), encode)
    dataset, random = Unlabelled(), Noisy()
    for encoder in (random, EncodedFactors(dataset, random)):
        codes = on_dataset(of_codes)(dataset, encoder, num_train=500).arrays[0]
        assert len(np.unique(codes)) == 1_500


def test_random_codes_of_stochastic_images():
    dataset = known.GridDataset(SIZES, stochastic=True)
    encode = Noisy()
    on_dataset(of_pairs)(dataset, encode, num_train=300, progress=False)
    assert encode.num_known == 300


def test_a_missing_data_set_is_told_as_python_does():
    """From these words the configuration tells @mig_score() from @mig_score."""
    metric = METRICS["mig_score"]
    for arguments, words in (
        ((), "missing 2 required positional arguments: 'dataset' and 'encode'"),
        ((None,), "missing 1 required positional argument: 'encode'"),
    ):
        with pytest.raises(TypeError, match=words):
            metric(*arguments)
