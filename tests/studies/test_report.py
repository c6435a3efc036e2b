"""The page of a study: what a reader finds in it is what table and folders say."""

import dataclasses
import json
import re

import pandas as pd
import pytest

from tests.pages.test_html import Reader, references
from tests.studies import tables
from tests.studies.folders import score, terms, write_plan, write_run
from tf_disentangle.checks import ArgumentError
from tf_disentangle.cli import main as cli
from tf_disentangle.studies import (
    analysis,
    report,
    report_comparison,
    report_figures,
    report_scores,
)
from tf_disentangle.studies.record import Failure, StudyRecord, read_record

ABOUT = StudyRecord(
    name="planted",
    folder="runs/planted",
    axes={"method": ["beta_vae", "chyvae"], "data": ["ellipses"], "seed": ["0", "1"]},
    states={"waiting": 3, "running": 1, "partial": 0, "done": 12, "failed": 1},
    failures=[
        Failure("00ab", "chyvae 200", 3, True, "ValueError: <nu>", "line 1\n<last>")
    ],
    hours=1.5,
    machines=["node-1"],
    versions={"tf_disentangle": "0.2.0"},
    study={"grid": [{"method": "chyvae.gin"}], "bindings": {"train.steps": "300"}},
    configurations={"chyvae.gin": "train.seed = 0"},
)
SIZE = {"seeds": 2, "data": ("ellipses",), "metrics": ("mig", "dci")}
TWO = {"beta_vae": (1.0,), "chyvae": (100.0,)}
METHODS = {"beta_vae": (1.0, 4.0, 16.0), "chyvae": (100.0, 200.0, 1000.0)}


@pytest.fixture(scope="module")
def table():
    return tables.planted(METHODS, collapsed=(3,), **SIZE)


@pytest.fixture(scope="module")
def drawn(table):
    return list(report_figures.draw(table, tables.planted_curves(table)))


@pytest.fixture(scope="module")
def page(table, drawn):
    return report.report_page(ABOUT, table, drawn)


def words(page):
    return " ".join(" ".join(Reader(page).texts).split())


class TestPage:
    def test_is_whole_and_needs_no_other_file(self, page):
        reader = Reader(page)
        assert references(page) == []
        links = [link["href"].removeprefix("#") for link in reader.all("a")]
        assert links == [section["id"] for section in reader.all("section")]
        identifiers = re.findall(r'\bid="([^"]*)"', page)
        assert len(identifiers) == len(set(identifiers))
        labels = [svg["aria-label"] for svg in reader.all("svg")]
        assert len(labels) == len(set(labels)) > 15

    def test_opens_with_what_the_study_is_and_how_far(self, page):
        text = words(page)
        assert "2 methods, 1 data set, 2 seeds: 17 runs. 12 are done." in text
        assert "machine hours 1.5" in text and "12 of 17" in text
        assert "1 of 12 runs left out" in text and "no latent is active" in text
        assert "tf_disentangle 0.2.0" in text and "node-1" in text

    def test_scores_have_mean_interval_best_and_bounds(self, page, table):
        rows = table[(table.metric == "mig") & (table.representation == "mean")]
        own = rows[(rows.method == "chyvae") & (rows.strength == 1000)].value
        text = words(page)
        assert f"{own.mean():.3f}" in text and f"best {own.max():.3f}" in text
        assert "0.1 to 1" in text

    def test_a_metric_without_a_column_has_its_reason(self, table):
        row = table[table.kind == "score"].iloc[[0]]
        row = row.assign(kind="unsupervised", metric="unsupervised")
        asked = {"metrics": ["mig", "unsupervised", "sap"]}
        about = dataclasses.replace(ABOUT, study=asked)
        text = words(report.report_page(about, pd.concat([table, row]), []))
        assert "not in Scores unsupervised (needs no factors" in text
        assert "; sap (no run has a score)" in text
        assert "mig (" not in text

    def test_every_figure_is_there_or_has_its_reason(self, page, drawn):
        text = words(page)
        missing = [each for each in drawn if each.figure is None]
        assert missing and all(each.reason in text for each in missing)
        sections = {each.name for each in report_figures.SECTIONS}
        assert {each.section for each in drawn} == sections
        names = [each.name for each in drawn]
        assert len(names) == len(set(names))

    def test_printed_tables_stand_beside_ours_with_their_source(self, page):
        assert "Published: Noisy-dSprites; slides" in words(page)

    def test_transfer_of_settings_is_a_table(self, page, table):
        found = analysis.transfer_summary(analysis.transfer_of_settings(table))
        share = found.loc["same data set", "same metric"]
        assert "other metric same data set" in words(page)
        assert f"{share:.1%}" in words(page) and 0.5 < share < 1

    def test_failures_have_their_logs_escaped(self, page):
        text = words(page)
        assert "ValueError: <nu>" in text and "<last>" in text
        assert "failed 3 times, given up" in text
        assert "bin/study retry runs/planted" in text

    def test_the_command_that_makes_it_comes_first(self, table):
        about = {"command": "bin/study --gin_file='a b.gin'"}
        about = dataclasses.replace(ABOUT, study=about)
        text = words(report.report_page(about, table, []))
        made = text.index("bin/study --gin_file='a b.gin' bin/study status runs/plant")
        assert made > text.index("How to make it again")

    def test_is_small(self, page):
        assert len(page.encode()) < 2e6


class TestComparison:
    """One sentence says whether the best method is better than the others."""

    def sentence(self, methods, seeds, **effects):
        table = tables.planted(methods, **{**SIZE, "seeds": seeds}, **effects)
        return report_comparison.sentences(table)

    def test_few_seeds_tell_nothing_apart_however_far_the_means_are(self):
        assert self.sentence(TWO, 3, objective=0.3, noise=0.001) == [
            "3 seeds are too few to tell these methods apart by mig: a comparison "
            "of 2 needs 10."
        ]

    def test_more_methods_need_more_seeds(self):
        """The least p value of n pairs is 2 / 2^n; 28 pairs of 8 methods need 11."""
        eight = {f"m{i}": (1.0,) for i in range(8)}
        (text,) = self.sentence(eight, 10, objective=0.3, noise=0.001)
        assert text.startswith("10 seeds are too few")
        assert text.endswith("a comparison of 8 needs 11.")
        (text,) = self.sentence(eight, 11, objective=0.3, noise=0.001)
        assert "is better than" in text and text.count("m") < 12
        assert "and 2 others" in text

    def test_many_settings_are_compared_or_their_number_is_told(self):
        """Permutations are drawn at random where all are too many: p >= 2e-5."""
        many = {f"m{i}": (1.0,) for i in range(24)}
        (text,) = self.sentence(many, 17, objective=0.3, noise=0.001)
        assert "is better than" in text and "17 seeds" in text
        too_many = {f"m{i}": (1.0,) for i in range(72)}
        (text,) = self.sentence(too_many, 20, objective=0.3, noise=0.001)
        assert text == (
            "72 methods are too many to compare all pairs of them by mig, with any "
            "number of seeds."
        )

    def test_a_difference_that_is_there_is_told(self):
        assert self.sentence(METHODS, 12, objective=0.3, noise=0.02) == [
            "By mig, chyvae 1000 is better than beta_vae 16 (12 seeds)."
        ]

    def test_a_difference_that_is_not_there_is_not(self):
        """In each cell the planted noise has the mean 0: only roundings differ."""
        (text,) = self.sentence(TWO, 12, objective=0, strength=0)
        assert "12 seeds show no difference from" in text

    def test_of_one_method_the_settings_are_compared(self):
        (text,) = self.sentence({"vae": (1.0, 2.0)}, 2)
        assert text.startswith("2 seeds are too few to tell these settings apart")
        assert self.sentence({"vae": (1.0,)}, 2) == []

    def test_it_stands_at_the_top_and_the_pairs_after_the_scores(self, page):
        text = words(page)
        answer = text.index("2 seeds are too few to tell these methods apart by mig")
        assert text.index("12 are done.") < answer < text.index("machine hours")
        names = [section["id"] for section in Reader(page).all("section")]
        assert names[:3] == ["study", "scores", "pairs"]


@pytest.mark.parametrize(
    "table",
    [
        tables.planted().iloc[:0],
        pytest.param(
            tables.planted({"chyvae": (100.0,)}, **{**SIZE, "seeds": 1}),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["nothing is done", "one run"],
)
def test_a_page_of_little_says_why(table):
    drawn = list(report_figures.draw(table, tables.planted_curves(table)))
    page = report.report_page(ABOUT, table, drawn)
    assert references(page) == []
    assert any(each.figure is None for each in drawn)
    assert ("No run is scored yet." in words(page)) == table.empty


@pytest.mark.slow
def test_a_page_of_methods_without_a_strength():
    """One method that varies its seed alone, and one that varies two numbers."""
    table = tables.planted({"vae": (1.0,), "width": (1.0, 2.0, 3.0, 4.0)}, **SIZE)
    value = table.pop("width.strength")
    table["a.beta"], table["b.width"] = value % 2, value // 3
    table = table.drop(columns="vae.strength").assign(strength=float("nan"))
    drawn = {each.name: each for each in report_figures.draw(table, table[:0])}
    for section in ("strength", "best", "reconstruction"):
        assert drawn[f"{section}_mig_ellipses"].figure, section
    assert drawn["codes_total_correlation_ellipses"].figure
    text = words(report.report_page(ABOUT, table, list(drawn.values())))
    assert "width beta=1, width=0 2" in text and "vae 2" in text


def test_scores_of_sampled_codes_are_shown():
    size = {**SIZE, "metrics": ("mig",), "representations": ("sampled",)}
    table = tables.planted({"chyvae": (100.0, 200.0)}, **size)
    drawn = {each.name: each for each in report_figures.draw(table, table[:0])}
    assert drawn["spread_mig_of_sampled_codes_ellipses"].figure
    text = words(report.report_page(ABOUT, table, list(drawn.values())))
    assert "MIG of sampled codes" in text and "No run is scored yet." not in text
    both = tables.planted(
        {"chyvae": (100.0,)},
        **{**size, "seeds": 1},
    )
    mean = both.assign(representation="mean")
    found = report_scores.scores_of(pd.concat([both, mean]))
    labels = [score.label for score in found if score.metric == "mig"]
    assert labels == ["mig", "mig of sampled codes"]


@pytest.fixture
def folder(tmp_path):
    """A study of three runs: one done, one that failed, one that waits."""
    study = tmp_path / "study"
    runs = [("a" * 12, "vae", 1.0, "d", 0), ("b" * 12, "vae", 1.0, "d", 1)]
    write_plan(study, [*runs, ("c" * 12, "vae", 4.0, "d", 0)], vae__beta=[1, 1, 4])
    (study / "study.json").write_text(
        json.dumps(
            {
                "schema_version": 1,
                "name": "three",
                "grid": {"method": "vae.gin"},
                "bindings": {},
                "metrics": ["mig"],
                "representations": ["mean"],
                "versions": {"tf_disentangle": "0.2.0"},
                "configurations": [
                    {"files": ["vae.gin"], "imports": [], "bindings": {"a.b": "1"}}
                ],
            }
        )
    )
    rows = [terms(100, 20.0, 21.0), terms(200, 10.0, 11.0), score(200, "mig", 0.4)]
    done = write_run(study, "a" * 12, rows)
    failed = study / "runs" / ("b" * 12)
    failed.mkdir()
    (failed / "log.txt").write_text("step 1\n<b>MemoryError</b>\n")
    for place, code, kind in ((done, 0, "done"), (failed, 2, "failed")):
        lines = [
            {"begin": "k", "time": 1000.0, "host": "node-1", "pid": 1},
            {"end": "k", "time": 1900.0, "kind": kind, "code": code, "reason": kind},
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (place / "attempts.jsonl").write_text(text)
    return study


def test_an_attempt_without_an_end_lasts_until_the_next(folder):
    """Those before new attempts count too, and a run that was in use does not."""
    path = folder / "runs" / ("a" * 12) / "attempts.jsonl"
    place = {"host": "node-2", "pid": 1}
    lines = [
        {"begin": "a", "time": 0.0, **place},
        {"begin": "b", "time": 3600.0, **place},
        {"begin": "c", "time": 4000.0, **place},
        {"end": "c", "time": 4001.0, "kind": "locked", "code": 75, "reason": ""},
        {"end": "b", "time": 7200.0, "kind": "failed", "code": 1, "reason": ""},
        {"retry": True, "time": 8000.0},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_record(folder).hours == pytest.approx(2.0 + 0.25)


def test_what_a_folder_says(folder):
    about = read_record(folder)
    assert (
        about.states["done"] == about.states["failed"] == about.states["waiting"] == 1
    )
    assert about.hours == pytest.approx(0.5) and about.machines == ["node-1"]
    assert about.axes["seed"] == ["0", "1"] and about.axes["method"] == ["vae"]
    (failure,) = about.failures
    assert failure.run == "b" * 12 and failure.final
    # Code 2 is a mistake in what was asked, which another attempt would repeat.
    assert failure.alike
    assert failure.log.endswith("<b>MemoryError</b>")


def test_a_study_that_still_runs_has_its_page_and_files(folder, capsys):
    code = cli.main(["study", "report", str(folder), "--formats=png", "--metrics=mig"])
    assert code == 0
    path = folder / "report.html"
    assert capsys.readouterr().out.strip() == str(path)
    text = words(path.read_text())
    assert "3 runs. 1 are done." in text and "<b>MemoryError</b>" in text
    files = list((folder / "figures").iterdir())
    assert files and all(file.read_bytes()[:4] == b"\x89PNG" for file in files)


def test_mistakes_are_told(folder, tmp_path):
    with pytest.raises(ArgumentError, match="formats must be of svg, pdf, png"):
        report.write_report(folder, formats=["gif"])
    with pytest.raises(ArgumentError, match=r"metrics must name scores.*mig"):
        report.write_report(folder, metrics=["migg"])
    with pytest.raises(ArgumentError, match="study"):
        report.write_report(tmp_path / "nothing")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (2560, "light")])
def test_the_page_fits_and_is_accessible(browser, page, tmp_path, width, scheme):
    """Opened as a file in Chromium with the network off."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    path = tmp_path / "report.html"
    path.write_text(page)
    view = {"width": width, "height": 900}
    context = browser.new_context(viewport=view, color_scheme=scheme, offline=True)
    opened, said = context.new_page(), []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("requestfailed", lambda request: said.append(request.url))
    opened.goto(path.as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach(d => d.open = 1)")
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    found = axe.Axe().run(opened).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []
    assert said == []
    context.close()
