"""Makes docs/performance.md of what stands in docs/performance/.

    .venv/bin/python benchmarks/performance.py
    .venv/bin/python benchmarks/performance.py --check     # 1 if it differs
    .venv/bin/python benchmarks/performance.py --machine   # this machine, now

A topic is a file NAME.json: `title`, `introduction` and `measurements`, each with what
`Measurement` says and its rows, each with what `Row` says. A benchmark that is given
`--record` writes its own measurement there by `record`, so that nobody copies figures.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "performance"
DOCUMENT = ROOT / "docs" / "performance.md"
#: The topics in the document's order.
TOPICS = (
    "step",
    "critics",
    "start",
    "input",
    "encoding",
    "metrics",
    "memory",
    "growth",
    "gpu",
)
#: The instruction sets that decide how fast a step is, by Linux's name for them.
INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX512-BF16",
    "amx_bf16": "AMX-BF16",
}
INTRODUCTION = """# Performance

How fast each part is, beside the machine's limit or the least that there could be (the
*floor*) and beside other libraries (the *peer*), with the command that measures it
again. `.venv/bin/python benchmarks/performance.py` makes this page of the files in
`docs/performance/`.

Figures of two processors cannot be compared; those of one table can, since they were
measured in turns. Unless a table says otherwise, a figure is the median of its rounds,
and the range is over them. "Before" and "kept" tell of a change that was tried: the
figure is the one with the change."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure, and what it is compared with.

    Attributes:
        what: What was measured, in a few words.
        figure: The figure, the median of several rounds; None if it was not measured.
        unit: Its unit: "images/s", "s", "GB" ...
        range: [lowest, highest] of the rounds; None for a single one.
        floor: The limit of the machine or the least that there could be, in the unit.
        peer: Another library's figure, in the unit.
        before: The figure before the change that the row is about.
        kept: Whether that change was kept; None where the row is about no change.
        note: What the figures do not say, such as why a change was not kept.
    """

    what: str
    figure: float | None
    unit: str
    range: list[float] | None = None
    floor: float | None = None
    peer: float | None = None
    before: float | None = None
    kept: bool | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Rows that one command measured on one machine.

    Attributes:
        name: The heading over its table.
        text: What was done and what came out, in Markdown.
        command: What measures it.
        processor: Processor, cores and instruction sets, or the accelerator.
        date: The day, or the month of older figures; None if nothing was measured.
        load: What else the machine did: "quiet", "load 4 of other work".
        rows: The rows.
        floor: What the rows' floor is; None without one.
        peer: What the rows' peer is; None without one.
        reference: What the column of the floor is called, where a figure may well lie
            below it.
    """

    name: str
    text: str
    command: str
    processor: str
    date: str | None
    load: str
    rows: list[Row]
    floor: str | None = None
    peer: str | None = None
    reference: str = "floor"


def topic(name):
    """Returns (title, introduction, measurements) of a topic."""
    content = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    measurements = [
        Measurement(**{**measured, "rows": [Row(**row) for row in measured["rows"]]})
        for measured in content.pop("measurements")
    ]
    return content["title"], content["introduction"], measurements


def record(name, measurement):
    """Writes a measurement into a topic, over the one of that name and processor.

    An empty text leaves the text that was there.
    """
    file = FOLDER / f"{name}.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    new = as_json(measurement)
    key = (new["name"], new["processor"])
    for index, old in enumerate(content["measurements"]):
        if (old["name"], old["processor"]) == key:
            new["text"] = new["text"] or old["text"]
            content["measurements"][index] = new
            break
    else:
        content["measurements"].append(new)
    file.write_text(dump(content), encoding="utf-8")


def as_json(measurement):
    """Returns a measurement as a dictionary, without what its rows leave out."""
    content = dataclasses.asdict(measurement)
    if measurement.reference == "floor":
        del content["reference"]
    defaults = {f.name: f.default for f in dataclasses.fields(Row)}
    content["rows"] = [
        {key: value for key, value in row.items() if value != defaults[key]}
        for row in content["rows"]
    ]
    for row, original in zip(content["rows"], measurement.rows, strict=True):
        row["figure"] = original.figure  # None is a statement here
    return content


def dump(content):
    """Returns the text of a topic's file, a row a line."""
    rows = {}
    marked = {**content, "measurements": []}
    for i, measured in enumerate(content["measurements"]):
        marks = [f"<{i}, {j}>" for j in range(len(measured["rows"]))]
        rows |= dict(zip(marks, measured["rows"], strict=True))
        marked["measurements"].append({**measured, "rows": marks})
    text = json.dumps(marked, indent=1, ensure_ascii=False)
    for mark, row in rows.items():
        text = text.replace(f'"{mark}"', json.dumps(row, ensure_ascii=False))
    return f"{text}\n"


def machine():
    """Returns processor, date and load as a `Measurement` wants them."""
    info = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    fields = dict(
        line.split(":", 1) for line in info.splitlines() if line.count(":") == 1
    )
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    flags = fields.get("flags", "").split()
    sets = [name for flag, name in INSTRUCTION_SETS.items() if flag in flags]
    model = fields.get("model name", "unknown processor")
    return {
        "processor": ", ".join([model, f"{os.cpu_count()} cores", *sets]),
        "date": datetime.date.today().isoformat(),
        "load": f"load {os.getloadavg()[0]:.1f}, this measurement's included",
    }


def number(value):
    """Returns a figure in four digits."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.4g}"
    return text if "e" not in text or abs(value) < 1e-4 else f"{value:,.0f}"


def ratio(value, other):
    """Returns their ratio, nothing where one is missing."""
    if value is None or not other:
        return ""
    share = value / other
    return f"{share:.3g}" if share < 0.1 else f"{share:.2f}"


def columns(row, reference="floor"):
    """Returns a row's cells by heading; a column that no row fills is left out."""
    share = "figure / floor" if reference == "floor" else "ratio"
    low_high = " to ".join(number(value) for value in row.range or ())
    figure = "not measured" if row.figure is None else f"{number(row.figure)}"
    return {
        "": row.what,
        "figure": figure if row.figure is None else f"{figure} {row.unit}",
        "range": low_high,
        reference: number(row.floor),
        share: ratio(row.figure, row.floor),
        "peer": number(row.peer),
        "figure / peer": ratio(row.figure, row.peer),
        "before": number(row.before),
        "figure / before": ratio(row.figure, row.before),
        "kept": {True: "yes", False: "no", None: ""}[row.kept],
        "note": row.note,
    }


def table(rows, reference="floor"):
    """Returns the rows as a table in Markdown."""
    cells = [columns(row, reference) for row in rows]
    headings = [h for h in cells[0] if h == "" or any(row[h] for row in cells)]
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    lines += [f"| {' | '.join(row[h] for h in headings)} |" for row in cells]
    return "\n".join(lines)


def section(measured):
    """Returns a measurement's part of the document."""
    where = f"{measured.processor}; {measured.date or 'not measured'}; {measured.load}."
    sides = {measured.reference: measured.floor, "peer": measured.peer}
    sides = {name.capitalize(): what for name, what in sides.items()}
    where += "".join(f" {name}: {what}." for name, what in sides.items() if what)
    command = measured.command.replace("\n", "\n    ")
    parts = [f"### {measured.name}", measured.text, f"    {command}", where]
    return [*(part for part in parts if part), table(measured.rows, measured.reference)]


def document():
    """Returns the text of docs/performance.md."""
    parts = [INTRODUCTION]
    for name in TOPICS:
        title, introduction, measurements = topic(name)
        parts += [f"## {title}", introduction]
        for measured in measurements:
            parts += section(measured)
    return "\n\n".join(part for part in parts if part) + "\n"


def main():
    """Writes the document, checks it, or describes this machine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--machine", action="store_true", help="describe this machine")
    options = parser.parse_args()
    if options.machine:
        print(json.dumps(machine(), indent=1))
        return
    text = document()
    if options.check:
        sys.exit(int(DOCUMENT.read_text(encoding="utf-8") != text))
    DOCUMENT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
