"""How metrics are asked for: by name, by function, with options bound."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tf_disentangle.checks import ArgumentTypeError, message, require
from tf_disentangle.interfaces import CodeColumn, Dataset
from tf_disentangle.metrics.metric import METRICS, DryRun, Input, Metric, named
from tf_disentangle.metrics.results import display_name, from_row


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One metric as somebody asked for it.

    Attributes:
        name: The name under which its result is returned.
        function: Function (data, encoder, *, ...).
        metric: The `Metric` that it calls; None for a user's own function of a data
            set.
        options: Options that are bound to it already, including those bound by gin.
    """

    name: str
    function: Callable[..., Any]
    metric: Metric | None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def takes(self, option: str) -> bool:
        """Whether it has a parameter of that name."""
        return option in inspect.signature(self.function).parameters

    def taken(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options that it takes, without those that are None."""
        return {k: v for k, v in options.items() if v is not None and self.takes(k)}

    def key(self, values: Mapping[str, Any]) -> str:
        """Returns the metric with all arguments passed to it: "mig(num_train=700)".

        `evaluate` recognises an earlier result by this key. A user's own metric has a
        different key from the library's metric of the same name.
        """
        name = self.metric.name if self.metric else f"own {self.name}"
        passed = {**self.options, **values}
        for option in ("progress", "held_out"):  # The run's, not the caller's.
            passed.pop(option, None)
        inner = ", ".join(f"{k}={_text(v)}" for k, v in sorted(passed.items()))
        return f"{name}({inner})"

    def read(self, kept: Any) -> Any:
        """Returns an earlier result, even from a row; None if it cannot be read."""
        if not isinstance(kept, Mapping):
            return kept
        if self.metric is None:
            return None
        kind = typing.get_type_hints(self.metric.function).get("return")
        try:
            return from_row(kind, dict(kept))
        except (KeyError, TypeError):  # Written by another version.
            return None


def calls_of(metrics: Any) -> list[Call]:
    """Returns the calls that names, functions, metrics, or a mapping stand for.

    Args:
        metrics: One of these, a sequence of them, or a mapping from names of your
            choice to them. A name is a key of `METRICS`. A function is one of the
            functions of arrays in `METRICS`, a metric wrapped by gin or
            `functools.partial`, or your own function (data, encoder, ...) -> result.

    Raises:
        ArgumentError: For an unknown name.
        ArgumentTypeError: For anything else.
    """
    if isinstance(metrics, str | Metric) or callable(metrics):
        metrics = [metrics]
    if isinstance(metrics, Mapping):
        calls = [
            dataclasses.replace(_call_of(metric), name=name)
            for name, metric in metrics.items()
        ]
    else:
        calls = [_call_of(metric) for metric in metrics]
    seen: dict[str, int] = {}
    for i, call in enumerate(calls):
        seen[call.name] = seen.get(call.name, 0) + 1
        if seen[call.name] > 1:  # The same metric under two protocols.
            protocol = call.options.get("protocol", seen[call.name])
            calls[i] = dataclasses.replace(call, name=f"{call.name} ({protocol})")
    return calls


def _call_of(metric: Any) -> Call:
    if isinstance(metric, str):
        metric = METRICS[named(metric)]
    if isinstance(metric, functools.partial):
        call = _call_of(metric.func)
        bound = functools.partial(call.function, *metric.args, **metric.keywords)
        options = {**call.options, **metric.keywords}
        return dataclasses.replace(call, function=bound, options=options)
    if isinstance(metric, Metric):
        return Call(metric.name, metric.on_data, metric)
    if hasattr(metric, "metric"):  # `on_data`, also inside a wrapper of gin's.
        return Call(metric.metric.name, metric, metric.metric, _bound(metric))
    for known in METRICS.values():
        if metric is known.function:
            return Call(known.name, known.on_data, known)
    if callable(metric) and not isinstance(metric, type):
        return Call(display_name(metric.__name__), metric, None)
    rule = "be names of metrics, or functions"
    raise ArgumentTypeError(message("metrics", rule, metric))


def _bound(on_data: Callable[..., Any]) -> dict[str, Any]:
    """Returns the options that a wrapper, such as gin's, passes to `on_data`."""
    run = DryRun(is_check=False)
    try:
        on_data(None, run)
    except DryRun.Ended:
        return run.options
    return {}


def check_arguments(
    metric: Any, data: Dataset, columns: Sequence[CodeColumn] | None = None
) -> None:
    """Checks a metric's arguments before any image is encoded.

    Training runs this check before its first step, so that a misspelt protocol, a
    factor that the set does not have or too few latents are errors then, and not after
    the last step.

    Args:
        metric: As in `calls_of`.
        data: The data set that it will be called with.
        columns: What the columns of the codes will hold.

    Raises:
        Whatever the metric raises for its arguments.
    """
    for call in calls_of(metric):
        options = columns_for(call, columns)
        default = inspect.signature(call.function).parameters.get("protocol")
        protocol = call.options.get("protocol", default and default.default)
        if call.metric and columns is not None and "verbatim" in str(protocol):
            least = call.metric.verbatim_latents
            rule = f"have at least {least} latents for {call.name} by {protocol!r}"
            require(len(columns) >= least, "columns", rule, len(columns))
        if call.metric and call.metric.input is Input.ENCODER:
            continue  # Its needs are the encoder's to say.
        try:
            call.function(data, DryRun(), **options)
        except DryRun.Ended:
            continue


def columns_for(call: Call, columns: Sequence[CodeColumn] | None) -> dict[str, Any]:
    """Returns {"columns": columns} for a metric that asks for it, else {}.

    Raises:
        ArgumentError: If a metric that does not ask would take a categorical column,
            whose values have no order, for a quantity.
    """
    if columns is None:
        return {}
    if call.takes("columns"):
        return {"columns": columns}
    categorical = [column.name for column in columns if column.kind == "categorical"]
    is_blind = call.metric is None or call.metric.input is not Input.ENCODER
    remedy = "Leave the metric out; a metric of your own may take `columns`."
    rule = "take `columns` if latents are categorical, since these have no order"
    good = not (categorical and is_blind)
    require(good, call.name, rule, ", ".join(categorical), remedy)
    return {}


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return repr(value)
