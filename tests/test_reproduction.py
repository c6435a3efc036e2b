"""The ledger: its rows are whole, their commands parse, and the document is theirs."""

import importlib.util
import json
import pathlib
import re

import numpy as np
import pytest

from tests import test_documents

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reproduction"


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ledger = loaded("reproduction")
ROWS = [row for part in ledger.PARTS for row in ledger.rows(part)]


def test_the_document_is_what_the_command_makes():
    written = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    assert ledger.document() == written, "run benchmarks/reproduction.py"
    for part in ledger.PARTS:
        text = (FOLDER / f"{part}.md").read_text(encoding="utf-8")
        assert text.count(ledger.MARK) == bool(ledger.rows(part)), part


def test_every_file_is_part_of_it_and_every_row_once():
    assert {file.stem for file in FOLDER.iterdir()} == {*ledger.PARTS}
    names = [row.id for row in ROWS]
    assert len(names) > 20
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_rows_are_whole(row):
    assert row.verdict in ledger.VERDICTS
    assert (row.published is None) == (row.source is None)
    assert len(row.claim) > 10
    assert len(row.gap) > 10
    assert row.steps >= 1
    if row.ours is None:
        assert (row.interval, row.verdict, row.by_seed) == ("not run", "not run", [])
        return
    assert len(row.by_seed) == len(row.seeds) == len(set(row.seeds)) >= 1
    if row.interval == ledger.ONE_SEED:
        assert row.by_seed == [row.ours]
        return
    low, high = row.interval
    assert low <= row.ours <= high
    assert row.interval_of
    if row.interval_of == "range of the seeds":
        assert row.interval == [min(row.by_seed), max(row.by_seed)]
    if "Wilson" not in row.interval_of:
        # The mean of rounded figures.
        assert row.ours == pytest.approx(np.mean(row.by_seed), rel=2e-3)


def test_verdicts_are_those_of_the_introduction():
    for row in ROWS:
        assert (row.verdict == "ours") == (row.published is None), row.id
        figures = (row.published, row.ours)
        if not all(isinstance(figure, int | float) for figure in figures):
            continue
        if isinstance(row.interval, str):
            assert row.verdict == "open", row.id
            continue
        low, high = row.interval
        within = low <= row.published <= high
        reach = max(high - row.published, row.published - low)
        if row.verdict == "holds":
            assert within and reach <= row.published / 5, row.id
            assert row.interval_of.startswith("95%"), row.id
        if row.verdict in ("fails", "not reached"):
            assert not within, row.id


def test_numbers_are_written_alike():
    assert ledger.written([0.7, 0.6825]) == ["0.7000", "0.6825"]
    assert ledger.written([2335.0, 1950.0]) == ["2,335", "1,950"]
    assert ledger.written([1, 0.44]) == ["1.00", "0.44"]


def test_intervals_of_the_mean_are_students():
    stats = pytest.importorskip("scipy.stats")
    means = [row for row in ROWS if "Student" in (row.interval_of or "")]
    assert means
    for row in means:
        spread = stats.sem(row.by_seed)
        low, high = stats.t.interval(
            0.95, len(row.by_seed) - 1, np.mean(row.by_seed), spread
        )
        np.testing.assert_allclose(row.interval, [low, high], rtol=5e-3, err_msg=row.id)


def test_files_of_rows_exist():
    for row in ROWS:
        named = re.findall(r"\bgin/[\w/]+\.gin\b", row.command)
        named += re.findall(r"\bbenchmarks/\w+\.py\b", row.command)
        assert named, f"{row.id}: a command of this repository"
        for file in [*row.files, *named, *([row.study] if row.study else [])]:
            assert (ROOT / file).exists(), f"{row.id}: {file}"


def test_commands_of_rows_parse(tmp_path, monkeypatch):
    """For each seed, by the commands' own parsers, gin bindings included."""
    lines = {command for row in ROWS for command in row.commands}
    assert not [line for line in lines if "{" in line]
    document = tmp_path / "commands.md"
    document.write_text("".join(f"    {line}\n" for line in sorted(lines)))
    test_documents.test_commands_parse(document, monkeypatch)
    test_documents.test_benchmarks_and_gin_files_exist(document)


def test_a_mistaken_command_is_found(tmp_path, monkeypatch):
    document = tmp_path / "commands.md"
    document.write_text("    bin/train --gin_file=gin/vae.gin --gin_param='a.b=1'\n")
    with pytest.raises(Exception, match=r"a\.b|\ba\b"):
        test_documents.test_commands_parse(document, monkeypatch)


def test_rows_are_kept_as_they_are_read():
    for part in ledger.PARTS:
        file = FOLDER / f"{part}.json"
        if file.exists():
            text = file.read_text(encoding="utf-8")
            again = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
            assert text == f"{again}\n", part


def test_values_that_two_digits_share_and_values_without_images():
    """Value 0 is all 3; 1 three 4 and one 9; 2 five 7 and one 1; 5 has all digits."""
    accuracy = loaded("digit_accuracy")
    values = np.repeat([0, 1, 2, 4, 5], [400, 400, 600, 5, 600])
    digits = np.repeat([3, 4, 9, 7, 1, 8], [400, 300, 100, 500, 100, 5])
    digits = np.concatenate([digits, np.repeat(np.arange(10), 60)])
    shared, unused = accuracy.holdings(values, digits)
    assert shared[0] == (4, 9)
    assert len(shared) == 2, "no second digit has a quarter of value 5"
    assert unused == [3, 4, 6, 7, 8, 9]
