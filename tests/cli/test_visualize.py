"""The choices of bin/visualize: what they mean and how a wrong one is answered."""

import numpy as np
import pytest

from tests.datasets.tiny import Tiny
from tf_disentangle.checks import ArgumentError
from tf_disentangle.cli.visualize import (
    images_with,
    parse_factors,
    parse_indices,
    parse_range,
)
from tf_disentangle.datasets import Subset


def test_choices():
    assert parse_indices(["3", " 17"]) == [3, 17]
    assert parse_factors(["shape=1", "scale=30"]) == {"shape": 1, "scale": 30}
    assert parse_range("-1.5,3") == (-1.5, 3.0)
    assert parse_range("codes") == "codes"
    assert parse_indices(None) is None and parse_factors(None) is None


@pytest.mark.parametrize(
    ("parse", "value", "words"),
    [
        (parse_indices, ["3", "-1"], "--images must be indices such as 3,17"),
        (parse_indices, [], "--images must be indices"),
        (parse_factors, ["shape"], "--factors must be names with values"),
        (parse_factors, ["shape=a"], "--factors must be names with values"),
        (parse_range, "3", "--range must be two numbers"),
        (parse_range, "2,-2", "--range must be two numbers"),
        (parse_range, "quantile", "or quantiles, or codes; received 'quantile'"),
    ],
)
def test_wrong_choices(parse, value, words):
    with pytest.raises(ArgumentError, match=words):
        parse(value)


def test_images_have_the_factors_and_vary_in_the_others():
    images = images_with(Tiny(), {"x": 2}, 40, np.random.default_rng(0))
    # A square at x begins at pixel 3 x of a row, one at y at pixel 2 y of a column.
    left = images.any(axis=1)[..., 0].argmax(axis=1)
    top = images.any(axis=2)[..., 0].argmax(axis=1)
    assert left.tolist() == [6] * 40
    assert set(top.tolist()) == {0, 2, 4, 6, 8}


@pytest.mark.parametrize(
    ("data", "factors", "words"),
    [
        (Tiny(), {"colour": 0}, "--factors must name factors of the data set, "),
        (Tiny(), {Tiny().factor_names[0]: 99}, "--factors must have a value of "),
        (Subset(Tiny(), [0, 1]), {}, "without an image of every.*--images with ind"),
    ],
)
def test_factors_that_no_image_has(data, factors, words):
    with pytest.raises(ArgumentError, match=words):
        images_with(data, factors, 3, np.random.default_rng(0))
