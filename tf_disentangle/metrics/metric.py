"""What a metric is, where it is found by name, and how it is called on a data set.

A metric is a function of arrays with its `Input`, which says what it takes:

    Input.CODES              f(codes)
    Input.CODES_AND_FACTORS  f(codes, factors)
    Input.SPLIT              f(codes, factors, test_codes, test_factors); without a
                             test part it splits the rows by its seed
    Input.VOTES              the same; it draws batches of the rows by itself
    Input.ENCODER            f(data, encoder), a `PosteriorEncoder`; no arrays

A `Metric(function, input)` can be used in two ways: calling it calls the function of
arrays, and `metric.on_data(data, encoder, ...)` draws the samples from a data set,
encodes each distinct image once and calls the function with them. The samples depend on
the seed alone, so that metrics of one seed and one size see the same images.

For gin: `on_data` is a plain function whose name is that of the function of arrays
("mig_score") and whose signature has the options of both. Register it under that name:

    for metric in METRICS.values():
        gin.external_configurable(metric.on_data, metric.function.__name__)

The result (`@mig_score`) is accepted wherever a metric is, and so is a name: replace a
name in a gin file by `functools.partial(metric.on_data, **bindings)` with the bindings
of the function of that name.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tf_disentangle.checks import (
    ArgumentError,
    ArgumentTypeError,
    integer,
    known_options,
    message,
    nearest,
    one_of,
)
from tf_disentangle.interfaces import Dataset, Encoder, PosteriorEncoder
from tf_disentangle.metrics.encoding import (
    EncodedFactors,
    encode_images,
    require_posterior,
)
from tf_disentangle.metrics.estimators.predictors import PREDICTORS
from tf_disentangle.metrics.protocol import (
    ARRAY_PROTOCOLS,
    ArrayProtocol,
    named_protocol,
)
from tf_disentangle.metrics.results import display_name
from tf_disentangle.metrics.sources import Draws, GridSource, Source, source_of_data

#: Sample sizes in the study of Locatello et al. (2019).
NUM_TRAIN, NUM_TEST = 10_000, 5_000


class Input(enum.Enum):
    """What a metric takes."""

    CODES = "codes"
    CODES_AND_FACTORS = "codes and factors"
    SPLIT = "codes and factors, in a train and a test part"
    VOTES = "codes and factors, of which it draws batches"
    ENCODER = "a data set and an encoder that knows its posterior"


@dataclasses.dataclass(frozen=True, eq=False)
class Metric:
    """A metric: a function, and what it takes.

    Attributes:
        function: The function of arrays, with keyword-only options; for
            `Input.ENCODER`, the function of (data, encoder, ...).
        input: What its positional arguments are.
        verbatim_latents: The least number of latents under a "verbatim" protocol.
        seed_splits_only: Whether its seed has no effect if a test part is given.
        greater_is_better: Whether a greater score is considered better than a smaller
            one; None for a count, where neither is better and there are no floor and
            ceiling.
    """

    function: Callable[..., Any]
    input: Input
    verbatim_latents: int = 1
    seed_splits_only: bool = False
    greater_is_better: bool | None = True

    def __call__(self, *arrays: Any, **options: Any) -> Any:
        """Calls the function."""
        return self.function(*arrays, **options)

    @property
    def name(self) -> str:
        """The short name, "mig" for `mig_score`."""
        return display_name(self.function.__name__)

    @property
    def has_bounds(self) -> bool:
        """Whether a score of it has a floor and a ceiling (`metrics.Bounds`)."""
        return self.input is not Input.ENCODER and self.greater_is_better is not None

    @property
    def options(self) -> dict[str, inspect.Parameter]:
        """The options of the function, by name."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}

    @functools.cached_property
    def on_data(self) -> Callable[..., Any]:
        """The function (data, encoder, *, ...) that draws the arrays and calls it."""
        function, signature = self.function, _signature(self)

        def on_data(*args: Any, **options: Any) -> Any:
            known_options(on_data, options)
            _require_both(function.__name__, signature, args, options)
            bound = signature.bind(*args, **options)
            run = bound.arguments["encoder"]
            if isinstance(run, DryRun) and not run.is_check:
                run.options = options
                raise DryRun.Ended
            bound.apply_defaults()
            values = dict(bound.arguments)
            if self.input is not Input.ENCODER:  # `_call` checks both of its own.
                _require_data(values["data"], self)
            _check_choices(self, {name: values[name] for name in self.options})
            return _call(self, values)

        # Not functools.wraps: gin would look through `__wrapped__` for the parameters.
        on_data.__name__ = on_data.__qualname__ = function.__name__
        on_data.__doc__ = f"{inspect.getdoc(function)}\n\n{inspect.getdoc(_drawing)}"
        # `metric` survives gin's and functools' wrappers.
        vars(on_data).update(__signature__=signature, metric=self)
        return on_data


#: Every metric of the library by its short name; `tf_disentangle.metrics` fills it. A
#: metric of your own is known by name everywhere once it is in the table.
METRICS: dict[str, Metric] = {}


def named(name: str, table: Mapping[str, Any] | None = None) -> str:
    """Returns the short name under which a table knows a metric: "mig_score" is "mig".

    Args:
        name: "mig" or "mig_score".
        table: By short name; `METRICS` if None.

    Raises:
        ArgumentError: If there is no such metric; the error lists the nearest names.
    """
    table = METRICS if table is None else table
    for form in (name, display_name(name)):
        if form in table:
            return form
    rule = "name known metrics"
    raise ArgumentError(message("metrics", rule, name, nearest(name, table)))


class DryRun(PosteriorEncoder):
    """An encoder that makes a metric stop once it has checked its arguments.

    Attributes:
        is_check: Whether to check them; otherwise the metric ends at once.
        options: The options that reached the metric from gin or the caller.
    """

    class Ended(Exception):
        """The metric came as far as its first draw or image."""

    def __init__(self, is_check: bool = True) -> None:
        self.is_check = is_check
        self.options: dict[str, Any] = {}

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Ends the dry run."""
        raise DryRun.Ended

    parameters = draw = gaussian_moments = log_evidence = __call__


class _DrySource(GridSource):
    """A source that ends the dry run at its first draw."""

    def sample(self, *args: Any, **options: Any) -> Draws:
        raise DryRun.Ended


def _drawing(
    data: Dataset,
    encoder: Encoder,
    *,
    seed: int = 0,
    num_train: int = NUM_TRAIN,
    num_test: int = NUM_TEST,
    factors: Sequence[str] | None = None,
    encode_once: bool | None = None,
    encode_batch_size: int = 256,
    progress: bool | None = None,
) -> None:
    """Called on a data set, as (data, encoder, ...), it draws its own samples.

    Args:
        data: A set with known factors, or, for a metric of codes alone, any set: a set
            without factors supplies training images.
        encoder: Images uint8 [B, H, W, C] to codes [B, L]; see `interfaces.Encoder`.
        seed: Seed of the draws and of the metric, at least 0.
        num_train: Size of the first sample of images, at least 2. A table with fewer
            rows is used as a whole, each row once, and the result's protocol says so.
        num_test: Size of the second sample, at least 2, for a metric with a test part.
        factors: Names of the factors to score; the others still vary, and the result's
            protocol says so. None is all.
        encode_once: None encodes each distinct image once, unless the set renders at
            random. Pass False if the encoder is itself random.
        encode_batch_size: Images per call of the encoder.
        progress: Whether to show a bar on stderr; None shows it on a terminal only.
    """


def _signature(metric: Metric) -> inspect.Signature:
    """The signature of a metric on a data set."""
    if metric.input is Input.ENCODER:
        return inspect.signature(metric.function)
    parameters = dict(inspect.signature(_drawing).parameters)
    if metric.input is not Input.SPLIT:
        del parameters["num_test"]
    if metric.input is Input.CODES:
        del parameters["factors"]
    if metric.input is Input.VOTES:
        del parameters["num_train"]
    own = [p for name, p in metric.options.items() if name not in parameters]
    return inspect.Signature([*parameters.values(), *own])


def _require_both(
    name: str, signature: inspect.Signature, args: tuple, options: Mapping[str, Any]
) -> None:
    """Raises Python's own error if an argument is missing.

    `inspect` would word it differently. From Python's error, the configuration
    recognises @mig_score() written in place of @mig_score.
    """
    passed = signature.bind_partial(*args, **options).arguments
    missing = [repr(n) for n in ("data", "encoder") if n not in passed]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        raise TypeError(
            f"{name}() missing {len(missing)} required positional argument{plural}: "
            f"{' and '.join(missing)}"
        )


def _require_data(data: Any, metric: Metric) -> None:
    """Raises `ArgumentTypeError` unless `data` is a data set."""
    if isinstance(data, Dataset):
        return
    remedy = f"For arrays call metrics.{metric.function.__name__}(codes, factors)."
    raise ArgumentTypeError(message("data", "be a data set", data, remedy))


def _check_choices(metric: Metric, options: Mapping[str, Any]) -> None:
    """Checks protocol, overrides and classifiers before the first image is encoded."""
    if "predictor" in options:
        one_of(options["predictor"], list(PREDICTORS), "predictor")
    # Metrics of votes check their protocol before they draw.
    if "protocol" in options and metric.input is not Input.VOTES:
        fields = {field.name for field in dataclasses.fields(ArrayProtocol)} - {"name"}
        overrides = {name: v for name, v in options.items() if name in fields}
        named_protocol(ARRAY_PROTOCOLS, options["protocol"], **overrides)


def _call(metric: Metric, values: dict[str, Any]) -> Any:
    """Calls a metric on a data set; `values` are all its arguments."""
    own = {name: values[name] for name in metric.options if name in values}
    data, encoder = values["data"], values["encoder"]
    if metric.input is Input.ENCODER:
        if isinstance(encoder, EncodedFactors):
            encoder = encoder.encoder
        require_posterior(data, encoder, metric.name)
        return metric.function(data, encoder, **own)
    seed = integer(values["seed"], "seed", at_least=0)
    encoding = {
        "encode_once": values["encode_once"],
        "batch_size": values["encode_batch_size"],
        "progress": values["progress"],
    }
    rng = np.random.default_rng(seed)
    if metric.input is Input.CODES and not data.factor_names:
        size = min(integer(values["num_train"], "num_train", at_least=2), len(data))
        rows = np.arange(size)
        if size == values["num_train"]:
            rows = rng.integers(len(data), size=size)
        codes = encode_images(data, encoder, rows, rng=rng, **encoding)[:]
        note = "" if size == NUM_TRAIN else f", num_train={size}"
        return _noted(metric.function(codes, **own), f", training images{note}")
    source = source_of_data(
        data, encoder, seed=seed, factors=values.get("factors"), **encoding
    )
    if isinstance(encoder, DryRun):
        source = _DrySource(data, encoder, values.get("factors"))
    if metric.input is Input.VOTES:
        return metric.function(source, None, **own)
    arrays, note = _drawn_arrays(metric, source, values, rng)
    return _noted(metric.function(*arrays, **own), note)


def _drawn_arrays(
    metric: Metric, source: Source, values: dict[str, Any], rng: np.random.Generator
) -> tuple[list[np.ndarray], str]:
    """Draws and encodes what a metric of arrays takes.

    Returns:
        Its codes, factors, test codes and test factors, as far as it takes them, and
        what the protocol's name must add.
    """
    draws, notes, is_split = [], [], metric.input is Input.SPLIT
    usual_sizes = {"num_train": NUM_TRAIN, "num_test": NUM_TEST}
    for name, usual in list(usual_sizes.items())[: 1 + is_split]:
        size = integer(values[name], name, at_least=2)
        draws.append(source.take(size, rng, name == "num_test", is_split))
        size = len(draws[-1])
        notes += [] if size == usual else [f", {name}={size}"]
    encoded = source.encode(Draws.joined(draws), rng)
    if metric.input is Input.CODES:
        return [encoded[:]], "".join(notes)
    arrays, start = [], 0
    for part in draws:
        arrays.append(encoded[start : start + len(part)])
        arrays.append(part.factors[:, source.scored])
        start += len(part)
    split_note = source.split_note if is_split else ""
    return arrays, "".join([*notes, split_note, source.note])


def _noted(result: Any, note: str) -> Any:
    """Returns a result whose protocol says more."""
    return dataclasses.replace(result, protocol=f"{result.protocol}{note}")
