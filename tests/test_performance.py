"""The page of performance is what its command makes, and its rows are whole."""

import importlib.util
import json
import math
import pathlib
import re

import pytest

from tests import test_documents

ROOT = pathlib.Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location(
    "performance", ROOT / "benchmarks/performance.py"
)
performance = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(performance)
MEASUREMENTS = [
    pytest.param(measured, id=f"{name}-{measured.name}")
    for name in performance.TOPICS
    for measured in performance.topic(name)[2]
]


def test_the_page_is_what_the_command_makes():
    written = performance.DOCUMENT.read_text(encoding="utf-8")
    assert performance.document() == written, "run benchmarks/performance.py"
    assert {f.stem for f in performance.FOLDER.iterdir()} == {*performance.TOPICS}


@pytest.mark.parametrize("measured", MEASUREMENTS)
def test_no_figure_is_without_processor_and_date(measured):
    assert measured.rows
    assert len(measured.load) > 3
    figures = [row.figure for row in measured.rows if row.figure is not None]
    if not figures:
        assert measured.date is None
        return
    assert re.fullmatch(r"20\d\d-\d\d(-\d\d)?", measured.date)
    known = (*performance.INSTRUCTION_SETS.values(), "NVIDIA", "not noted")
    assert any(name in measured.processor for name in known), measured.processor


@pytest.mark.parametrize("measured", MEASUREMENTS)
def test_rows_are_whole(measured):
    """What a row is compared with is said, and a change says whether it was kept."""
    for row in measured.rows:
        assert row.what
        assert row.unit
        numbers = (row.figure, row.floor, row.peer, row.before, *(row.range or ()))
        assert all(math.isfinite(n) for n in numbers if n is not None), row.what
        if row.range is not None:
            assert row.range[0] <= row.figure <= row.range[1], row.what
        assert (row.before is None) == (row.kept is None), row.what
        assert row.kept is not False or row.note, f"{row.what}: why was it not kept?"
        assert row.floor is None or measured.floor, row.what
        assert row.peer is None or measured.peer, row.what


@pytest.mark.parametrize("measured", MEASUREMENTS)
def test_commands_exist(measured, tmp_path, monkeypatch):
    named = re.findall(r"benchmarks/\w+\.py\b|(?<!\.venv/)\bbin/\w+", measured.command)
    assert named, "a command of this repository"
    assert all((ROOT / file).exists() for file in named)
    document = tmp_path / "command.md"
    indented = measured.command.replace("\n", "\n    ")
    document.write_text(f"    {indented}\n")
    test_documents.test_commands_parse(document, monkeypatch)
    test_documents.test_benchmarks_and_gin_files_exist(document)


def test_files_are_kept_as_they_are_written():
    for name in performance.TOPICS:
        text = (performance.FOLDER / f"{name}.json").read_text(encoding="utf-8")
        assert performance.dump(json.loads(text)) == text, name


def test_a_measurement_takes_the_place_of_its_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(performance, "FOLDER", tmp_path)
    file = tmp_path / "step.json"
    file.write_text('{"title": "T", "introduction": "I", "measurements": []}')
    row = performance.Row("what", 2.0, "s", floor=1.0)
    arguments = ("benchmarks/x.py", "AVX2", "2026-11-29", "quiet")
    first = performance.Measurement("m", "text", *arguments, [row], floor="f")
    performance.record("step", first)
    other = performance.Measurement("n", "other", *arguments, [row, row], floor="f")
    performance.record("step", other)
    missing = performance.Row("what", None, "s")
    again = performance.Measurement("m", "", *arguments, [missing])
    performance.record("step", again)
    _, _, measurements = performance.topic("step")
    assert [m.name for m in measurements] == ["m", "n"]
    assert measurements[0].text == "text"
    assert measurements[0].rows == [missing]
    assert measurements[1] == other


def test_the_table_has_the_columns_that_its_rows_fill():
    rows = [
        performance.Row("fused", 90.0, "ms", [80, 95], before=100.0, kept=True),
        performance.Row("none", None, "ms"),
    ]
    assert performance.table(rows).splitlines() == [
        "|  | figure | range | before | figure / before | kept |",
        "|---|---|---|---|---|---|",
        "| fused | 90 ms | 80 to 95 | 100 | 0.90 | yes |",
        "| none | not measured |  |  |  |  |",
    ]


def test_the_exponent_is_that_of_the_arithmetic(monkeypatch):
    """Of 3 n^2 + 5: nearly 2 at the end, however little it is at the start."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import growth

    sizes = growth.AXES["image side"][0]
    costs = [[3e-6 * n**2 + 5e-4] for n in sizes]
    monkeypatch.setattr(growth, "measured", lambda axis: costs)
    *points, exponent = growth.rows("image side")
    assert [row.figure for row in points] == [round(1e3 * c[0], 2) for c in costs]
    assert (exponent.figure, exponent.floor) == (1.99, 2.0)
