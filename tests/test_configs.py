"""Objects survive the way to JSON and back, and what cannot is named."""

import dataclasses
import functools
import json
import pickle

import numpy as np
import pytest

from tf_disentangle import checks, configs


class Box(configs.Configured):
    def __init__(self, width, *, names=("a",), inner=None):
        self.width, self.names, self.inner = width, names, inner

    def area(self, height):
        return self.width * height


@dataclasses.dataclass(frozen=True)
class Part:
    weight: float = 1.0
    box: Box | None = None


def again(value):
    return configs.deserialize(json.loads(json.dumps(configs.serialize(value))))


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "x", [1, [2]], {"a": [None]}])
def test_plain_values_come_back(value):
    assert again(value) == value


@pytest.mark.parametrize("shape", [(2, 3), (6,), (0,), ()])
def test_arrays_come_back_with_their_type_and_shape(shape):
    array = np.arange(6, dtype=np.float32)[: int(np.prod(shape))].reshape(shape) / 7
    back = again(np.asarray(array))
    assert (back.dtype, back.shape) == (np.float32, shape)
    np.testing.assert_array_equal(back, array)


def test_large_arrays_are_told_apart_and_not_rebuilt():
    array = np.zeros(5000, np.uint8)
    other = array.copy()
    other[17] = 1
    assert configs.serialize(array) == configs.serialize(array.copy())
    assert configs.serialize(array) != configs.serialize(other)
    with pytest.raises(configs.CannotRebuildError, match="only its checksum"):
        again(array)


def test_objects_come_back_with_their_parts():
    back = again(Part(0.5, Box(3, inner=Box(4))))
    assert isinstance(back, Part) and back.weight == 0.5
    assert (back.box.width, back.box.inner.width) == (3, 4)


def test_functions_and_partials_come_back():
    assert again(np.linspace) is np.linspace
    assert list(again(functools.partial(np.linspace, 0, num=2))(1)) == [0, 1]


def test_nameless_functions_of_one_module_are_told_apart():
    def scaled(factor, offset=0):
        return lambda x: factor * x + offset

    records = [
        lambda x: x + 1,
        lambda x: x + 2,
        scaled(2),
        scaled(3),
        lambda x, y=2: x + y,
        lambda x, y=3: x + y,
    ]
    records = [json.dumps(configs.serialize(f)) for f in records]
    assert len(set(records)) == len(records)
    assert json.dumps(configs.serialize(scaled(2))) == records[2]


def test_a_function_that_calls_itself_is_recorded():
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert "factorial" in json.dumps(configs.serialize(factorial))


def test_methods_of_two_objects_are_told_apart_and_come_back():
    first, second = (configs.serialize(Box(width).area) for width in (2, 3))
    assert configs.differences(first, second) == ["self.width: was 2, is 3"]
    assert again(functools.partial(Box(3).area, 5))() == 15
    assert again(np.random.default_rng) is np.random.default_rng


def test_a_configured_object_knows_its_arguments_also_after_pickling():
    box = pickle.loads(pickle.dumps(Box(2)))
    assert box.get_config() == {"width": 2, "names": ("a",), "inner": None}
    assert repr(box) == "Box(width=2)"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda x: x, "made inside a function"),
        (object(), "no get_config"),
    ],
)
def test_what_cannot_be_rebuilt_is_recorded_and_named(value, reason):
    recorded = json.loads(json.dumps(configs.serialize(value)))
    with pytest.raises(checks.ArgumentError, match=reason):
        configs.deserialize(recorded)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("__main__.Mine", "script or notebook"),
        ("no_such_module.Mine", "no_such_module cannot be imported"),
        ("tf_disentangle.checks.Gone", "no longer exists"),
    ],
)
def test_a_class_that_is_not_found_is_named(path, reason):
    with pytest.raises(configs.CannotRebuildError, match=reason):
        configs.deserialize({"class_name": path, "config": {}})


def test_differences_name_the_setting():
    old, new = configs.serialize(Part(1.0)), configs.serialize(Part(2.0))
    assert configs.differences(old, new) == ["weight: was 1.0, is 2.0"]
    assert configs.differences(old, old) == []


def test_differences_of_nested_parts():
    old = configs.serialize(Part(1.0, Box(1, inner=[Box(1)])))
    new = configs.serialize(Part(1.0, Box(1, inner=[Box(2)])))
    assert configs.differences(old, new) == ["box.inner[0].width: was 1, is 2"]


def test_files_of_equal_content_may_lie_elsewhere():
    old = {"fingerprint": "12ab", "path": "/a", "size": 64}
    assert configs.differences(old, {**old, "path": "/b"}) == []
    assert len(configs.differences(old, {**old, "path": "/b", "size": 32})) == 1
    assert len(configs.differences(old, {**old, "path": "/b", "fingerprint": "0"})) == 2
    assert len(configs.differences({"path": "/a"}, {"path": "/b"})) == 1


def test_keyword_options_are_arguments_of_their_own():
    class Open(configs.Configured):
        def __init__(self, size, **options):
            self.options = options

    assert Open(3, x=1).get_config() == {"size": 3, "x": 1}
    assert repr(Open(3, x=1)).endswith("Open(size=3, x=1)")


def test_nan_is_no_difference():
    assert configs.differences({"a": float("nan")}, {"a": float("nan")}) == []
