"""The parts of a page: text in, HTML out, every text escaped.

A page is one file without a reference to another: pictures are in it as data, charts as
SVG whose text and curves take the page's colours.
"""

from __future__ import annotations

import base64
import html
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tf_disentangle import __version__, visualization
from tf_disentangle.pages.style import STYLE
from tf_disentangle.visualization.charts import COLOURS, FAINT, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TYPES = {"png": "image/png", "gif": "image/gif", "svg": "image/svg+xml"}
# A strip's tiles are at least this wide, in pixels of the page.
_TILE = 84


class Html(str):
    """Text that is HTML already, and not escaped again."""


def escaped(value: object) -> str:
    """Returns a value as HTML."""
    return value if isinstance(value, Html) else html.escape(str(value))


def document(title: str, lead: str, body: str, sections: Mapping[str, str]) -> str:
    """Returns a page.

    Args:
        title: Its heading.
        lead: What it is about, HTML.
        body: HTML.
        sections: Identifier to heading of each section, for the list of contents.
    """
    links = "".join(
        f'<a href="#{name}">{escaped(text)}</a>' for name, text in sections.items()
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header class="top"><h1>{escaped(title)}</h1><p class="lead">{lead}</p>
<nav aria-label="Contents">{links}</nav></header>
<main>
{body}
</main>
<footer>Made by tf_disentangle {__version__}.</footer>
</body>
</html>
"""


def section(name: str, heading: str, *content: str, note: str = "") -> str:
    """Returns a section with its heading; one without content is empty."""
    inner = "\n".join(part for part in content if part)
    if not inner:
        return ""
    intro = f'<p class="note">{note}</p>' if note else ""
    return (
        f'<section id="{name}" aria-labelledby="{name}-heading">'
        f'<h2 id="{name}-heading">{escaped(heading)}</h2>{intro}\n{inner}\n</section>'
    )


def table(
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Sequence[int] = (),
    faint: Sequence[int] = (),
    stacked: bool = False,
) -> str:
    """Returns a table whose first column names its rows.

    Args:
        header: A text for each column.
        rows: A text or `Html` for each cell.
        numbers: Columns that are aligned to the right.
        faint: Rows that are grey.
        stacked: Whether the cells of a row are stacked on a phone, each under its
            column's name.
    """

    def cell(tag: str, column: int, value: object, scope: str = "") -> str:
        kind = "number" if column in numbers else "wrap" if tag == "td" else ""
        attributes = f' class="{kind}"' if kind else ""
        attributes += f' scope="{scope}"' if scope else ""
        if stacked and tag == "td":
            attributes += f' data-column="{without_tags(header[column])}"'
        return f"<{tag}{attributes}>{escaped(value)}</{tag}>"

    head = "".join(cell("th", i, text, "col") for i, text in enumerate(header))
    body = []
    for number, (name, *values) in enumerate(rows):
        cells = cell("th", 0, name, "row")
        cells += "".join(cell("td", i, v) for i, v in enumerate(values, 1))
        style = ' class="faint"' if number in faint else ""
        body.append(f"<tr{style}>{cells}</tr>")
    kind = ' class="stacked"' if stacked else ""
    return (
        '<div class="scroll table" tabindex="0" role="group" aria-label="Table">'
        f"<table{kind}><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def without_tags(value: object) -> str:
    """Returns a text, or the text of `Html`, as it stands in an attribute."""
    return re.sub(r"<[^>]*>", "", escaped(value))


def facts(values: Mapping[str, object]) -> str:
    """Returns a row of large numbers, each under its name."""
    items = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="facts">{items}</dl>'


def number(value: float | None, digits: int = 4) -> str:
    """Returns a number as people read it; "" for none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    text = f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
    return text.replace("-", "\N{MINUS SIGN}") if text.startswith("-") else text


def bar(share: float | None) -> Html:
    """Returns a bar that is full at 1."""
    if share is None:
        return Html("")
    width = 100 * min(max(share, 0.0), 1.0)
    return Html(f'<span class="bar"><i style="width:{width:.1f}%"></i></span>')


def gauge(
    score: float,
    floor: float | None,
    ceiling: float | None,
    interval: tuple[float, float] | None = None,
) -> Html:
    """Returns a score as a dot between its floor and its ceiling.

    Args:
        score: The score; the gauge goes from 0 to 1, or further if it must.
        floor: Where the coloured range begins; None for no range.
        ceiling: Where it ends.
        interval: Ends of the score's interval, drawn as a line.
    """
    known = [x for x in (score, floor, ceiling, *(interval or ())) if x is not None]
    low, high = min(0.0, *known), max(1.0, *known)

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    parts = ['<span class="all"></span>']
    spans = {"range": (floor, ceiling), "interval": interval or (None, None)}
    for name, (start, end) in spans.items():
        if start is not None and end is not None:
            left, right = sorted((place(start), place(end)))
            style = f"left:{left:.1f}%;width:{right - left:.1f}%"
            parts.append(f'<span class="{name}" style="{style}"></span>')
    parts.append(f'<span class="dot" style="left:{place(score):.1f}%"></span>')
    return Html(f'<span class="gauge" aria-hidden="true">{"".join(parts)}</span>')


def setting(name: str) -> Html:
    """Returns the name of a setting, which may break after each dot."""
    return Html(f'<span class="mono">{escaped(name).replace(".", ".<wbr>")}</span>')


def chip(place: int, name: str) -> Html:
    """Returns a name with the colour of its curves before it."""
    colour = f"color:var(--c{place % len(COLOURS)})"
    return Html(f'<span class="chip" style="{colour}"></span>{escaped(name)}')


def data_uri(content: bytes, form: str) -> str:
    """Returns the content of a "png", "gif" or "svg" file as an address."""
    return f"data:{_TYPES[form]};base64,{base64.b64encode(content).decode()}"


def chart(figure: Figure, label: str) -> str:
    """Returns a matplotlib figure as SVG in the page's own colours.

    Args:
        figure: The chart.
        label: What it shows, for readers who cannot see it; no two charts of the page
            may have the same.
    """
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    svg = visualization.picture_bytes(figure, "svg").decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    colours = {INK: "var(--ink)", FAINT: "var(--soft)"}
    colours |= {colour: f"var(--c{i})" for i, colour in enumerate(COLOURS)}
    for colour, variable in colours.items():
        svg = svg.replace(colour, variable)
    # An identifier may stand once only in a page.
    prefix = re.sub(r"\W+", "-", label)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escaped(label)}" ', 1)
    return f'<div class="chart">{svg}</div>'


def strip(images: np.ndarray, label: str) -> Html:
    """Returns images [S, H, W, 3] side by side as one picture of a page."""
    count, height, width = images.shape[:3]
    gap = max(1, width // 32)
    page = np.zeros((height, count * (width + gap) - gap, 4), np.uint8)
    for place, image in enumerate(images):
        left = place * (width + gap)
        page[:, left : left + width, :3] = image
        page[:, left : left + width, 3] = 255
    file = io.BytesIO()
    Image.fromarray(page).save(file, "png", optimize=True)
    shown = max(_TILE, width) * page.shape[1] // width
    return Html(
        f'<img class="strip" style="width:{shown}px" alt="{escaped(label)}" '
        f'src="{data_uri(file.getvalue(), "png")}">'
    )


def strip_steps(texts: Sequence[str], width: int) -> Html:
    """Returns the values above a strip of tiles that are `width` pixels wide."""
    gap = max(1, width // 32)
    shown = max(_TILE, width) * (len(texts) * (width + gap) - gap) // width
    spans = "".join(f"<span>{escaped(text)}</span>" for text in texts)
    return Html(f'<div class="steps" style="width:{shown}px">{spans}</div>')
