import numpy as np
import pytest
import scipy.stats

from tests.visualization.pixels import enlarged, margins_are_white, noise, place, places
from tf_disentangle.checks import ArgumentError
from tf_disentangle.interfaces import CodeColumn
from tf_disentangle.visualization import (
    code_quantiles,
    normal_quantiles,
    step_labels,
    traversal_frames,
    traversals,
    traversals_side_by_side,
)
from tf_disentangle.visualization.canvas import FAINT

CODE = np.array([0.3, -0.7, 1.1])
STEPS = {count: np.linspace(-2, 2, count) for count in range(2, 10)}
COLUMNS = [CodeColumn(f"z{i}") for i in range(3)]


def category(count):
    return CodeColumn("c0", kind="categorical", group="c", num_values=count)


class Recorder:
    """Decodes each code into an image that belongs to it alone."""

    def __init__(self, shape=(6, 6, 1)):
        self.shape, self.codes = shape, []

    def __call__(self, codes):
        assert codes.dtype == np.float32
        self.codes.extend(codes)
        return np.stack([self.image(code) for code in codes])

    def image(self, code):
        seed = np.round(1e3 * np.asarray(code, np.float64) + 1e5).astype(int)
        return np.random.default_rng(seed).random(self.shape, np.float32)

    def tile(self, code, scale):
        image = np.round(255 * self.image(code)).astype(np.uint8)
        return enlarged(image, scale)


def moved(latent, value):
    code = CODE.copy()
    code[latent] = value
    return code


class TestTraversals:
    def test_only_the_rows_latent_moves(self):
        decode = Recorder()
        picture = traversals(decode, CODE, values=STEPS[5], scale=2, title="T")
        values = [-2.0, -1.0, 0.0, 1.0, 2.0]
        expected = np.array([[moved(d, v) for v in values] for d in range(3)])
        seen = np.array(decode.codes).reshape(3, 5, 3)
        np.testing.assert_allclose(seen, expected, rtol=1e-6)
        at = np.array(
            [[place(picture, decode.tile(c, 2)) for c in row] for row in expected]
        )
        assert np.all(at[:, :, 0] == at[:, :1, 0]) and np.all(np.diff(at[:, 0, 0]) > 0)
        assert np.all(at[:, :, 1] == at[:1, :, 1]) and np.all(np.diff(at[0, :, 1]) > 0)
        assert margins_are_white(picture)

    def test_order_values_and_colour(self):
        decode = Recorder((5, 4, 3))
        picture = traversals(decode, CODE, values=[-3, 3], order=[2, 0], scale=1)
        top, bottom = (place(picture, decode.tile(moved(d, -3), 1)) for d in (2, 0))
        assert top[0] < bottom[0]
        assert not places(picture, decode.tile(moved(1, -3), 1))

    def test_values(self):
        decode = Recorder()
        traversals(decode, CODE, values=[0.25, 4.0], order=[1])
        np.testing.assert_allclose(np.array(decode.codes)[:, 1], [0.25, 4.0])

    def test_notes_belong_to_latents_not_rows(self):
        """Moving a note to another latent changes only the labels of those rows."""
        notes = ["", ("KL 2.31", "x"), ""]
        order = [1, 2]
        with_notes = traversals(Recorder(), CODE, notes=notes, order=order)
        without = traversals(Recorder(), CODE, order=order)
        first = traversals(Recorder(), CODE, notes=["unseen", "", ""], order=order)
        assert with_notes.shape[1] > without.shape[1]
        assert np.array_equal(first[:, -500:], without[:, -500:])
        other = traversals(Recorder(), CODE, notes=["", "", notes[1]], order=order)
        rows = np.flatnonzero((with_notes != other).any(axis=(1, 2)))
        assert rows.size and with_notes.shape == other.shape

    def test_each_latent_over_values_of_its_own(self):
        decode, own = Recorder(), np.array([[0.0, 1.0], [5.0, 6.0], [7.0, 9.0]])
        picture = traversals(decode, CODE, values=own, order=[2, 1], scale=2)
        seen = np.array(decode.codes)
        np.testing.assert_allclose(seen[:2, 2], own[2])
        np.testing.assert_allclose(seen[2:, 1], own[1])
        # Each row has its own steps above it, so that rows stand farther apart.
        common = traversals(decode, CODE, values=[0.0, 1.0], order=[2, 1], scale=2)
        assert len(picture) > len(common)

    def test_examples_stand_above_with_the_start_first(self):
        decode, pairs = Recorder(), noise(2, 5, 6, 6, 1)
        picture = traversals(
            decode,
            CODE,
            values=STEPS[4],
            notes=["KL 1", "", ""],
            examples={"original": pairs[0], "reconstruction": pairs[1] / 255},
            scale=2,
        )
        at = np.array(
            [[place(picture, enlarged(x, 2)) for x in row[:4]] for row in pairs]
        )
        assert not places(picture, enlarged(pairs[0, 4], 2)), "as many as steps"
        below = [place(picture, decode.tile(moved(0, v), 2)) for v in STEPS[4]]
        columns = [x for _, x in below]
        assert at[0, :, 1].tolist() == at[1, :, 1].tolist() == columns
        assert at[0, 0, 0] < at[1, 0, 0] < below[0][0]
        assert margins_are_white(picture)

    def test_unused_latents_have_grey_labels(self):
        dark = traversals(Recorder(), CODE, scale=2)
        grey = traversals(Recorder(), CODE, scale=2, unused=[1])
        text = (dark != grey).any(axis=-1)
        top, _ = place(dark, Recorder().tile(moved(1, -2.0), 2))
        assert abs(np.nonzero(text)[0].mean() - (top + 6)) < 12
        assert grey[text].min() == FAINT[0] > dark[text].min()

    def test_many_codes_are_decoded_in_batches(self):
        sizes = []

        def decode(codes):
            sizes.append(len(codes))
            return np.zeros((len(codes), 2, 2, 1), np.float32)

        traversals(decode, np.zeros(60), values=STEPS[9], scale=1)
        assert sum(sizes) == 540 and max(sizes) <= 256

    def test_code_is_left_as_it_was(self):
        code = CODE.astype(np.float32)
        traversals(Recorder(), code)
        np.testing.assert_array_equal(code, CODE.astype(np.float32))

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"code": np.zeros((2, 3))}, r"codes\[i\]"),
            ({"code": np.zeros(0)}, r"code must have shape \[L\]"),
            ({"notes": ["a"]}, "notes must have one entry per latent, 3"),
            ({"columns": [CodeColumn("z0")]}, "columns must have one entry"),
            ({"order": [3]}, r"order must hold latents in \[0, 3\)"),
            ({"order": []}, "order must hold latents"),
            ({"values": [1.0]}, "values must be at least 2 finite"),
            ({"values": [1.0, np.nan]}, "finite"),
            ({"values": np.zeros((2, 4))}, "values must have one entry per latent, 3"),
            (
                {"examples": {"a": np.zeros((1, 5, 5, 1))}},
                "examples must have the shape",
            ),
            ({"decode": lambda codes: np.zeros((1, 2, 2, 1))}, r"shape \[27, H, W, C"),
            ({"decode": lambda c: np.full((len(c), 2, 2, 1), 9.0)}, "not logits"),
        ],
    )
    def test_errors(self, options, match):
        arguments = {"decode": Recorder(), "code": CODE, **options}
        with pytest.raises(ArgumentError, match=match):
            traversals(**arguments)

    @pytest.mark.parametrize("count", [3, 7])
    def test_a_categorical_latent_takes_its_values_and_no_others(self, count):
        decode, columns = Recorder(), [*COLUMNS[:2], category(count)]
        picture = traversals(decode, CODE, columns=columns, values=STEPS[5], scale=2)
        tiles = [moved(2, value) for value in range(count)]
        at = [place(picture, decode.tile(code, 2)) for code in tiles]
        assert len({y for y, _ in at}) == 1
        first = [decode.tile(moved(0, v), 2) for v in np.linspace(-2, 2, 5)]
        above = [place(picture, tile)[1] for tile in first]
        # Under the steps, or beyond them where there are more values.
        shared = min(count, 5)
        assert [x for _, x in at][:shared] == above[:shared]
        assert len(decode.codes) == 5 + 5 + count
        assert margins_are_white(picture)

    def test_categorical_latents_alone(self):
        decode = Recorder()
        picture = traversals(
            decode, CODE, columns=[*COLUMNS[:2], category(3)], order=[2], scale=2
        )
        for value in range(3):
            place(picture, decode.tile(moved(2, value), 2))
        assert len(decode.codes) == 3

    def test_a_category_without_a_number_of_values(self):
        columns = [*COLUMNS[:2], CodeColumn("c0", kind="categorical")]
        with pytest.raises(ArgumentError, match="num_values must be given for a cat"):
            traversals(Recorder(), CODE, columns=columns)
        traversals(Recorder(), CODE, columns=columns, order=[0, 1])


class TestNormalQuantiles:
    def test_equal_probability_from_5_to_95_percent(self):
        expected = scipy.stats.norm.ppf(np.linspace(0.05, 0.95, 7))
        np.testing.assert_allclose(normal_quantiles(7), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([-2, 0, 2], ["-2.0", "0.0", "2.0"]),
        ([-1.5, 0.1, 1.7], ["-1.5", "0.1", "1.7"]),
        ([0.125, 0.25, 0.375], ["0.12", "0.25", "0.38"]),
        # Of a latent that collapsed.
        ([-0.003, 0, 0.003], ["-0.003", "0.000", "0.003"]),
        ([0, 0, 0], ["0.0", "0.0", "0.0"]),
    ],
)
def test_step_labels_tell_their_values_apart(values, labels):
    assert step_labels(np.array(values, float)) == labels


class TestCodeQuantiles:
    def test_even_steps_over_the_range_of_each_latent(self):
        codes = np.stack([np.linspace(0, 1, 101), np.linspace(40, -60, 101)], axis=1)
        expected = [[0.05, 0.5, 0.95], [-55, -10, 35]]
        np.testing.assert_allclose(code_quantiles(codes, 3), expected)

    @pytest.mark.parametrize("codes", [np.zeros(3), np.full((2, 2), np.nan)])
    def test_errors(self, codes):
        with pytest.raises(ArgumentError, match=r"codes must be finite, of shape"):
            code_quantiles(codes)


class TestTraversalFrames:
    def test_a_categorical_tile_goes_through_all_its_values(self):
        decode, columns = Recorder(), [*COLUMNS[:2], category(3)]
        frames = traversal_frames(
            decode, CODE, columns=columns, values=STEPS[6], scale=2
        )
        tiles = [decode.tile(moved(2, value), 2) for value in range(3)]
        shown = [
            [bool(places(frame, tile)) for tile in tiles].index(True)
            for frame in frames
        ]
        assert shown == [0, 0, 1, 1, 2, 2, 2, 1, 1, 0]

    def test_there_and_back_without_a_jump(self):
        decode = Recorder()
        frames = traversal_frames(decode, CODE, values=STEPS[4], num_columns=2, scale=2)
        values = np.linspace(-2, 2, 4)
        steps = [0, 1, 2, 3, 2, 1]
        assert frames.dtype == np.uint8
        assert len(frames) == len(steps)
        places_of = []
        for frame, step in zip(frames, steps, strict=True):
            tiles = [decode.tile(moved(d, values[step]), 2) for d in range(3)]
            places_of.append([place(frame, tile) for tile in tiles])
            assert margins_are_white(frame)
        # No tile moves from frame to frame; the third wraps under the first.
        assert all(place == places_of[0] for place in places_of)
        first, second, third = places_of[0]
        assert first[0] == second[0] < third[0]
        assert first[1] == third[1] < second[1]

    def test_the_way_back_shows_the_same_frames(self):
        frames = traversal_frames(Recorder(), CODE, values=STEPS[5])
        for step in range(1, 4):
            np.testing.assert_array_equal(frames[step], frames[-step])

    def test_notes_and_order(self):
        decode = Recorder()
        frames = traversal_frames(
            decode,
            CODE,
            values=STEPS[2],
            order=[2],
            notes=["", "", ("KL 1", "x")],
            scale=2,
        )
        assert len(frames) == 2
        place(frames[0], decode.tile(moved(2, -2.0), 2))
        assert not places(frames[0], decode.tile(moved(0, -2.0), 2))

    def test_errors(self):
        with pytest.raises(ArgumentError, match="num_columns must be at least 1"):
            traversal_frames(Recorder(), CODE, num_columns=0)


class TestSideBySide:
    def test_panels_share_rows_and_each_moves_its_own_code(self):
        decoders = {"one": Recorder(), "two": Recorder((6, 6, 1))}
        codes = {"one": CODE, "two": -CODE}
        panels = {name: (decoders[name], codes[name]) for name in decoders}
        picture = traversals_side_by_side(
            panels, values=STEPS[3], order=[2, 0], scale=2
        )
        for row, latent in enumerate([2, 0]):
            lefts, heights = [], set()
            for name, code in codes.items():
                for value in STEPS[3]:
                    own = code.copy()
                    own[latent] = value
                    y, x = place(picture, decoders[name].tile(own, 2))
                    lefts.append(x)
                    heights.add(y)
            assert len(heights) == 1 and lefts == sorted(set(lefts)), row
        assert [text.text for text in picture.texts] == ["one", "two", "z2", "z0"]
        assert margins_are_white(picture)

    def test_there_is_at_least_one(self):
        with pytest.raises(ArgumentError, match="panels must have at least one"):
            traversals_side_by_side({})
