"""Scores as a printed table."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from tf_disentangle.metrics.results import Evaluation, Refusal, scalars


class Scores(dict[str, Evaluation | Refusal]):
    """Scores by the metric's name, shown as a table in print and in a notebook."""

    def __repr__(self) -> str:
        """Returns the table."""
        return text(self)

    def _repr_html_(self) -> str:
        """Returns the table for a notebook."""
        return markup(self)


def text(table: Mapping[str, Evaluation | Refusal]) -> str:
    """Returns a table: each score with its interval and protocol, then its parts.

    Scores of arrays have their range over splits or solver seeds in place of an
    interval; a metric that refused has its reason. Where there are bounds, the score is
    shown between its floor and its ceiling, with its relative place: 0 at the floor, 1
    at the ceiling, and possibly below or above.
    """
    scored = {name: e for name, e in table.items() if isinstance(e, Evaluation)}
    names = [part for e in scored.values() for part in _means(e)]
    width = max(len(name) + 2 for name in [*names, *table, "metric"])
    head = _range_head(scored)
    room = max(18, len(head))
    bounded = any(e.bounds for e in scored.values())
    ends = f"{'floor':>9} {'ceiling':>9} {'place':>6}  " if bounded else ""
    lines = [f"{'metric':<{width}} {'score':>9}  {ends}{head:<{room}}  protocol"]
    for name, entry in table.items():
        if isinstance(entry, Refusal):
            lines.append(f"{name:<{width}} {'-':>9}  no score: {entry.reason}")
            continue
        means = _means(entry)
        score = means.pop("score")
        lines.append(
            f"{name:<{width}} {number(score)}  {_ends(entry) if bounded else ''}"
            f"{_range(entry):<{room}}  {entry.protocol}"
        )
        for part, value in means.items():
            lines.append(f"  {part:<{width - 2}} {number(value)}")
    tables = [
        f"\n{name}{_which(e)}\n{e.results[0].table()}"
        for name, e in scored.items()
        if hasattr(e.results[0], "table")
    ]
    return "\n".join([*lines, *tables])


def markup(table: Mapping[str, Evaluation | Refusal]) -> str:
    """Returns the table that `text` returns, as HTML."""
    scored = {name: e for name, e in table.items() if isinstance(e, Evaluation)}
    ends = (
        ["floor", "ceiling", "place"] if any(e.bounds for e in scored.values()) else []
    )
    rows = [_cells(["metric", "score", *ends, _range_head(scored), "protocol"], "th")]
    for name, entry in table.items():
        if isinstance(entry, Refusal):
            reason = f'<td>-</td><td colspan="{len(ends) + 2}">no score: '
            rows.append(f"{_cells([name])}{reason}{html.escape(entry.reason)}</td>")
            continue
        (_, score), *parts = _means(entry).items()
        between = _ends(entry).split() if ends else []
        rows.append(
            _cells([name, number(score), *between, _range(entry), entry.protocol])
        )
        rows += [_cells([f"\u2003{part}", number(value)]) for part, value in parts]
    lines = "".join(f"<tr>{row}</tr>" for row in rows)
    tables = "".join(
        f"<p>{html.escape(name + _which(e))}</p>"
        f"<pre>{html.escape(e.results[0].table())}</pre>"
        for name, e in scored.items()
        if hasattr(e.results[0], "table")
    )
    return f"<table>{lines}</table>{tables}"


def _cells(texts: Sequence[str], kind: str = "td") -> str:
    """Returns cells of a row; the first, a name, stays on one line."""
    style = "text-align: left; padding-right: 1em"
    first, *others = (html.escape(text) for text in texts)
    return f'<{kind} style="{style}; white-space: nowrap">{first}</{kind}>' + "".join(
        f'<{kind} style="{style}">{text}</{kind}>' for text in others
    )


def _which(evaluation: Evaluation) -> str:
    """Says which of several results a table shows: the first."""
    return f", seed {evaluation.seeds[0]}" if len(evaluation.results) > 1 else ""


def _means(evaluation: Evaluation) -> dict[str, float]:
    """Returns the numbers of the results, means over the seeds."""
    each = [scalars(result) for result in evaluation.results]
    names = list(each[0])
    if hasattr(evaluation.results[0], "table"):  # It shows the numbers by name.
        names = [name for name in names if ": " not in name]
    return {name: float(np.mean([e[name] for e in each])) for name in names}


def number(value: float) -> str:
    """Returns a number nine characters wide, whole ones without a point."""
    whole = float(value).is_integer() and abs(value) >= 2
    return f"{value:9.0f}" if whole else f"{value:9.4f}"


def _ends(evaluation: Evaluation) -> str:
    """Floor, ceiling and the place between them, "-" for what there is not."""
    bounds = evaluation.bounds
    if bounds is None:
        return f"{'-':>9} {'-':>9} {'-':>6}  "
    ends = [bounds.floor, bounds.ceiling]
    cells = [number(v) if v == v else f"{'-':>9}" for v in ends]
    place = bounds.place(evaluation.score)
    shown = f"{place:6.2f}" if place == place else f"{'-':>6}"
    return f"{' '.join(cells)} {shown}  "


def _range_head(scored: Mapping[str, Evaluation]) -> str:
    """Names what stands beside the scores: intervals, or ranges of something."""
    spreads = sorted({e.spread.of for e in scored.values() if e.spread})
    if spreads:
        return f"least..greatest of {', '.join(spreads)}"
    # One call has one level for all of them.
    levels = [e.interval.confidence for e in scored.values() if e.interval]
    return f"{100 * levels[0]:.4g}% interval" if levels else "95% interval"


def _range(evaluation: Evaluation) -> str:
    interval, spread = evaluation.interval, evaluation.spread
    if spread:
        return f"{spread.low:.4f}..{spread.high:.4f}"
    return f"[{interval.low:.4f}, {interval.high:.4f}]" if interval else "-"
