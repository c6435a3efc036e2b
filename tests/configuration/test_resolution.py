"""What files come to, against what gin itself has after reading them."""

import subprocess
import sys

import gin
import pytest

from tf_disentangle import checks, configuration
from tf_disentangle.configuration import Resolved

FILES = sorted(
    str(path.relative_to(configuration.gin_root()))
    for folder in (".", "papers", "datasets")
    for path in (configuration.gin_root() / folder).glob("*.gin")
)


def bound():
    """Returns what gin has bound, text by name, without macros."""
    return {
        f"{scope}/{selector.rsplit('.', 1)[-1]}.{name}".lstrip("/"): repr(value)
        for (scope, selector), values in gin.config._CONFIG.items()
        for name, value in values.items()
        if selector != "gin.macro"
    }


def short(bindings):
    names = {configuration.short_name(name): name for name in bindings}
    return {name: bindings[full] for name, full in names.items()}


@pytest.mark.parametrize("file", FILES)
def test_files_come_to_what_gin_makes_of_them(file):
    resolved = configuration.resolved([file])
    configuration.parse([file])
    expected = bound()
    assert short(resolved.bindings).keys() == expected.keys()
    configuration.parse([], text=resolved.text())
    # Without macros and with our own metrics named alike.
    if "%" not in "".join(expected.values()):
        assert bound() == expected


def test_gin_understands_the_text_of_every_kind_of_value(tmp_path):
    file = tmp_path / "mine.gin"
    file.write_text(
        "include 'vae.gin'\n"
        "steps = 30\n"
        "names = ['mig', %other]\n"
        "other = 'sap'\n"
        "train.steps = %steps\n"
        "train.metrics = %names\n"
        "a/beta_vae.beta = -1e-3\n"
        "train.callbacks = [@TerminateOnNaN(), (1, None), {'a': @a/beta_vae}]\n"
    )
    bindings = configuration.resolved([str(file)]).bindings
    assert bindings["train.steps"] == "30"
    assert bindings["train.metrics"] == "['mig', 'sap']"
    assert bindings["a/beta_vae.beta"] == "-0.001"
    assert bindings["train.callbacks"] == (
        "[@TerminateOnNaN(), (1, None), {'a': @a/beta_vae}]"
    )
    assert "steps" not in bindings
    configuration.parse([], text=configuration.resolved([str(file)]).text())
    assert bound()["train.callbacks"] == bindings["train.callbacks"]


def test_the_checksum_is_of_the_meaning_and_not_of_the_layout(tmp_path):
    one, two, three = (tmp_path / f"{n}.gin" for n in ("one", "two", "three"))
    one.write_text("include 'vae.gin'\n# A note.\nbeta_vae.beta = 4\ntrain.steps = 7\n")
    two.write_text("b = 4\ntrain.steps = 7\nmodels.beta_vae.beta = %b\n")
    three.write_text("include 'vae.gin'\nbeta_vae.beta = 5\ntrain.steps = 7\n")
    checksums = [
        configuration.resolved(files).checksum()
        for files in ([str(one)], ["vae.gin", str(two)], [str(three)])
    ]
    assert checksums[0] == checksums[1] != checksums[2]
    later = configuration.resolved([str(three)]).changed({"beta_vae.beta": "4"})
    assert later.checksum() == checksums[0]
    assert len(checksums[0]) == 12 and int(checksums[0], 16) >= 0


def test_what_does_not_count_is_left_out_of_the_checksum():
    one = Resolved({"train.steps": "3", "mig_score.num_train": "5"})
    two = Resolved({"train.steps": "3", "train.metrics": "['mig']"})
    assert one.checksum() != two.checksum()
    left_out = {"mig_score", "train.metrics"}
    assert one.checksum(left_out) == two.checksum(left_out)
    assert one.differences(two) == [
        "mig_score.num_train: was 5, is None",
        "train.metrics: was None, is ['mig']",
    ]


def test_imports_count(tmp_path):
    file = tmp_path / "mine.gin"
    file.write_text("import my_parts\ntrain.data = @Mine()\n")
    resolved = configuration.resolved([str(file)])
    assert resolved.imports == ("import my_parts",)
    assert resolved.text().startswith("import my_parts\n")
    assert resolved.checksum() != Resolved(resolved.bindings).checksum()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train.steps = 3 +\n", "line 1: "),
        ("\ntrain.steps == 3\n", "line 2: "),
        ("include 'vea.gin'\n", "Did you mean vae.gin"),
    ],
)
def test_mistakes_are_told_with_their_line(text, words, tmp_path):
    file = tmp_path / "mine.gin"
    file.write_text(text)
    with pytest.raises(checks.ArgumentError, match=words):
        configuration.resolved([str(file)])


def test_arguments_of_a_function_are_read_without_calling_anything(tmp_path):
    file = tmp_path / "mine.gin"
    file.write_text(
        "many = [1, 2]\nstudy.seeds = 3\n"
        "study.grid = {('a.b', 'c.d'): [(1, @elbo())], 'e.f': %many}\n"
    )
    found = configuration.arguments(str(file), "study", ["grid", "seeds"])
    assert found["seeds"] == 3
    assert found["grid"] == {("a.b", "c.d"): [(1, "@elbo()")], "e.f": [1, 2]}
    assert configuration.arguments("vae.gin", "study", ["grid"]) == {}
    with pytest.raises(checks.ArgumentError, match="Did you mean seed"):
        configuration.arguments(str(file), "study", ["grid", "seed"])
    file.write_text("study.seeds = 3\ntrain.steps = 4\n")
    with pytest.raises(checks.ArgumentError, match=r"train.steps in .* must be a bind"):
        configuration.arguments(str(file), "study", ["seeds"])


def test_it_needs_no_tensorflow():
    code = (
        "import sys; from tf_disentangle import configuration as c; "
        "c.resolved(['chyvae.gin']); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
