"""Every error says argument, rule, value and remedy, in one form."""

import numpy as np
import pytest

from tf_disentangle import checks

VECTORS = np.ones((3, 1, 1, 4), np.float32)


def test_message_has_one_form():
    with pytest.raises(ValueError) as caught:
        checks.require(False, "nu", "be greater than 9", 5.0, "Raise nu.")
    assert str(caught.value) == "nu must be greater than 9; received 5.0. Raise nu."
    checks.require(True, "nu", "be greater than 9", 10.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: checks.integer(0, "n", at_least=1),
            "n must be at least 1; received 0",
        ),
        (lambda: checks.integer(1.5, "n", at_least=1), "n must be int; received 1.5"),
        (lambda: checks.integer(1e5, "n", at_least=1), "Write 100000, without a point"),
        (lambda: checks.integer(True, "n", at_least=0), "received True"),
        (lambda: checks.real(float("inf"), "x"), "x must be finite"),
        (lambda: checks.real(0, "x", above=0.0), "x must be greater than 0.0"),
        (lambda: checks.real(2.0, "x", at_most=1.0), "x must be at most 1.0"),
        (lambda: checks.real(-1.0, "x", at_least=0.0), "x must be at least 0.0"),
        (lambda: checks.real("1", "x"), "x must be int or float"),
        (lambda: checks.one_of("ful", ("full", "diagonal"), "c"), "Did you mean full?"),
        (lambda: checks.one_of(3, ("full",), "c"), "c must be one of 'full'"),
        (lambda: checks.image_shape((64, 64)), "three positive integers"),
        (lambda: checks.image_shape((64, 0, 1)), "three positive integers"),
        (lambda: checks.image_shape((64, 64, None)), "received (64, 64, None)"),
        (lambda: checks.image_shape((64, 64, np.inf)), "three positive integers"),
        (lambda: checks.image_shape((64, 64.5, 1)), "three positive integers"),
        (lambda: checks.seed(-1), "seed must be at least 0; received -1"),
        (lambda: checks.seed(2**31), "seed must be less than 2**31"),
        (lambda: checks.seed(1.5, "other"), "other must be int"),
        (lambda: checks.uint8_images(np.zeros((4, 4, 1))), "Add an axis"),
        (lambda: checks.uint8_images(np.zeros((1, 4, 4, 1))), "np.round"),
        (lambda: checks.images_or_vectors(np.zeros((1, 4, 4, 1))), "np.round"),
        (
            lambda: checks.images_or_vectors(np.zeros((3, 1, 1, 4))),
            "astype(np.float32)",
        ),
        (lambda: checks.images_or_vectors(VECTORS * np.inf), "images must be finite"),
    ],
)
def test_errors(call, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError)) as caught:
        call()
    assert words in str(caught.value)


def test_values_that_fit_come_back_as_plain_python():
    assert type(checks.integer(np.int64(3), "n", at_least=1)) is int
    assert type(checks.real(np.float32(0.5), "x")) is float
    assert checks.image_shape(np.array([4, 4, 1])) == (4, 4, 1)
    assert checks.image_shape((4.0, 4, 1)) == (4, 4, 1)
    assert checks.seed(np.uint32(2**31 - 1)) == 2**31 - 1
    assert checks.uint8_images(np.zeros((1, 2, 2, 1), np.uint8)).shape == (1, 2, 2, 1)


def test_images_of_one_pixel_are_vectors():
    assert checks.is_vector((1, 1, 5)) and not checks.is_vector((1, 2, 5))
    assert checks.images_or_vectors(VECTORS) is VECTORS
    images = np.zeros((2, 4, 4, 1), np.uint8)
    assert checks.images_or_vectors(images) is images


def test_nearest_suggests_or_lists():
    assert checks.nearest("stepz", ["steps", "seed"]) == "Did you mean steps?"
    assert checks.nearest("qqq", ["b", "a"]) == "Known: a, b."


def test_accepts_reads_the_signature_and_calls_nothing():
    def raises(dataset, encode, *, seed=0):
        raise AssertionError

    assert checks.accepts(raises, 1, 2)
    assert checks.accepts(raises, 1, encode=2, seed=3)
    assert checks.accepts(raises, 1), "others may come from gin"
    assert not checks.accepts(raises, 1, 2, 3)
    assert not checks.accepts(raises, 1, 2, sead=3)
    assert not checks.accepts("raises", 1, 2)
    assert checks.accepts(max, 1, 2), "a function without a signature"


def test_what_was_received_is_shown_without_addresses():
    class Thing:
        pass

    shown = [Thing, Thing(), len, np.float64(2.5), "x" * 400]
    texts = [checks.message("a", "be b", value) for value in shown]
    assert [text.split("received ")[1] for text in texts[:4]] == [
        "the class Thing.",
        "a Thing.",
        "the function len.",
        "2.5.",
    ]
    assert len(texts[4]) < 340


def test_known_options_names_the_nearest_and_what_was_called():
    def plot(*, latents=(), seed=0):
        raise AssertionError

    checks.known_options(plot, ["seed", "latents"])
    with pytest.raises(TypeError, match=r"^plot.* 'latent'\. Did you mean latents"):
        checks.known_options(plot, ["seed", "latent"])
    with pytest.raises(TypeError, match=r"^draw\(\) got .* 'qqq'\.$"):
        checks.known_options(plot, ["qqq"], "draw")
