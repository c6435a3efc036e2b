"""Pages of runs: what a reader finds in them is what the runs' records say."""

import re
import shutil
from typing import ClassVar

import numpy as np
import pytest

import tf_disentangle
from tests.pages.conftest import BOUNDS, FACTOR, INTERVAL, ROWS
from tests.pages.test_html import Reader, references
from tf_disentangle import pages, summary
from tf_disentangle.checks import ArgumentError
from tf_disentangle.pages import results
from tf_disentangle.pages.differences import (
    differing_layers,
    differing_settings,
    matched_latents,
    repeated_runs,
)
from tf_disentangle.pages.one_run import _curves
from tf_disentangle.summary import summarize
from tf_disentangle.training import RunFolder


@pytest.fixture(scope="module")
def run(scored_run):
    return scored_run


@pytest.fixture(scope="module")
def other(other_run):
    return other_run


@pytest.fixture(scope="module")
def page(run):
    return pages.run_page(run)


class TestRunPage:
    def test_is_whole_and_needs_no_other_file(self, page):
        reader = Reader(page)
        assert references(page) == []
        links = [link["href"].removeprefix("#") for link in reader.all("a")]
        assert links == ["latents", "scores", "curves", "pictures", "settings"]
        assert links == [section["id"] for section in reader.all("section")]
        assert all(image.get("alt") for image in reader.all("img"))

    def test_says_what_the_records_say(self, run, page):
        texts, about = " ".join(Reader(page).texts), summarize(run)
        assert "after 4 of 4 steps" in texts
        # From the floor 0.3, the greater of two, to the ceiling 1.
        assert "43% of the way, floor 0.3, ceiling 1" in texts
        assert "[0.5, 0.7] 95% t, n = 3" in texts
        for name, value in about["settings"].items():
            last = name.rsplit(".", 1)[-1]
            assert last in texts and str(value)[:20] in texts, name
        for latent in about["latents"]:
            assert latent["name"] in texts

    def test_only_what_moves_the_image_is_labelled(self, run, page):
        badges = re.findall(r'badge factor">([^<]*)<', page)
        named = [d["factor"] for d in summarize(run)["latents"] if d["factor"]]
        assert sorted(badges) == sorted(named)

    def test_has_the_pictures_of_the_folder_or_those_it_is_given(self, run, page):
        assert page.count("<figure>") == 2
        given = [run.folder.pictures / "reconstructions.png"]
        assert pages.run_page(run, given).count("<figure>") == 1

    def test_a_damaged_picture_is_named_and_the_others_stay(self, run, tmp_path):
        damaged = tmp_path / "damaged<b>.png"
        damaged.write_bytes(b"no image")
        paths = [damaged, run.folder.pictures / "reconstructions.png"]
        page = pages.run_page(run, paths)
        assert page.count("<figure>") == 2
        assert "damaged&lt;b&gt;.png cannot be read" in page
        assert "reconstructions" in page

    def test_a_run_in_memory_needs_a_path(self, run):
        class InMemory:
            folder = None

        with pytest.raises(ArgumentError, match="path must be given for a published"):
            pages.write_run_page(InMemory())

    def test_latents_have_charts_where_no_term_has_a_number(self, run):
        rows = [{"step": n, "kl_per_latent": [0.1 * n] * 4} for n in (2, 4)]
        page = _curves(summarize(run) | {"terms": {}}, rows)
        assert "Curve of kl_per_latent" in page
        assert _curves(summarize(run) | {"terms": {}}, []) == ""

    def test_is_written_into_the_folder_whole(self, run, page):
        path = pages.write_run_page(run)
        assert path == run.folder.path / "index.html"
        assert path.read_text(encoding="utf-8") == page


class TestComparison:
    def test_shows_the_runs_side_by_side(self, run, other):
        page = pages.comparison_page([run, other])
        reader = Reader(page)
        assert references(page) == []
        assert "first and second" in reader.texts
        assert "training.<wbr>seed" in page
        assert "not scored" in reader.texts
        # A strip of the start and one of each latent that moves, for each of the runs.
        moving = [d["moves"] for r in (run, other) for d in summarize(r)["latents"]]
        assert len(reader.all("img")) == 2 + sum(moving)
        charts = [svg["aria-label"] for svg in reader.all("svg")]
        assert "Curves of loss (held out)" in charts

    def test_one_run_is_nothing_to_compare(self, run):
        with pytest.raises(ArgumentError, match="runs must be 2 to 6 runs; received 1"):
            pages.comparison_page([run])

    def test_runs_of_one_name_are_told_apart_and_one_seed_has_no_interval(self, run):
        page = pages.comparison_page([run, run])
        assert "The runs have the same settings." in page
        assert "first (1)" in page and "first (2)" in page
        # One run twice is no experiment repeated.
        assert "mean over training seeds" not in page

    def test_runs_of_several_seeds_have_a_mean_with_its_interval(
        self, run, other, tmp_path
    ):
        shutil.copytree(other.folder.path, tmp_path / "second")
        scored = RunFolder(tmp_path / "second")
        scored.append({"step": 4, "scores": {"factor_vae": {**FACTOR, "score": 0.8}}})
        page = pages.comparison_page([run, tf_disentangle.load(tmp_path / "second")])
        # t(1) = 12.706 times the standard error of 0.6 and 0.8, which is 0.1.
        assert "<b>0.7</b> [\N{MINUS SIGN}0.571, 1.97]" in page
        assert "first, second" in page

    def test_repeated_runs_differ_in_their_seed_alone(self):
        def about(seed, step=4, beta=1.0):
            seeds = {"training.seed": seed, "model.seed": seed}
            settings = {**seeds, "model.beta": beta}
            return {"step": step, "settings": settings}

        one, two, three = about(0), about(1), about(2)
        assert repeated_runs([one, about(5, beta=4.0), two]) == [[0, 2]]
        # Weights of other steps are another experiment.
        assert repeated_runs([one, about(1, step=10)]) == []
        assert repeated_runs([one, two, about(2, 10), about(3, 10)]) == [[0, 1], [2, 3]]
        # The same seed twice is one observation.
        assert repeated_runs([one, about(0)]) == []
        assert repeated_runs([one, two, about(1)]) == []
        assert repeated_runs([three, one, two]) == [[0, 1, 2]]

    def test_settings_that_differ(self):
        settings = [{"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3], "c": None}]
        assert differing_settings(settings) == {"b": [[1, 2], [1, 3]]}
        assert differing_settings([{"a": 1}, {"a": 2}, {}]) == {"a": [1, 2, None]}

    def test_layers_that_differ(self):
        networks = [
            "InputLayer(9), Dense(8, relu), Dense(4), Reshape(2x2)",
            "InputLayer(9), Dense(8, relu), Dense(6), Dense(4), Reshape(2x2)",
        ]
        dots = "\N{HORIZONTAL ELLIPSIS}"
        assert differing_layers(networks) == [
            f"{dots} nothing {dots}",
            f"{dots} Dense(6) {dots}",
        ]
        ends = ["Input(9), Flatten, Dense(2)", "Input(8), Flatten, Dense(3)"]
        assert differing_layers(ends) == ends
        for others in ([1, 2], ["chyvae", "joint_vae"], ["Input(1), Flatten", None]):
            assert differing_layers(others) == others

    def test_other_latents_stand_apart_from_those_of_one_factor(self, run, other):
        page = pages.comparison_page([run, other])
        rows = matched_latents([summarize(r)["latents"] for r in (run, other)])
        kinds = [bool(factor) for factor, _ in rows]
        assert kinds == sorted(kinds, reverse=True)
        apart = page.count('class="rest"')
        assert apart == (False in kinds)
        if apart and kinds[0]:
            assert "<h3>Other latents</h3>" in page


def latent(name, factor, votes, movement=0.1, moves=True):
    return {
        "name": name,
        "factor": factor,
        "votes": votes,
        "movement": movement,
        "moves": moves,
    }


def test_latents_of_one_factor_are_in_one_row():
    one = [
        latent("z0", "x", [3, 0]),
        latent("z1", "x", [9, 1]),
        latent("z2", None, [0, 0], moves=False),
        latent("z3", "y", [0, 4]),
    ]
    two = [latent("z0", None, [0, 0], 0.3), latent("z1", "x", [1, 0], 0.2)]
    assert matched_latents([one, two]) == [
        ("x", [1, 1]),
        ("y", [3, None]),
        ("", [0, 0]),
    ]


class TestResults:
    ROWS = (
        {"step": 1, "loss": 9.0, "elbo": -9.0, "beta": 4.0, "wall_time": 1.0},
        {"step": 2, "loss": 5.0, "elbo": -5.0, "beta": 4.0, "val_loss": 6.0},
        {"step": 2, "kl_per_latent": [0.1, 3.0], "val_loss": None},
        {"step": 4, "kl_per_latent": [0.2, 2.0], "loss": np.nan},
    )

    def test_terms_the_loss_first(self):
        # The ELBO is the loss upside down, and the clock is no term.
        assert results.term_names(self.ROWS) == ["loss", "beta"]

    def test_series_are_finite(self):
        assert results.series(self.ROWS, "loss") == ([1, 2], [9.0, 5.0])
        assert results.series(self.ROWS, "val_loss") == ([2], [6.0])

    def test_a_chart_of_each_term_that_changes(self):
        ((name, figure),) = results.term_curves(self.ROWS)
        assert name == "loss"
        (line,) = figure.axes[0].get_lines()
        np.testing.assert_array_equal(line.get_xydata(), [[1, 9], [2, 5]])

    def test_a_curve_of_each_latent(self):
        ((_, figure),) = results.latent_curves(self.ROWS, ["z0", "z1"])
        lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
        np.testing.assert_array_equal(lines["z1"].get_xydata(), [[2, 3], [4, 2]])


class TestLastScores:
    SEEDS = (0.10, 0.12, 0.20)
    CONTINUED = (
        *(
            {"step": 4, "seed": s, "scores": {"mig": {"score": v, "protocol": "dlib"}}}
            for s, v in enumerate(SEEDS)
        ),
        {
            "step": 4,
            "codes": "mean",
            "intervals": {"mig": {**INTERVAL, "mean": 0.14}},
            "protocols": {"mig": "dlib"},
        },
        {"step": 4, "bounds": {"mig": BOUNDS}, "protocols": {"mig": "dlib"}},
    )
    OTHER: ClassVar = {
        "step": 4,
        "scores": {"mig": {"score": 0.5, "protocol": "dlib, n=200"}},
    }

    def test_an_interval_belongs_to_its_weights(self):
        interval = {"low": 0.5, "high": 0.7, "of": "95% t, n = 3"}
        assert summary.last_scores(ROWS, 4)["factor_vae"]["interval"] == interval
        assert summary.last_scores(ROWS, 5) == {}

    def test_of_several_seeds_the_mean_is_shown(self):
        assert summary.last_scores(self.CONTINUED, 4)["mig"]["score"] == 0.14

    def test_a_later_score_of_one_seed_has_no_interval_but_the_bounds(self):
        again = {"step": 4, "scores": {"mig": {"score": 0.3, "protocol": "dlib"}}}
        score = summary.last_scores([*self.CONTINUED, again], 4)["mig"]
        assert (score["score"], score["interval"], score["floor"]) == (0.3, None, 0.3)

    def test_what_belongs_to_one_protocol_is_not_shown_of_another(self):
        score = summary.last_scores([*self.CONTINUED, self.OTHER], 4)["mig"]
        assert (score["score"], score["interval"], score["floor"]) == (0.5, None, None)

    def test_a_metric_without_a_protocol_keeps_its_score_beside_its_bounds(self):
        rows = [
            {"step": 4, "scores": {"own": {"score": 0.5}}},
            {"step": 4, "bounds": {"own": BOUNDS}, "protocols": {"own": ""}},
        ]
        score = summary.last_scores(rows, 4)["own"]
        assert (score["score"], score["floor"], score["ceiling"]) == (0.5, 0.3, 1.0)

    def test_results_that_were_kept_come_back_with_their_protocol(self):
        rows = [*self.CONTINUED, self.OTHER, self.CONTINUED[-1]]
        score = summary.last_scores(rows, 4)["mig"]
        assert (score["protocol"], score["score"]) == ("dlib", 0.14)


def test_the_votes_of_a_latent_are_counted_with_a_name_or_without():
    won = {"kl": 1.0, "moves": True, "votes": [3, 1], "share": 0.75}
    assert results.latent_note({**won, "factor": "x"}) == "KL 1.00, 75% of 4 votes"
    few = results.latent_note({**won, "factor": None})
    assert few == "KL 1.00, 4 votes, too few for a name"
    none = results.latent_note({**won, "factor": None, "votes": None, "share": None})
    assert none == "KL 1.00"
