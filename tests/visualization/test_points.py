"""Points, curves and codes against factors: what stands where, in which colour."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.visualization import (
    codes_against_factors,
    curves,
    explained_variance,
    pixels,
    scatters,
)
from tf_disentangle.visualization.charts import COLOURS


class TestScatters:
    def test_points_stand_at_their_coordinates_in_their_groups_order(self):
        groups = {"grey": np.array([[-1.0, 0.5]]), "blue": np.array([[1.0, -1.5]])}
        (axes,) = scatters({"one": groups}, limits=(-2, 2)).axes
        grey, blue = axes.collections
        np.testing.assert_array_equal(grey.get_offsets(), groups["grey"])
        np.testing.assert_array_equal(blue.get_offsets(), groups["blue"])
        assert to_hex(blue.get_facecolor()[0]) == COLOURS[0]
        assert axes.get_xlim() == axes.get_ylim() == (-2, 2)

    def test_the_second_coordinate_goes_up(self):
        groups = {"": np.empty((0, 2)), "a": np.array([[0.0, 1.5]])}
        figure = scatters({"": groups}, limits=(-2, 2))
        picture = pixels(figure).astype(int)
        blue = picture[..., 2] - picture[..., 0] > 100
        assert np.nonzero(blue)[0].mean() < len(picture) / 2

    def test_panels_have_common_or_own_limits(self):
        panels = {f"panel {i}": {"a": np.array([[0, 0], [i, 10]])} for i in range(1, 4)}
        figure = scatters(panels, num_columns=2)
        shown = [axes for axes in figure.axes if axes.get_visible()]
        assert [axes.get_title() for axes in shown] == [*panels]
        assert shown[0].get_xlim() == (-0.5, 10.5)
        common = scatters(panels, limits=(-4, 4)).axes
        assert {axes.get_xlim() for axes in common} == {(-4, 4)}

    @pytest.mark.parametrize(
        ("panels", "limits", "words"),
        [
            ({}, None, "panels must have at least one"),
            ({"": {}}, (-1, 1), "groups must have 1 to 7"),
            ({"": {"a": np.zeros((3, 3))}}, None, r"groups\['a'\] must have shape"),
            ({"": {"a": np.full((3, 2), np.nan)}}, None, r"groups\['a'\] must be fini"),
            ({"": {"a": np.zeros((3, 2))}}, (1, -1), "limits must be increasing"),
        ],
    )
    def test_what_cannot_be_drawn(self, panels, limits, words):
        with pytest.raises(ArgumentError, match=words):
            scatters(panels, limits=limits)


class TestCurves:
    def test_each_has_its_values_colour_dashes_and_marker(self):
        series = {"train": ([1, 2, 3], [3.0, 2.0, 1.0]), "validation": ([3], [1.5])}
        (axes,) = curves(series, title="loss").axes
        train, validation = axes.get_lines()
        np.testing.assert_array_equal(train.get_xydata(), [[1, 3], [2, 2], [3, 1]])
        np.testing.assert_array_equal(validation.get_xydata(), [[3, 1.5]])
        for what in ("color", "linestyle", "marker"):
            get = f"get_{what}"
            assert getattr(train, get)() != getattr(validation, get)()
        legend = [text.get_text() for text in axes.get_legend().get_texts()]
        assert legend == ["train", "validation"]
        assert len(curves({"alone": ([1], [1.0])}).axes[0].texts) == 0

    def test_first_steps_do_not_flatten_the_rest(self):
        values = np.r_[1e6, np.linspace(2, 1, 199)]
        (axes,) = curves({"loss": (np.arange(200), values)}).axes
        low, high = axes.get_ylim()
        assert low < 1.0 and 1.8 < high < 2
        said = [text.get_text() for text in axes.texts]
        assert said == ["\N{UPWARDS ARROW} first up to 1,000,000"]

    def test_what_lies_below_is_said_and_of_what_is_seen_nothing(self):
        values = np.r_[-0.25, np.linspace(1, 2, 199)]
        (axes,) = curves({"mi": (np.arange(200), values)}).axes
        (text,) = axes.texts
        assert text.get_text() == "\N{DOWNWARDS ARROW} first from \N{MINUS SIGN}0.25"
        assert not curves({"mi": ([1, 2, 3], [1.0, 2.0, 3.0])}).axes[0].texts

    def test_what_is_not_finite_is_left_out(self):
        (axes,) = curves({"a": (np.arange(3), [1.0, np.nan, 2.0])}).axes
        assert np.isfinite(axes.get_ylim()).all()

    @pytest.mark.parametrize("series", [{}, {str(i): ([1], [1]) for i in range(7)}])
    def test_too_few_and_too_many(self, series):
        with pytest.raises(ArgumentError, match="series must hold 1 to 6 curves"):
            curves(series)

    def test_lengths_that_differ(self):
        with pytest.raises(ArgumentError, match=r"series\['a'\] must be steps \[N\]"):
            curves({"a": ([1, 2], [1.0])})


class TestExplainedVariance:
    def test_by_hand(self):
        # Means 1 and 5, within each value a sum of squares of 2 around its mean.
        codes, values = np.array([0.0, 1, 2, 4, 5, 6]), np.array([0, 0, 0, 7, 7, 7])
        within, total = 4 / 4, (codes - 3) @ (codes - 3) / 5
        assert explained_variance(codes, values) == pytest.approx(1 - within / total)

    def test_limits(self):
        values = np.repeat(np.arange(5), 4)
        assert explained_variance(np.square(values), values) == 1.0
        assert explained_variance(np.ones(20), values) == 0.0
        assert explained_variance(np.arange(20.0), np.arange(20)) == 0.0, "no repeats"

    def test_values_that_mean_nothing_explain_nothing(self):
        """Without bias: the plain correlation ratio is 0.1 here."""
        rng = np.random.default_rng(0)
        draws = (rng.normal(size=500), rng.integers(50, size=500))
        shares = [
            explained_variance(rng.permutation(draws[0]), draws[1]) for _ in range(50)
        ]
        assert np.mean(shares) < 0.02


class TestCodesAgainstFactors:
    RNG = np.random.default_rng(0)
    FACTORS = np.stack([np.arange(420) % 3, RNG.permutation(420) % 60], axis=1)
    CODES = np.stack([RNG.normal(size=420), FACTORS[:, 0] - 1.0], axis=1)

    def test_every_pair_has_its_panel_its_share_and_its_means(self):
        columns = [CodeColumn("z0"), CodeColumn("z1")]
        figure = codes_against_factors(
            self.CODES,
            self.FACTORS,
            factor_names=["shape", "x"],
            columns=columns,
            order=[1, 0],
        )
        top_left, top_right, *_ = figure.axes
        assert [axes.get_title() for axes in figure.axes] == ["shape", "x", "", ""]
        names = [figure.axes[i].get_ylabel() for i in (0, 2)]
        assert names == ["z1", "z0"]
        share = [axes.texts[0].get_text() for axes in figure.axes]
        assert share[0] == "100%" and int(share[3].rstrip("%")) < 10
        (line,) = top_left.get_lines()
        np.testing.assert_allclose(line.get_xydata(), [[0, -1], [1, 0], [2, 1]])
        # Of sixty values ten means: each of six neighbours.
        (line,) = top_right.get_lines()
        x = self.FACTORS[:, 1]
        expected = [self.CODES[x // 6 == k, 1].mean() for k in range(10)]
        np.testing.assert_allclose(line.get_ydata(), expected)
        alphas = [axes.get_facecolor()[3] for axes in figure.axes]
        assert np.argmax(alphas) == 0

    @pytest.mark.parametrize(
        ("codes", "factors", "names", "words"),
        [
            (np.zeros(3), np.zeros((3, 1)), ["x"], "codes must be finite, of shape"),
            (np.zeros((3, 1)), np.zeros((2, 1)), ["x"], r"factors must have shape \[3"),
            (np.zeros((3, 1)), np.zeros((3, 2)), ["x"], "factor_names must have one"),
        ],
    )
    def test_mistakes(self, codes, factors, names, words):
        with pytest.raises(ArgumentError, match=words):
            codes_against_factors(codes, factors, factor_names=names)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"order": [7]}, r"order must hold latents in \[0, 3\)"),
            ({"columns": [CodeColumn("z0")]}, "columns must have one entry per latent"),
        ],
    )
    def test_latents_that_there_are_not(self, options, words):
        codes, factors = np.zeros((4, 3)), np.zeros((4, 1))
        with pytest.raises(ArgumentError, match=words):
            codes_against_factors(codes, factors, factor_names=["x"], **options)
