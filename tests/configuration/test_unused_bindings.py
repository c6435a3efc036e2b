"""A binding without effect is an error where the user wrote it, else it is listed.

A schedule inside an objective is built here, not a whole run.
"""

import re

import gin
import pytest

from tf_disentangle import checks, configuration
from tf_disentangle.configuration import locations

USED = "beta_vae.beta = @ConstantSchedule()\nConstantSchedule.value = 4\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def used_up(text, *bindings, name="mine.gin"):
    """Parses and builds a file of this text; returns what `drop_unused` does."""
    with open(name, "w") as file:
        file.write(text)
    configuration.parse([name], bindings)
    configuration.build("beta_vae")
    return configuration.drop_unused()


UNUSED = {
    "another part": "annealed_vae.gamma = 4",
    "set by the caller": "beta_vae.beta = 3.0",
    "scope": "other/ConstantSchedule.value = 8.0",
    "macro": "value = 300",
    "macro of what is not used": "factor = 2.0\nannealed_vae.gamma = %factor",
    "keras": "keras.optimizers.SGD.momentum = 0.9",
}


@pytest.mark.parametrize("binding", UNUSED.values(), ids=UNUSED)
def test_it_is_an_error_in_the_file_that_was_named_and_on_the_command_line(binding):
    used = "ConstantSchedule.value = 4\n"
    name = binding.split(" =")[0].removeprefix("keras.optimizers.")

    def build():
        configuration.build("beta_vae", beta=1.0)
        configuration.build("ConstantSchedule")
        return configuration.drop_unused()

    with open("mine.gin", "w") as file:
        file.write(f"{used}{binding}\n")
    configuration.parse(["mine.gin"])
    with pytest.raises(
        checks.ArgumentError, match=rf"{re.escape(name)}.*\(mine.gin, line 2"
    ):
        build()
    configuration.parse([], [used, *binding.splitlines()])
    with pytest.raises(checks.ArgumentError, match=f"gin_param=.*{re.escape(name)}"):
        build()


def test_each_of_them_is_named_with_the_reason():
    with pytest.raises(checks.ArgumentError) as caught:
        used_up(
            f"{USED}annealed_vae.gamma = 4.0\nvalue = 8\n",
            "a/ConstantSchedule.value = 3.0",
        )
    assert str(caught.value) == (
        "every binding must be used; received 3 bindings that nothing in this run "
        "uses:\n"
        "  annealed_vae.gamma = 4.0 (mine.gin, line 3): annealed_vae is not part of "
        "this run, since no @annealed_vae is in use.\n"
        "  --gin_param='a/ConstantSchedule.value = 3.0': nothing refers to "
        "@a/ConstantSchedule.\n"
        "  value = 8 (mine.gin, line 4): there is no %value anywhere. Did you mean "
        "ConstantSchedule.value?"
    )


def test_what_an_included_file_binds_is_dropped_and_listed(here):
    (here / "part.gin").write_text("annealed_vae.gamma = 4.0\n\nSGD.momentum = 0.5\n")
    text = f"include 'part.gin'\ninclude 'training/default.gin'\n{USED}"
    mine, librarys = used_up(text)
    assert mine == "annealed_vae.gamma, SGD.momentum (part.gin)"
    assert librarys.startswith("train.optimizer, Adam.learning_rate, train.seed")
    assert librarys.endswith(" (training/default.gin)")
    # So what is written has no binding without effect, whoever reads it.
    config = configuration.with_defaults()
    assert "momentum" not in config
    assert used_up(config, name="config.gin") == []


def test_so_is_what_the_library_wrote_even_if_it_was_named(here, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(locations, "gin_root", lambda: here)
        listed = used_up(f"{USED}annealed_vae.gamma = 4.0\n")
    assert listed == ["annealed_vae.gamma (mine.gin)"]
    (here / "run.json").write_text("{}")
    text = f"{USED}annealed_vae.gamma = 4.0\n"
    listed = used_up(text, name="config.gin")
    assert listed == ["annealed_vae.gamma (config.gin)"]
    (here / "run.json").unlink()
    with pytest.raises(checks.ArgumentError, match=r"config.gin, line 3"):
        used_up(text, name="config.gin")


def test_a_later_binding_may_replace_an_earlier_one(here):
    (here / "part.gin").write_text("ConstantSchedule.value = 2\n")
    text = f"include 'part.gin'\n{USED}"
    assert used_up(text, "ConstantSchedule.value = 8") == []
    assert "ConstantSchedule.value = 8" in configuration.with_defaults()


def test_bindings_that_are_used_are_no_error():
    assert (
        used_up("""
beta_vae.beta = @slow/ConstantSchedule()
slow/ConstantSchedule.value = %long
long = @end/singleton()
end/singleton.constructor = @takes_it_all
takes_it_all.value = 3.0
beta_vae.likelihood = @Bernoulli()
""")
        == []
    )


@gin.register
def takes_it_all(value=1.0):
    return value


@gin.register
def passes_on(later=None):
    return later


@gin.configurable
def called_by_python(value=1):
    return value


def test_what_is_passed_on_may_be_called_later():
    configuration.parse(
        [],
        [
            "passes_on.later = [@factor_vae_score, @a/factor_vae_score, %LAST]",
            "LAST = @LambdaCallback",
            "factor_vae_score.seed = %SEED",
            "SEED = 3",
            "a/factor_vae_score.protocol = 'dlib'",
            "LambdaCallback.on_epoch_end = @CSVLogger",
            "CSVLogger.filename = 'log.csv'",
        ],
    )
    configuration.build("passes_on")
    assert configuration.unused_bindings() == []


def test_bindings_that_are_asked_for_are_used():
    configuration.parse([], ["mig_score.num_bins = 7", "sap_score.seed = 3"])
    assert configuration.bindings("mig_score") == {"num_bins": 7}
    assert configuration.bindings("dci_score") == {}
    unused = configuration.unused_bindings()
    assert [key.function for key in unused] == ["sap_score"]


def test_what_any_python_code_calls_may_have_bindings(monkeypatch):
    import sys

    # The tests' modules are not in sys.modules, where a user's module is.
    module = type(sys)(called_by_python.__module__)
    module.called_by_python = called_by_python
    monkeypatch.setitem(sys.modules, called_by_python.__module__, module)
    assert used_up(f"{USED}called_by_python.value = 2\n") == []
    # @gin.register gives its values through references only, and there is none.
    with pytest.raises(checks.ArgumentError, match=r"takes_it_all.value = 2"):
        used_up(f"{USED}takes_it_all.value = 2\n")
