"""The parts of pages, read again by a parser of HTML."""

import html.parser
import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.visualization.pixels import noise
from tf_disentangle import visualization
from tf_disentangle.pages import html as parts


class Reader(html.parser.HTMLParser):
    """Collects the elements, their attributes and the text; checks that tags close."""

    VOID = ("meta", "img", "wbr", "br", "i")

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(page)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "wbr", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and "style" not in self.open:
            self.texts.append(data.strip())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def references(page):
    """Whatever a browser would fetch: not data, not a place in the page."""
    found = re.findall(r"""(?:src|href|xlink:href)="([^"]*)\"""", page)
    found += re.findall(r"url\(([^)]*)\)", page) + re.findall(r"@import\s*(\S+)", page)
    return [address for address in found if not address.startswith(("data:", "#"))]


def test_everything_is_escaped_but_html():
    page = parts.table(["<a>"], [("x & y", "<script>", parts.Html("<b>1</b>"))])
    reader = Reader(page)
    assert reader.texts == ["<a>", "x & y", "<script>", "1"]
    assert not reader.all("script") and reader.all("b")


def test_rows_and_columns_of_a_table_are_named():
    reader = Reader(parts.table(["metric", "score"], [("mig", 0.5)], numbers=(1,)))
    scopes = [attributes.get("scope") for attributes in reader.all("th")]
    assert scopes == ["col", "col", "row"]
    assert [attributes["class"] for attributes in reader.all("td")] == ["number"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (-2.0, "\N{MINUS SIGN}2"),
        (1234567.0, "1,234,567"),
        (None, ""),
        (np.nan, ""),
        (3, "3"),
    ],
)
def test_numbers(value, text):
    assert parts.number(value) == text


def lefts(gauge):
    pattern = r'class="(\w+)" style="left:([-\d.]+)%(?:;width:([\d.]+)%)?'
    spans = re.findall(pattern, gauge)
    return {name: (float(x), float(w) if w else None) for name, x, w in spans}


def test_a_gauge_has_the_score_between_floor_and_ceiling():
    places = lefts(parts.gauge(0.5, 0.2, 0.8, (0.4, 0.6)))
    assert places == {"range": (20, 60), "interval": (40, 20), "dot": (50, None)}
    assert lefts(parts.gauge(0.5, None, 0.8)) == {"dot": (50, None)}
    # A score beyond 0 or 1 widens the gauge: from -1 to 1 here.
    assert lefts(parts.gauge(-1.0, 0.0, 1.0))["dot"] == (0, None)
    assert lefts(parts.gauge(-1.0, 0.0, 1.0))["range"] == (50, 50)


def test_a_strip_holds_its_images_side_by_side():
    images = noise(3, 8, 8, 3)
    ((_, attributes),) = Reader(parts.strip(images, 'a "label"')).elements
    assert attributes["alt"] == 'a "label"'
    assert not references(f'src="{attributes["src"]}"')
    seen = np.array(Image.open(io.BytesIO(decoded(attributes["src"]))))
    np.testing.assert_array_equal(seen[:, :8, :3], images[0])
    np.testing.assert_array_equal(seen[:, 18:, :3], images[2])
    assert not seen[:, 8, 3].any(), "the gap shows the page"


def decoded(address):
    import base64

    return base64.b64decode(address.partition("base64,")[2])


class TestChart:
    CHART = visualization.curves({"a": ([1, 2], [1.0, 2.0]), "b": ([1], [3.0])})

    def test_takes_the_colours_of_the_page(self):
        svg = parts.chart(self.CHART, "Curve of loss")
        assert "var(--c0)" in svg and "var(--c1)" in svg and "var(--ink)" in svg
        assert not re.search("#0072b2|#d55e00|#1e1e1e", svg)
        reader = Reader(svg)
        (attributes,) = reader.all("svg")
        assert attributes["role"] == "img"
        assert attributes["aria-label"] == "Curve of loss"
        assert "width" not in attributes and "viewbox" in attributes

    def test_identifiers_of_two_charts_differ_and_lead_somewhere(self):
        both = parts.chart(self.CHART, "one") + parts.chart(self.CHART, "two")
        named = re.findall(r'\bid="([^"]*)"', both)
        assert len(set(named)) == len(named)
        used = re.findall(r'href="#([^"]*)"', both) + re.findall(r"url\(#([^)]*)", both)
        assert used and set(used) <= set(named)


def test_a_document_is_complete_and_refers_to_nothing():
    body = parts.section("one", "A & B", "<p>text</p>", note="a note")
    page = parts.document("<title>", "lead", body, {"one": "A & B"})
    reader = Reader(page)
    assert reader.texts[:2] == ["<title>", "<title>"]
    assert {"lang": "en"} in reader.all("html")
    assert {"href": "#one"} in reader.all("a")
    assert references(page) == []
    assert parts.section("empty", "Empty", "", note="a note") == ""
