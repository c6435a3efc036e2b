"""A property read off one latent: against scipy, and for what comes round."""

import numpy as np
import pytest
import scipy.stats

from tf_disentangle import checks
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.metrics import inferred_property, split_objects
from tf_disentangle.metrics.supervised.inferred_property import correlation


def codes_and_values(num=400, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 10, num)
    codes = rng.normal(size=(num, 3))
    codes[:, 1] += -0.5 * values
    return codes, values


def test_chosen_on_one_part_and_scored_on_the_other():
    train, test = codes_and_values(seed=0), codes_and_values(seed=1)
    found = inferred_property(*train, *test)
    assert found.latent == 1
    expected = [abs(scipy.stats.pearsonr(z, train[1])[0]) for z in train[0].T]
    np.testing.assert_allclose(found.train_correlations, expected)
    assert found.score == pytest.approx(
        -scipy.stats.pearsonr(test[0][:, 1], test[1])[0]
    )
    assert found.interval.low < found.score < found.interval.high
    assert found.protocol == "pearson"


def test_circular_is_the_multiple_correlation_with_cosine_and_sine():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 360, 500) ** 1.1  # cosine and sine correlated
    z = np.cos(np.deg2rad(angle - 40)) + 0.5 * rng.normal(size=500)
    both = np.stack([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))], axis=1)
    design = np.column_stack([both, np.ones(500)])
    fitted = design @ np.linalg.lstsq(design, z, rcond=None)[0]
    expected = np.sqrt(np.var(fitted) / np.var(z))
    assert correlation(z, angle, 360.0) == pytest.approx(expected)
    # Where the circle is cut does not matter, unlike for Pearson's.
    assert correlation(z, (angle + 77) % 360, 360.0) == pytest.approx(expected)


def test_a_categorical_latent_is_never_chosen():
    values = np.arange(100.0) % 4
    codes = np.stack([values, values + np.sin(np.arange(100))], axis=1)
    columns = [CodeColumn("c0", "categorical", "c", 4), CodeColumn("z0")]
    found = inferred_property(codes, values, codes, values, columns=columns)
    assert found.latent == 1 and np.isnan(found.train_correlations[0])
    alone = codes[:, :1]
    with pytest.raises(checks.ArgumentError, match="have a continuous latent"):
        inferred_property(alone, values, alone, values, columns=columns[:1])


def test_constant_latents_tell_nothing():
    assert correlation(np.ones(5), np.arange(5.0)) == 0.0
    assert correlation(np.arange(5.0), np.ones(5), 2.0) == 0.0


def test_objects_are_in_one_part_only():
    objects = np.repeat(np.arange(20), 7)
    train, test = split_objects(objects, 5, seed=3)
    assert len(train) + len(test) == len(objects)
    assert len(set(objects[test])) == 5
    assert not set(objects[train]) & set(objects[test])
    with pytest.raises(checks.ArgumentError, match="num_test must be less than the 20"):
        split_objects(objects, 20)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"test_codes": np.zeros((400, 2))}, "test_codes must have 3 latents"),
        ({"train_values": np.zeros(3)}, r"train_values must have shape \[400\]"),
        ({"test_values": np.full(400, np.nan)}, "test_values must be finite"),
        ({"period": 0.0}, "period must be greater than 0"),
    ],
)
def test_errors(change, match):
    codes, values = codes_and_values()
    arrays = {"train_codes": codes, "train_values": values}
    arrays |= {"test_codes": codes, "test_values": values, **change}
    with pytest.raises(checks.ArgumentError, match=match):
        inferred_property(**arrays)
