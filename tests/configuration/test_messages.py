"""What a refused value is answered: the rule, where it was bound, how gin writes it.

Small parts are built here, not whole runs; `tests/test_errors.py` has those.
"""

import gin
import pytest
import tensorflow as tf

from tf_disentangle import checks, configuration

ERRORS = (checks.ArgumentError, checks.ArgumentTypeError)


def message(name, *bindings):
    configuration.parse([], bindings)
    with pytest.raises(ERRORS) as caught:
        configuration.build(name)
    return str(caught.value)


def test_a_refused_value_is_shown_with_its_binding_file_and_line(tmp_path):
    file = tmp_path / "mine.gin"
    file.write_text("# Comment.\nbeta_vae.beta = -1.0\n")
    configuration.parse([str(file)])
    with pytest.raises(checks.ArgumentError) as caught:
        configuration.build("beta_vae")
    assert str(caught.value) == (
        "beta must be at least 0.0; received -1.0.\n"
        f"  beta_vae.beta = -1.0 ({file}, line 2)"
    )


def test_a_wrong_type_stays_a_type_error():
    configuration.parse([], ["beta_vae.beta = 'four'"])
    with pytest.raises(checks.ArgumentTypeError, match=r"gin_param=.*beta = 'four'"):
        configuration.build("beta_vae")


@gin.register
def pair(left, right):
    return left, right


@gin.register
def positive(value):
    return checks.real(value, "value", above=0.0)


def test_of_several_bindings_that_of_the_call_and_of_its_scope_is_shown():
    said = message(
        "pair",
        "pair.left = @a/positive()",
        "pair.right = @b/positive()",
        "a/positive.value = 1.0",
        "b/positive.value = -2.0",
        "ConstantSchedule.value = 3.0",
    )
    assert said.endswith("\n  --gin_param='b/positive.value = -2.0'")


@gin.register
def takes_parts(thing=None, work=None, things=()):
    """Checks its parts as the library does."""
    remedy = "Pass one."
    if thing is not None:
        checks.require_type(thing, checks.ArgumentError, "thing", remedy)
    rule = "be a function (codes) -> score"
    checks.require(work is None or callable(work), "work", rule, work, remedy)
    checks.require_type(things, (list, tuple), "things", remedy)
    for item in things:
        checks.require_type(item, checks.ArgumentError, "things", remedy)


@pytest.mark.parametrize(
    ("binding", "remedy"),
    [
        ("thing = @elbo", "write @elbo() with its parentheses."),
        ("thing = @Intervals", "write @Intervals() with its parentheses."),
        ("thing = @a/Intervals", "write @a/Intervals() with its parentheses."),
        ("things = [@elbo]", "write @elbo() with its parentheses."),
        ("thing = 'Bernoulli'", "write @Bernoulli() without quotes."),
        ("thing = 'bernoulli'", "write @Bernoulli() without quotes."),
        ("work = @Intervals()", "write @Intervals without parentheses."),
        ("work = 'elbo'", "write @elbo without quotes."),
        # No rule of gin was broken.
        ("things = @elbo", ""),
        ("work = [@elbo]", ""),
        ("thing = @Intervals()", ""),
        ("thing = 3", ""),
        ("thing = 'of nobody'", ""),
    ],
)
def test_gins_way_of_writing_it_is_added_to_pythons_remedy(binding, remedy):
    said = message("takes_parts", f"takes_parts.{binding}")
    assert said.partition("\n")[0].endswith("Pass one.")
    where = f"--gin_param={f'takes_parts.{binding}'!r}"
    assert said.partition("\n")[2] == f"  {where}" + (f": {remedy}" if remedy else "")


def test_a_value_that_is_missing_is_named_with_the_function_that_needs_it():
    said = message("train", "train.callbacks = [@CSVLogger()]")
    assert said.startswith("CSVLogger needs a value for 'filename'. Bind it in")
    assert "--gin_param='CSVLogger.NAME = VALUE'" in said
    assert said.endswith(
        "meant, not what it returns, write @CSVLogger without parentheses."
    )


def test_kerass_refusals_are_shown_with_the_binding_too():
    said = message("Adam", "Adam.learning_rate = -1")
    assert said.startswith("Adam: ")
    assert said.endswith("\n  --gin_param='Adam.learning_rate = -1'")


def test_a_macro_that_refers_to_itself_is_told():
    said = message("elbo", "elbo.likelihood = %a", "a = %a")
    assert said.startswith("the configuration must not refer to itself")


@gin.register
def calls(work):
    """Calls a function as the training calls a metric."""
    return work("data", "encoder")


def test_a_function_of_another_kind_is_told_where_it_was_bound():
    said = message("calls", "calls.work = @elbo")
    assert said.startswith("work must name a function of another kind than elbo; ")
    assert said.endswith("\n  --gin_param='calls.work = @elbo'")


def test_what_memory_cannot_hold_is_told_with_the_function_that_makes_it():
    shape = "OOM when allocating tensor with shape[8,9]"
    for error in (
        MemoryError(shape),
        tf.errors.ResourceExhaustedError(None, None, f"{shape} and type float on CPU"),
    ):
        rule = r"what elbo makes must fit in memory; received OOM .* shape\[8,9\]\.$"
        refused = pytest.raises(checks.ArgumentError, match=rule)
        with refused, configuration.explained("elbo"):
            raise error


def test_faults_that_are_not_of_values_are_left_as_they_are():
    with pytest.raises(ZeroDivisionError), configuration.explained("train"):
        raise ZeroDivisionError
    with pytest.raises(TypeError, match="unhashable"), configuration.explained("elbo"):
        {}[[]]
