"""Metrics of arrays, made metrics of a data set and an encoder.

A metric of arrays says by its first parameters what it needs:

    (codes)                                                    one draw, codes only
    (codes, factors)                                           one draw
    (train_codes, train_factors, test_codes, test_factors)     two successive draws

`on_dataset` wraps it into a function (dataset, encode, ...) that draws the factors,
encodes each distinct image once and calls it. Draws are functions of the seed alone, so
metrics of one seed and one size see the same images: the 10,000 of MIG are the train
part of DCI.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import integer, one_of, require
from tf_disentangle.interfaces import (
    CodeColumn,
    Dataset,
    Encoder,
    RandomEncoder,
)
from tf_disentangle.metrics.draws import (
    require_factors,
    sample_factors,
    scored_factors,
)
from tf_disentangle.metrics.encoding import EncodedFactors, encode_factors
from tf_disentangle.metrics.estimators.predictors import PREDICTORS
from tf_disentangle.metrics.protocol import (
    ARRAY_PROTOCOLS,
    ArrayProtocol,
    named_protocol,
)
from tf_disentangle.metrics.supervised.sap import SOLVERS

#: Sizes of the draws in the study of Locatello et al. (2019).
NUM_TRAIN, NUM_TEST = 10_000, 5_000

_SPLIT = ("train_codes", "train_factors", "test_codes", "test_factors")
_KINDS = (("codes",), ("codes", "factors"), _SPLIT)


def _sampling(
    dataset: Dataset,
    encode: Encoder,
    *,
    seed: int = 0,
    num_train: int = NUM_TRAIN,
    num_test: int = NUM_TEST,
    factors: Sequence[str] | None = None,
    encode_once: bool | None = None,
    encode_batch_size: int = 256,
    progress: bool | None = None,
) -> None:
    """On a data set the arrays are drawn: (dataset, encode, ...).

    Args:
        dataset: A set with known factors, or, for a metric of codes alone, any set: one
            without factors gives training images.
        encode: Images uint8 [B, H, W, C] to codes [B, L].
        seed: Of the draws, and of the metric where it has one; at least 0.
        num_train: Images of the first draw, at least 2.
        num_test: Images of the second draw, at least 2, for a metric with a test part.
        factors: Names of the factors to score; the others still vary, and the result's
            protocol says so. None is all.
        encode_once: None encodes each distinct image once, unless the set declares
            "stochastic_images". Give False where `encode` is itself random.
        encode_batch_size: Images per call of `encode`.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.
    """


def needs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the arrays that a metric takes; () if it does not take arrays."""
    parameters = inspect.signature(function).parameters.values()
    names = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
    return names if names in _KINDS else ()


def on_dataset(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the metric of a data set that calls a metric of arrays.

    It takes the options of both, and the result's protocol names sizes and factors that
    are not the usual ones.

    Args:
        function: A metric of arrays; its options are keyword-only.
    """
    arrays, signature = needs(function), _signature(function)
    own = set(inspect.signature(function).parameters) - set(arrays)

    def metric(*args: Any, **options: Any) -> Any:
        _require_both(function.__name__, signature, args, options)
        bound = signature.bind(*args, **options)
        bound.apply_defaults()
        values = bound.arguments
        _check_choices({name: values[name] for name in own})
        given, note = _drawn(arrays, values)
        result = function(*given, **{k: v for k, v in values.items() if k in own})
        return dataclasses.replace(result, protocol=f"{result.protocol}{note}")

    # Not functools.wraps: gin would look through `__wrapped__` for the parameters.
    metric.__name__ = function.__name__
    metric.__doc__ = f"{inspect.getdoc(function)}\n\n{inspect.getdoc(_sampling)}"
    metric.__signature__ = signature
    return metric


def _require_both(
    name: str, signature: inspect.Signature, args: tuple, options: Mapping[str, Any]
) -> None:
    """Raises Python's own error, which `inspect` words otherwise, for a missing one.

    From it the configuration tells who wrote @mig_score() for @mig_score.
    """
    given = signature.bind_partial(*args, **options).arguments
    missing = [repr(n) for n in ("dataset", "encode") if n not in given]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise TypeError(
            f"{name}() missing {len(missing)} required positional argument{plural}: "
            f"{' and '.join(missing)}"
        )


def _check_choices(options: Mapping[str, Any]) -> None:
    """Checks protocol, overrides and classifiers before the first image is encoded.

    A run rehearses its metrics so far: a misspelt protocol is then an error before the
    first step of training, not after the last.
    """
    if "predictor" in options:
        one_of(options["predictor"], list(PREDICTORS), "predictor")
    if "solver" in options:
        one_of(options["solver"], SOLVERS, "solver")
    if "protocol" not in options:
        return
    fields = {field.name for field in dataclasses.fields(ArrayProtocol)} - {"name"}
    given = {name: v for name, v in options.items() if name in fields}
    named_protocol(ARRAY_PROTOCOLS, options["protocol"], **given)


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a metric of arrays on a data set."""
    parameters = dict(inspect.signature(_sampling).parameters)
    if needs(function) != _SPLIT:
        del parameters["num_test"]
    if needs(function) == ("codes",):
        del parameters["factors"]
    options = inspect.signature(function).parameters.values()
    own = {p.name: p for p in options if p.kind is p.KEYWORD_ONLY}
    return inspect.Signature([*parameters.values(), *_without(own, parameters)])


def _without(own: Mapping[str, Any], others: Mapping[str, Any]) -> list[Any]:
    return [parameter for name, parameter in own.items() if name not in others]


def _drawn(
    arrays: Sequence[str], values: Mapping[str, Any]
) -> tuple[list[np.ndarray], str]:
    """Draws and encodes what a metric needs.

    Returns:
        The arrays, and what the protocol's name must add.
    """
    dataset = values["dataset"]
    rng = np.random.default_rng(integer(values["seed"], "seed", at_least=0))
    if tuple(arrays) == ("codes",) and not dataset.factor_names:
        return _of_images(values, rng)
    require_factors(dataset)
    chosen, factors_note = scored_factors(dataset, values.get("factors"))
    usual = {"num_train": NUM_TRAIN, "num_test": NUM_TEST}
    sizes = {k: integer(values[k], k, at_least=2) for k in usual if k in values}
    drawn = [sample_factors(dataset, size, rng) for size in sizes.values()]
    encoding = encode_factors(
        dataset,
        values["encode"],
        np.concatenate(drawn),
        rng=rng,
        encode_once=values["encode_once"],
        batch_size=values["encode_batch_size"],
        progress=values["progress"],
    )
    given, start = [], 0
    for part in drawn:
        given += [encoding[start : start + len(part)], part[:, chosen]]
        start += len(part)
    notes = [f", {k}={size}" for k, size in sizes.items() if size != usual[k]]
    return given[: len(arrays)], "".join([*notes, factors_note])


def _of_images(
    values: Mapping[str, Any], rng: np.random.Generator
) -> tuple[list[np.ndarray], str]:
    """Codes of training images, drawn with replacement as factors are.

    For a set without known factors, whose images are all there is to draw from.
    """
    dataset, encode = values["dataset"], values["encode"]
    if isinstance(encode, EncodedFactors):
        encode = encode.encode  # Without factors it has nothing to look up.
    size = integer(values["num_train"], "num_train", at_least=2)
    step = integer(values["encode_batch_size"], "encode_batch_size", at_least=1)
    images, rows = dataset.images(), rng.integers(len(dataset), size=size)
    parts = [encode(images[rows[i : i + step]]) for i in range(0, size, step)]
    codes = np.concatenate(parts)
    if isinstance(encode, RandomEncoder):
        codes = encode.draw(codes, rng)
    note = "" if size == NUM_TRAIN else f", num_train={size}"
    return [codes], f", training images{note}"


def columns_for(
    metric: Callable[..., Any], columns: Sequence[CodeColumn] | None, name: str
) -> dict[str, Sequence[CodeColumn]]:
    """Returns {"columns": columns} for a metric that asks for it, else {}.

    Args:
        metric: Any function with or without a parameter `columns`.
        columns: What the columns of the codes hold; None if it is not known.
        name: Of the metric, for the error.

    Raises:
        ArgumentError: If a metric that does not ask would take a categorical column,
            whose values have no order, for a quantity.
    """
    if columns is None:
        return {}
    if "columns" in inspect.signature(metric).parameters:
        return {"columns": columns}
    named = [column.name for column in columns if column.kind == "categorical"]
    remedy = "Leave the metric out; a metric of your own may take `columns`."
    rule = "take `columns` where latents are categorical, for these have no order"
    require(not named, name, rule, ", ".join(named), remedy)
    return {}


def chosen_names(
    dataset: Dataset, factors: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Names of the factors that are scored, in the order of the matrices' columns.

    Args:
        dataset: A set with known factors.
        factors: Names of some of them; None is all.

    Raises:
        ArgumentError: If a name is unknown or comes twice.
    """
    return tuple(dataset.factor_names[k] for k in scored_factors(dataset, factors)[0])
