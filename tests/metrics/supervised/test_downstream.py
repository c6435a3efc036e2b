import json
import warnings

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold

from tests import representations as known
from tf_disentangle.checks import ArgumentError
from tf_disentangle.metrics import METRICS, results
from tf_disentangle.metrics.sources import Draws, GridSource
from tf_disentangle.metrics.supervised.downstream import (
    downstream_scores,
    statistical_efficiency,
)
from tf_disentangle.metrics.supervised.strong_downstream import hold_out

strong_downstream_score = METRICS["strong_downstream"].on_data
SIZES = (3, 4)


def samples(encode, sizes=SIZES, num_train=200, num_test=150):
    """Train codes and factors, test codes and factors."""
    dataset, rng = known.GridDataset(sizes), np.random.default_rng(0)
    parts = []
    for count in (num_train, num_test):
        factors = dataset.sample_factors(count, rng)
        parts += [np.asarray(encode(dataset.render(factors))), factors]
    return parts


def boosted(labels):
    return GradientBoostingClassifier(random_state=0)


def logistic(labels):
    return LogisticRegressionCV(
        Cs=10,
        cv=KFold(5),
        scoring="accuracy",
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )


class TestAgainstTheLoop:
    @pytest.mark.parametrize(
        ("predictor", "protocol", "model"),
        [
            ("gradient_boosting", "dlib", boosted),
            ("logistic_regression", "dlib-sklearn1.9", logistic),
        ],
    )
    def test_every_accuracy(self, predictor, protocol, model):
        arrays = samples(known.noisy(SIZES, 0.4))
        result = downstream_scores(
            *arrays, sizes=(150, 30), predictor=predictor, protocol=protocol
        )
        assert result.sizes == (30, 150)
        codes, factors, test_codes, test_factors = arrays
        for i, size in enumerate(result.sizes):
            for k in range(2):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    fitted = model(factors).fit(codes[:size], factors[:size, k])
                accuracy = fitted.score(test_codes, test_factors[:, k])
                assert result.test_accuracy[i, k] == accuracy
                accuracy = fitted.score(codes[:size], factors[:size, k])
                assert result.train_accuracy[i, k] == accuracy
            assert result.by_size[size] == result.test_accuracy[i].mean()
            assert result.lowest_by_size[size] == result.test_accuracy[i].min()
        assert result.score == result.by_size[150]
        assert result.protocol == f"{protocol}, predictor={predictor}, sizes=30+150"

    def test_2018s_logistic_regression_is_one_against_the_rest(self):
        """The value with the highest score of its own cross-validated classifier."""
        codes, factors, test_codes, test_factors = samples(known.noisy(SIZES, 0.4))
        result = downstream_scores(
            codes,
            factors,
            test_codes,
            test_factors,
            sizes=(200,),
            predictor="logistic_regression",
        )
        for k, size in enumerate(SIZES):
            scores = [
                logistic(factors)
                .fit(codes, factors[:, k] == value)
                .decision_function(test_codes)
                for value in range(size)
            ]
            right = np.argmax(scores, axis=0) == test_factors[:, k]
            assert result.test_accuracy[0, k] == right.mean()

    def test_the_sizes_of_the_study(self):
        codes, factors, test_codes, test_factors = samples(
            known.perfect(SIZES), num_train=120
        )
        result = downstream_scores(codes, factors, test_codes, test_factors)
        assert result.sizes == (10, 100)
        assert "sizes=10+100" in result.protocol
        assert result.by_size[10] < result.by_size[100] == 1.0


class TestFewSamples:
    @pytest.mark.parametrize("predictor", ["gradient_boosting", "logistic_regression"])
    @pytest.mark.parametrize("protocol", ["dlib", "dlib-sklearn1.9"])
    def test_values_that_ten_samples_lack(self, predictor, protocol):
        sizes = (2, 20)
        codes, factors, test_codes, test_factors = samples(known.perfect(sizes), sizes)
        factors[:10, 0] = 1  # one value only among the first ten
        result = downstream_scores(
            codes,
            factors,
            test_codes,
            test_factors,
            sizes=(10,),
            predictor=predictor,
            protocol=protocol,
        )
        assert result.test_accuracy[0, 0] == np.mean(test_factors[:, 0] == 1)
        seen = np.isin(test_factors[:, 1], factors[:10, 1])
        assert result.test_accuracy[0, 1] <= seen.mean() < 1

    def test_two_samples(self):
        arrays = samples(known.perfect(SIZES))
        for predictor in ("gradient_boosting", "logistic_regression"):
            result = downstream_scores(*arrays, sizes=(2, 3), predictor=predictor)
            assert np.all(np.isfinite(result.test_accuracy))

    def test_factor_with_one_value(self):
        codes, factors, test_codes, test_factors = samples(known.perfect(SIZES))
        factors[:, 1] = 2
        result = downstream_scores(
            codes, factors, test_codes, test_factors, sizes=(50,)
        )
        assert np.isnan(result.test_accuracy).tolist() == [[False, True]]
        assert result.score == result.test_accuracy[0, 0]

    @pytest.mark.parametrize("sizes", [(201,), (1,), ()])
    def test_sizes_that_cannot_be(self, sizes):
        with pytest.raises(ArgumentError, match="sizes"):
            downstream_scores(*samples(known.perfect(SIZES)), sizes=sizes)


class TestEfficiency:
    def test_ratio(self):
        arrays = samples(known.noisy(SIZES, 0.4))
        result = statistical_efficiency(*arrays, small=20, large=200)
        scores = downstream_scores(*arrays, sizes=(20, 200))
        assert result.small_accuracy == scores.by_size[20]
        assert result.large_accuracy == scores.by_size[200]
        assert result.score == scores.by_size[20] / scores.by_size[200]
        np.testing.assert_array_equal(
            result.factor_scores, scores.test_accuracy[0] / scores.test_accuracy[1]
        )
        assert 0.3 < result.score < 1
        assert result.protocol == scores.protocol

    def test_published_sizes_are_not_named(self):
        codes, factors, test_codes, test_factors = samples(
            known.perfect((2,)), (2,), num_train=10_000
        )
        result = statistical_efficiency(codes, factors, test_codes, test_factors)
        assert result.protocol == "dlib, predictor=gradient_boosting"
        assert result.score == 1.0

    def test_fewer_samples_keep_the_ratio(self):
        arrays = samples(known.noisy(SIZES, 0.4), num_train=1_300)
        result = statistical_efficiency(*arrays)
        assert "sizes=13+1300" in result.protocol

    def test_sizes_in_order(self):
        with pytest.raises(ArgumentError, match="large"):
            statistical_efficiency(*samples(known.perfect(SIZES)), small=20, large=20)


class TestStrong:
    def test_hold_out(self):
        rng = np.random.default_rng(0)
        dataset = known.GridDataset((3, 1, 5))
        train = dataset.sample_factors(400, rng)
        test = dataset.sample_factors(400, rng)
        fixed = set()
        for _ in range(60):
            source = GridSource(dataset, None)
            held = hold_out(source, Draws(train), Draws(test), 0, rng)
            new_train, new_test = (part.factors for part in held)
            # The target's only rival is the last: the middle one has a single value.
            assert np.all(new_train[:, :2] == train[:, :2])
            assert np.all(new_test[:, :2] == test[:, :2])
            (value,) = set(new_train[:, 2])
            assert set(new_test[:, 2]) == set(range(5)) - {value}
            counts = np.bincount(new_test[:, 2], minlength=5)[np.arange(5) != value]
            assert np.all(np.abs(counts - 100) < 5 * np.sqrt(75))
            fixed.add(int(value))
        assert fixed == set(range(5))

    def test_perfect_codes_generalise(self):
        result = strong_downstream_score(
            known.GridDataset(SIZES),
            known.perfect(SIZES),
            num_train=100,
            num_test=100,
            num_experiments=2,
        )
        assert result.score == result.accuracy == 1.0
        assert result.gap == 0.0

    def test_entangled_codes_do_not(self):
        """A single latent v0 + 3 v1: each code stands for one pair (v0, v1)."""

        def encode(images):
            factors = known.factors_of(images)
            return (factors[:, :1] + 3 * factors[:, 1:]).astype(float)

        options = {"num_train": 300, "num_test": 300, "num_experiments": 4, "seed": 3}
        dataset = known.GridDataset(SIZES)
        result = strong_downstream_score(dataset, encode, **options)
        assert result.accuracy == 1.0
        assert result.score < 0.75
        assert result.gap == pytest.approx(1 - result.score)
        assert result.score == np.mean(result.factor_scores)
        again = strong_downstream_score(dataset, encode, **options)
        np.testing.assert_array_equal(result.factor_scores, again.factor_scores)

    def test_chosen_targets(self):
        result = strong_downstream_score(
            known.GridDataset(SIZES),
            known.noisy(SIZES, 0.5),
            num_train=60,
            num_test=50,
            num_experiments=1,
            factors=["factor1"],
            encode_once=False,
        )
        assert np.isnan(result.factor_scores).tolist() == [True, False]
        assert result.score == result.factor_scores[1]
        assert "factors=factor1" in result.protocol

    def test_one_factor_cannot_be_held_out(self):
        with pytest.raises(ArgumentError, match="two factors"):
            strong_downstream_score(
                known.GridDataset((3, 1)), known.perfect((3, 1)), num_train=10
            )


def test_a_result_that_was_written_is_read_again_with_its_sizes():
    result = downstream_scores(*samples(known.noisy(SIZES, 0.5)), sizes=(10, 100))
    row = json.loads(json.dumps(results.as_row({"downstream": result})))["downstream"]
    assert results.from_row(type(result), row).by_size == result.by_size
