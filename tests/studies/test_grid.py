"""The combinations of a grid, against scikit-learn's and lists by hand."""

import numpy as np
import pytest
from sklearn.model_selection import ParameterGrid

from tf_disentangle import checks, configuration
from tf_disentangle.studies import grid


def settings(points):
    return [dict(point.settings) for point in points]


def test_a_dictionary_of_lists_is_the_product_of_scikit_learn():
    axes = {"a.x": [1, 2, 3], "b.y": [True, None], "c.z": ["full", "diagonal"]}
    ours = settings(grid.points({"method": "vae.gin", **axes}))
    key = lambda row: sorted(map(repr, row.items()))  # noqa: E731
    assert sorted(ours, key=key) == sorted(ParameterGrid(axes), key=key)


def test_a_list_of_dictionaries_is_one_after_the_other():
    parts = [
        {"method": "vae.gin", "a.x": [1, 2]},
        {"method": ["beta_vae.gin", "chyvae.gin"], "b.y": 3},
    ]
    points = list(grid.points(parts))
    assert [point.method for point in points] == ["vae"] * 2 + ["beta_vae", "chyvae"]
    assert settings(points) == [{"a.x": 1}, {"a.x": 2}, {"b.y": 3}, {"b.y": 3}]


def test_names_in_a_tuple_change_together():
    part = {
        ("method", "label", "a.x"): [("vae.gin", "A", 1), ("chyvae.gin", "B", 2)],
        "b.y": [5, 6],
    }
    points = list(grid.points(part))
    found = [(p.files, p.method, p.settings["a.x"], p.settings["b.y"]) for p in points]
    one, two = ("vae.gin",), ("chyvae.gin",)
    assert found == [
        *((one, "A", 1, 5), (one, "A", 1, 6)),
        *((two, "B", 2, 5), (two, "B", 2, 6)),
    ]


def test_the_order_is_data_then_parts_then_bindings_then_seeds():
    parts = [
        {"method": "vae.gin", "seed": [7, 8], "a.x": [1, 2]},
        {"method": "pinwheel.gin"},
    ]
    points = list(grid.points(parts, data=["mnist.gin", "dsprites.gin"], seeds=2))
    found = [(p.data, p.method, p.settings.get("a.x"), p.seed) for p in points]
    one = [("vae", 1, 7), ("vae", 1, 8), ("vae", 2, 7), ("vae", 2, 8)]
    one += [("pinwheel", None, 0), ("pinwheel", None, 1)]
    assert found == [(d, *rest) for d in ("mnist", "dsprites") for rest in one]
    assert points[0].files == ("vae.gin", "datasets/mnist.gin")


def test_a_part_with_its_own_data_stands_once():
    parts = [{"method": "vae.gin"}, {"method": "pinwheel.gin", "data": "pinwheel.gin"}]
    found = [
        (p.method, p.data)
        for p in grid.points(parts, data=["mnist.gin", "dsprites.gin"])
    ]
    assert found == [("vae", "mnist"), ("pinwheel", "pinwheel"), ("vae", "dsprites")]


def test_without_data_and_seeds_the_files_choose():
    (point,) = grid.points({"method": "vae.gin"})
    assert (point.data, point.seed, point.files) == ("", None, ("vae.gin",))


def test_several_files_of_one_method():
    (point,) = grid.points({"method": [["vae.gin", "metrics/dlib.gin"]]})
    assert (point.files, point.method) == (("vae.gin", "metrics/dlib.gin"), "vae+dlib")


@pytest.mark.parametrize(
    ("axes", "strengths"),
    [
        ({"a.x": [1, 4.5], "seed": [0, 1]}, [1.0, 1.0, 4.5, 4.5]),
        ({"a.x": [1, 4], "b.y": [3]}, [1.0, 4.0]),
        ({"a.x": np.array([1, 2]), "b.y": ["p", "p"]}, [1.0, 1.0, 2.0, 2.0]),
        ({"a.x": [1, 2], "b.y": [3, 4]}, [None] * 4),
        ({"a.x": ["p", "q"]}, [None] * 2),
        ({"a.x": [True, False]}, [None] * 2),
        ({"a.x": [1]}, [None]),
        ({("a.x", "b.y"): [(1, "p"), (2, "p")]}, [1.0, 2.0]),
        ({("a.x", "b.y"): [("p", 1), ("p", 2)]}, [1.0, 2.0]),
        ({("a.x", "b.y"): [(1, 3), (2, 4)]}, [1.0, 2.0]),
        ({("a.x", "b.y"): [(1, 10), (1, 20), (2, 30)]}, [10.0, 20.0, 30.0]),
        ({("a.x", "b.y"): [(1, 10), (1, 20), (2, 20)]}, [None] * 3),
    ],
)
def test_strength_is_the_one_number_that_varies(axes, strengths):
    points = grid.points({"method": "vae.gin", **axes})
    assert [point.strength for point in points] == strengths


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "vae.gin", "sede": [1]}, "Did you mean seed"),
        ({"method": "vae.gin", "steps": [1]}, "FUNCTION.PARAMETER"),
        ({"a.x": [1]}, "must name a method"),
        ({"method": "vae.gin", "a.x": []}, r"grid\['a.x'\] must have at least one"),
        ({"method": "vae.gin", ("a.x", "b.y"): [(1, 2), 3]}, "tuples of 2 values"),
        (
            {"method": "vae.gin", "a.x": [1], ("a.x", "b.y"): [(1, 2)]},
            "each binding once",
        ),
        ({"method": "vae.gin", "seed": [0], "train.seed": [1]}, "each binding once"),
        ({"method": "vae.gin", "a x.b": [1]}, "FUNCTION.PARAMETER"),
        ({"method": "vae.gin", "train.output": ["x"]}, "be left out"),
        ({"method": "vae.gin", "seed": [-1]}, "at least 0"),
        ({"method": "vae.gin", "data": "dsprits.gin"}, "Did you mean dsprites.gin"),
        ([], "at least one part"),
    ],
)
def test_mistakes(wrong, words):
    with pytest.raises(checks.ArgumentError, match=words):
        list(grid.points(wrong))


@pytest.mark.parametrize("wrong", [3, ["vae.gin"], {"method": 3}, {3: [1]}])
def test_wrong_types(wrong):
    with pytest.raises(checks.ArgumentTypeError):
        list(grid.points(wrong))


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("beta_vae.beta=[1, 4, 16.5]", "beta_vae.beta", [1, 4, 16.5]),
        ("train.seed=range(3)", "train.seed", [0, 1, 2]),
        ("seed = range(2, 4)", "seed", [2, 3]),
        ("a.x=range(10, 0, -4)", "a.x", [10, 6, 2]),
        ("a.x=5", "a.x", [5]),
        (
            "a.x=[@elbo(), @beta_vae(), @c/mlp]",
            "a.x",
            ["@elbo()", "@beta_vae()", "@c/mlp"],
        ),
        ("a.x=['full', None]", "a.x", ["full", None]),
        ("a.x,b.y=[(1, 2), (3, 4)]", ("a.x", "b.y"), [(1, 2), (3, 4)]),
        ("a.x=[[1, 2], [3]]", "a.x", [[1, 2], [3]]),
    ],
)
def test_sweeps(text, key, values):
    assert grid.parse_sweep(text) == (key, values)


@pytest.mark.parametrize(
    "text",
    [
        *("beta_vae.beta", "=[1]", "a.x=", "a.x=[1", "a.x=range(1, 2, 0)"),
        *("a.x=__import__('os').getcwd()", "a.x=range(n)", "a.x=[full]"),
        "a.x=1\nb.y=2",
    ],
)
def test_sweeps_that_mean_nothing(text):
    with pytest.raises(checks.ArgumentError, match="--sweep"):
        grid.parse_sweep(text)


@pytest.mark.parametrize(
    "value",
    [
        *(
            3,
            -2.5,
            1e-9,
            True,
            None,
            "full",
            "it's",
            'a "b"\n',
            [1, "x"],
            (1,),
            (2, "y"),
        ),
        *([], (), {"a": [1, (2.0,)]}, "@elbo()", "%nu", ["@a/b.c()", "@d"]),
    ],
)
def test_gin_reads_what_is_written(value):
    assert configuration.literal(grid.written(value, "x"), "x") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), [print]])
def test_what_gin_cannot_have(value):
    with pytest.raises(checks.ArgumentError, match="a gin file can have"):
        grid.written(value, "x")
