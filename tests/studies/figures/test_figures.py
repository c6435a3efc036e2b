"""Figures of studies: what is drawn is what the table says, told by its own means."""

import functools

import matplotlib.colors
import numpy as np
import pytest

from tests.studies import tables
from tf_disentangle.checks import ArgumentError
from tf_disentangle.studies import figures, published
from tf_disentangle.studies.figures import parts
from tf_disentangle.studies.figures.settings import settings_of

ONE_SET = {"data": ("correlated_ellipses",), "metrics": ("mig", "dci", "modularity")}


@pytest.fixture(scope="module")
def table():
    return tables.planted(seeds=4, **ONE_SET)


def only_axes(figure):
    (axes,) = figure.axes
    return axes


def by_marker(axes, marker):
    """Points [N, 2] of the lines with a marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return np.concatenate([line.get_xydata() for line in lines])


def texts(figure):
    found = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return " ".join(artist.get_text() for artist in found)


def mig(table, **where):
    rows = table[(table.metric == "mig") & (table.representation == "mean")]
    for name, value in where.items():
        rows = rows[rows[name] == value]
    return rows


def test_violins_mark_the_mean_the_best_and_the_bounds(table):
    axes = only_axes(figures.score_violins(table, "mig"))
    groups = mig(table).groupby("method", sort=False).value
    np.testing.assert_allclose(by_marker(axes, "|")[:, 0], groups.mean())
    np.testing.assert_allclose(by_marker(axes, "*")[:, 0], groups.max())
    vertical = [line.get_xdata()[0] for line in axes.lines if line.get_marker() is None]
    dashed = [
        line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1
    ]
    assert {0.1, 1.0} <= {*vertical, *dashed}
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["beta_vae (12)", "factor_vae (12)", "chyvae (12)"]
    assert axes.get_xlabel() == "MIG"


def test_a_violin_needs_ten_runs():
    few = tables.planted(seeds=3, **ONE_SET)
    assert len(only_axes(figures.score_violins(few, "mig")).collections) == 3
    many = tables.planted(seeds=4, **ONE_SET)
    assert len(only_axes(figures.score_violins(many, "mig")).collections) == 6


def test_strengths_have_a_panel_each_with_the_means(table):
    figure = figures.score_against_strength(table, "mig")
    assert [axes.get_title() for axes in figure.axes] == list(tables.METHODS)
    for axes, (method, strengths) in zip(
        figure.axes, tables.METHODS.items(), strict=True
    ):
        means = mig(table, method=method).groupby("strength").value.mean()
        drawn = next(line for line in axes.lines if len(line.get_xdata()) == 3)
        np.testing.assert_allclose(drawn.get_ydata(), means)
        ticks = [label.get_text() for label in axes.get_xticklabels()]
        assert ticks == [parts.number(x) for x in strengths]
        assert axes.get_xlabel() == "strength"


def test_settings_are_written_by_what_varies():
    table = tables.planted({"a": (1.0, 2.0), "b": (1.0, 2.0)}, seeds=1, **ONE_SET)
    table["b.beta"] = table.pop("b.strength")
    is_b = table["method"] == "b"
    table["net.width"] = 8 * table["b.beta"]
    table.loc[is_b, "strength"] = np.nan
    table["same.everywhere"] = 3.0
    names = settings_of(table)
    assert names.axes == {"a": "strength", "b": "setting"}
    assert list(names.texts.values()) == [
        "1",
        "2",
        "beta=1, width=8",
        "beta=2, width=16",
    ]
    setting = "a.strength=1.0, same.everywhere=3.0"
    assert names.name("a", setting) == "a 1"


def test_reconstruction_has_means_of_both_and_says_what_lies_outside():
    table = tables.planted(seeds=3, collapsed=(4,), **ONE_SET)
    figure = figures.score_against_reconstruction(table, "mig")
    axes = figure.axes[0]
    own = table[(table.method == "chyvae") & (table.strength == 200)]
    x = own[(own.metric == "reconstruction") & (own.kind == "held_out")].value.mean()
    drawn = by_marker(axes, parts.method_looks(table)["chyvae"].marker)
    distance = np.abs(drawn - [x, mig(own).value.mean()]).sum(axis=1)
    assert distance.min() < 1e-9
    assert axes.get_xlim()[1] < 200  # where the collapsed run is
    assert "Collapsed runs that lie outside: 1." in texts(figure)
    assert axes.get_xlabel() == "reconstruction error, nats per image"


def test_matrices_have_their_values_in_hundredths(table):
    written = texts(figures.metric_correlations(table)).split()
    assert written.count("\N{MINUS SIGN}100") >= 4 and written.count("100") >= 5
    written = texts(figures.unsupervised_correlations(table))
    assert "UDR" in written and "reconstruction error" in written


@pytest.mark.parametrize("printed", published.TABLES)
def test_printed_tables_are_drawn_as_they_are(printed):
    values = np.array(printed.values)
    assert values.shape == (len(printed.rows), len(printed.columns))
    if printed.rows == printed.columns:
        np.testing.assert_array_equal(values, values.T)
        np.testing.assert_array_equal(np.diag(values), 100)
    axes = only_axes(figures.published_correlations(printed))
    drawn = [text.get_text() for text in axes.texts]
    assert drawn == [str(v).replace("-", "\N{MINUS SIGN}") for v in values.ravel()]


def test_a_matrix_leaves_unknown_cells_grey(table):
    frame = figures.agreement.analysis.metric_correlations(table).copy()
    frame.iloc[0, 1] = np.nan
    _, ((axes,),) = figures.agreement.subplots(1, 1, (3.0, 3.0))
    parts.matrix(axes, frame)
    assert axes.texts[1].get_text() == "\N{EN DASH}"
    assert axes.images[0].get_array().mask[0, 1]


def test_shares_of_variance_are_those_that_were_planted(table):
    figure = figures.variance_shares(table)
    axes = only_axes(figure)
    widths = np.array([bar.get_width() for bar in axes.patches]).reshape(3, -1)
    # 0.10^2, 0.05^2 and 0.05^2 of the first three metrics, of 36 runs less 3 means of
    # methods and 9 of settings.
    objective, both = 1 - 2 / 6 * 35 / 33, 1 - 1 / 6 * 35 / 27
    expected = np.array([[objective], [both - objective], [1 - both]])
    np.testing.assert_allclose(widths[:, :3], expected * np.ones((3, 3)), atol=1e-9)
    assert "36 runs of 9 settings" in texts(figure)
    hatched = [bar.get_hatch() for bar in axes.patches]
    assert len(set(hatched)) == 3  # told apart without colours


def test_shares_of_noise_are_never_below_zero():
    noise = tables.planted(seeds=2, objective=0.0, strength=0.0, **ONE_SET)
    bars = only_axes(figures.variance_shares(noise)).patches
    widths = np.array([bar.get_width() for bar in bars]).reshape(3, -1)
    assert (widths >= 0).all()
    np.testing.assert_allclose(widths.sum(axis=0), 1.0)
    np.testing.assert_allclose(widths[2, 0], 1.0)


def test_what_classifiers_learn_goes_with_the_scores(table):
    written = texts(figures.downstream_correlations(table))
    assert "10000 samples" in written and "efficiency" in written
    assert written.split().count("100") >= 8


def test_transfer_asks_for_two_data_sets(table):
    with pytest.raises(ArgumentError, match="two data sets"):
        figures.transfer_across_data(table, "mig")
    both = tables.planted(seeds=2, metrics=("mig",))
    names = texts(figures.transfer_across_data(both, "mig"))
    assert "correlated ellipses" in names and "rooms3d" in names
    assert "100" in texts(figures.transfer_across_metrics(table))


def test_curves_end_at_the_last_means(table):
    curves = tables.planted_curves(table)
    axes = figures.curves_over_training(table, curves, "mig").axes[0]
    best = mig(table).groupby(["method", "strength"]).value.mean().groupby("method")
    ends = {line.get_label().split()[0]: line.get_ydata()[-1] for line in axes.lines}
    for method, value in best.max().items():
        assert ends[method] == pytest.approx(value)
    # Of a term the least and the greatest strength, one dashed and hollow.
    axes = figures.curves_over_training(table, curves, "loss").axes[0]
    looks = {line.get_label(): line.get_linestyle() for line in axes.lines}
    assert looks["chyvae 100"] == "-" and looks["chyvae 1000"] == "--"
    last = tables.planted_curves(table, points=1)
    with pytest.raises(ArgumentError, match=r"mig at several steps; received \[3000\]"):
        figures.curves_over_training(table, last, "mig")


def test_total_correlation_of_means_and_samples(table):
    figure = figures.total_correlation(table)
    for axes in figure.axes:
        mean, sampled = (line.get_ydata() for line in axes.lines)
        np.testing.assert_allclose(mean, [1.0, 1.5, 2.0])
        np.testing.assert_allclose(sampled, [3.0, 2.5, 2.0])
    only = figures.total_correlation(table[table["representation"] != "sampled"])
    assert all(len(axes.lines) == 1 for axes in only.axes)
    assert "sampled" not in texts(only)


def test_collapsed_runs_are_crosses_with_names():
    table = tables.planted(seeds=3, collapsed=(8,), **ONE_SET)
    (run,) = table[table["index"] == 8].run.unique()
    figure = figures.best_settings(table, "mig")
    axes = figure.axes[0]
    assert "1 of 27 runs left out" in texts(figure).replace("\n", " ")
    assert run[:6] in texts(figure)
    crosses = [c for c in axes.collections if len(c.get_offsets()) and c.get_paths()]
    assert any(0.0 in c.get_offsets()[:, 0] for c in crosses)
    best = mig(table)[mig(table).run != run]
    best = best.groupby(["method", "strength"]).value.mean().groupby("method").max()
    drawn = dict(zip(tables.METHODS, by_marker(axes, "D")[:, 0], strict=True))
    for method, value in best.items():
        assert drawn[method] == pytest.approx(value)


def test_interquartile_means_are_trimmed(table):
    axes = figures.interquartile_means(table, "mig").axes[0]
    for place, method in enumerate(tables.METHODS):
        values = np.sort(mig(table, method=method).value)
        assert by_marker(axes, "D")[place, 0] == pytest.approx(values[3:9].mean())


def intervals(figure):
    """Ends of the horizontal lines of a figure; those that are NaN are not drawn."""
    lines = [c for c in figure.axes[0].collections if hasattr(c, "get_segments")]
    return [s[:, 0] for line in lines for s in line.get_segments() if len(s)]


def test_few_seeds_have_no_interval_and_the_reason_stands_there(table):
    few = figures.paired_comparisons(table, "mig")
    assert intervals(few) == []
    assert "no interval below 10" in texts(few).replace("\n", " ")
    many = tables.planted(methods={"a": (1.0,), "b": (1.0,)}, seeds=10, **ONE_SET)
    enough = figures.paired_comparisons(many, "mig")
    ((low, high),) = intervals(enough)
    assert "no interval" not in texts(enough)
    # a is 0.2 worse in the mean, in units of the metric's own scale.
    drawn = by_marker(enough.axes[0], "D")[0, 0]
    a, b = (mig(many, method=name).value.mean() for name in "ab")
    assert drawn == pytest.approx(a - b) and low < drawn < high
    assert "P = 0.0" in texts(enough)


def test_udr_selects_the_best_run_of_each_method(table):
    axes = figures.selection(table, "mig", selectors=["udr"]).axes[0]
    oracle = mig(table).groupby("method", sort=False).value.max()
    points = next(c for c in axes.collections if len(c.get_offsets()) == len(oracle))
    np.testing.assert_allclose(points.get_offsets()[:, 0], oracle)


def test_efficiency_says_the_rank_correlation(table):
    figure = figures.efficiency(table, "mig")
    assert "Rank correlation 1.00 over 36 runs" in texts(figure)


def test_a_sweep_is_logarithmic_over_wide_ranges():
    table = tables.planted(methods={"student_t": (1.0, 10.0, 100.0)}, **ONE_SET)
    figure = figures.sweep(table, "student_t.strength", "reconstruction")
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    rows = table[(table.metric == "reconstruction") & (table.kind == "held_out")]
    means = rows.groupby("strength").value.mean()
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [*means.items()])
    # The greatest error is not the best: stars are of scores alone.
    stars = [line for line in axes.lines if line.get_marker() == "*"]
    assert not stars and by_marker(
        figures.sweep(table, "student_t.strength", "mig").axes[0], "*"
    ).shape == (3, 2)
    with pytest.raises(ArgumentError, match="binding"):
        figures.sweep(table, "student_t.other", "mig")


def test_many_methods_look_different_and_keep_their_look():
    names = [f"m{number}" for number in range(12)]
    looks = parts.looks(names)
    assert len({(look.colour, look.marker) for look in looks.values()}) == 12
    assert all(matplotlib.colors.is_color_like(look.colour) for look in looks.values())
    table = tables.planted(seeds=2, **ONE_SET)
    without = table[(table.method != "beta_vae") | (table.metric != "mig")]
    axes = figures.score_against_reconstruction(without, "mig").axes[0]
    line = next(line for line in axes.lines if line.get_label() == "chyvae")
    assert line.get_color() == parts.method_looks(table)["chyvae"].colour


def test_dense_points_are_pixels():
    dense = tables.planted(seeds=40, metrics=("mig",), data=("d",))
    draw = functools.partial(figures.score_violins, metric="mig")
    points = [c for c in only_axes(draw(dense)).collections if len(c.get_offsets()) > 1]
    assert points and all(c.get_rasterized() for c in points)


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.0, "4"), (0.5, "0.5"), (13000, "13,000"), (None, ""), (float("nan"), "")],
)
def test_settings_are_written_as_people_do(value, text):
    assert parts.number(value) == text


def test_long_names_break_after_their_words():
    assert (
        parts.wrapped("a_method_with_a_long_name", 12)
        == "a_method_\nwith_a_\nlong_name"
    )
