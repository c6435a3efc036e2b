"""Which file is read, which binding wins, and what reading refuses."""

import pytest

from tf_disentangle import checks, configuration
from tf_disentangle.configuration import reading


def text():
    return configuration.with_defaults().split("# All values")[0]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder is the test's own, and modules are imported from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_an_include_means_the_librarys_file_whatever_lies_here(here):
    decoy = here / "datasets" / "correlated_ellipses.gin"
    decoy.parent.mkdir()
    decoy.write_text("train.steps = 'decoy'\n")
    configuration.parse(["chyvae.gin"])
    assert "decoy" not in text()


def test_a_file_here_wins_over_the_librarys_of_that_name(here):
    (here / "vae.gin").write_text("train.steps = 123\n")
    configuration.parse(["vae.gin"])
    assert "train.steps = 123" in text()
    assert "GaussianLatents" not in text()


def test_in_a_users_file_an_include_means_the_file_beside_it(here):
    (here / "mine").mkdir()
    (here / "mine" / "beta_vae.gin").write_text("train.steps = 123\n")
    (here / "mine" / "outer.gin").write_text("include 'beta_vae.gin'\n")
    configuration.parse(["mine/outer.gin"])
    assert "train.steps = 123" in text()
    assert "beta_vae.beta" not in text()


def test_in_a_users_file_of_the_same_name_it_means_the_librarys(here):
    (here / "mine").mkdir()
    own = "include 'beta_vae.gin'\ntrain.steps = 123\n"
    (here / "mine" / "beta_vae.gin").write_text(own)
    (here / "mine" / "outer.gin").write_text("include 'beta_vae.gin'\n")
    configuration.parse(["mine/outer.gin"])
    assert "train.steps = 123" in text()
    assert "beta_vae.beta = " in text()


def test_lines_are_counted_as_an_editor_does(here):
    """Not at U+2028, the other end of a line that Python's `splitlines` knows."""
    lines = "train.seed = 1\n# a\u2028b\ntrain.steps = [1,\n"
    (here / "mine.gin").write_text(lines, encoding="utf-8")
    with pytest.raises(checks.ArgumentError, match=r"line 3: .*received 'train"):
        configuration.parse(["mine.gin"])


def test_an_include_beside_the_including_file_is_found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "common.gin").write_text("train.steps = 123\n")
    (folder / "mine.gin").write_text("include 'common.gin'\n")
    configuration.parse([str(folder / "mine.gin")])
    assert "train.steps = 123" in text()


def test_what_is_written_reads_again_as_the_same(here):
    configuration.parse(["chyvae.gin"], ["train.steps = 7", "train.metrics = ['mig']"])
    written = text()
    assert "train.metrics = [@mig_score]" in written
    (here / "config.gin").write_text(written)
    configuration.parse(["config.gin"])
    assert text() == written


def test_the_last_file_and_then_the_command_line_win(here):
    (here / "first.gin").write_text("train.steps = 1\ntrain.seed = 1\n")
    (here / "second.gin").write_text("train.steps = 2\n")
    files = ["first.gin", "second.gin", "second.gin"]
    configuration.parse(files, ["train.seed = 4", "train.seed = 5"])
    assert "train.steps = 2" in text()
    assert "train.seed = 5" in text()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("train.steps = 2\ninclude 'first.gin'", "line 1: .*Put the include first"),
        ("train.steps = 2\n\ntrain.steps = 2", "line 1: .*gin, line 3. Remove one"),
    ],
)
def test_a_setting_is_never_lost_unseen(lines, words, here):
    (here / "first.gin").write_text("train.steps = 1\n")
    (here / "second.gin").write_text(f"{lines}\n")
    with pytest.raises(checks.ArgumentError, match=f"second.gin, {words}"):
        configuration.parse(["second.gin"])


def test_files_are_utf_8_whatever_the_locale_is(here):
    (here / "mine.gin").write_bytes("\ufeff# Grüße\ntrain.steps = 3\n".encode())
    configuration.parse(["mine.gin"])
    assert "train.steps = 3" in text()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("['mig', 'factor_vae']", "[@mig_score, @factor_vae_score]"),
        ("('unified',)", "(@unified_scores,)"),
        ("['mig_score', @sap_score]", "[@mig_score, @sap_score]"),
        ("['of_nobody', 'elbo']", "['of_nobody', 'elbo']"),
        ("'mig'", "'mig'"),
    ],
)
def test_metrics_by_name_are_the_configured_ones(written, read):
    """An objective's name is no metric's: factor_vae is both, elbo an objective's."""
    configuration.parse([], [f"train.metrics = {written}"])
    assert f"train.metrics = {read}" in text().replace("\\\n    ", "")


@pytest.mark.parametrize(
    ("file", "binding", "words"),
    [
        ("chyvea.gin", "", "Did you mean chyvae.gin"),
        ("studies/chyvae_smal.gin", "", "Did you mean studies/chyvae_small.gin"),
        ("gin/studies/joint_va.gin", "", "Did you mean .*studies/joint_vae.gin"),
        ("chyvae.gin", "beta_va.beta = 3", "Did you mean beta_vae"),
        ("chyvae.gin", "train.stepz = 3", "Did you mean steps"),
        ("chyvae.gin", "InverseWishartPrior.sgima0 = 3", "Did you mean sigma0"),
        ("chyvae.gin", "train.optimizer = @Adma", "Did you mean Adam"),
        ("chyvae.gin", "Adam.learnin_rate = 0.1", "Did you mean learning_rate"),
        ("chyvae.gin", "train.steps = %nope", "must be defined, by a line nope ="),
        ("chyvae.gin", "train.steps = 2 * 3", "end after one value"),
        # Python 3.11 meets no value, later ones the end of the text.
        ("chyvae.gin", "train.steps = \\", "the (value must be a number|line must)"),
        ("chyvae.gin", "(", "gin_param='\\('"),
    ],
)
def test_a_mistake_is_named_with_the_nearest_names(file, binding, words):
    with pytest.raises(checks.ArgumentError, match=words):
        configuration.parse([file], [binding] if binding else [])


def test_a_mistake_is_named_with_the_file_the_line_and_what_includes_it(here):
    (here / "inner.gin").write_text("\ntrain.stepz = 3\n")
    (here / "outer.gin").write_text("include 'inner.gin'\n")
    where = "inner.gin, line 2, included by outer.gin, line 1"
    with pytest.raises(checks.ArgumentError, match=where):
        configuration.parse(["outer.gin"])


PARTS = """
import gin

@gin.register
def my_answer(value=42):
    "Returns the value."
    return value
"""


def test_the_parts_of_a_users_module_are_known_by_name(here):
    (here / "my_answers.py").write_text(PARTS)
    (here / "mine.gin").write_text("import my_answers\nmy_answer.value = 43\n")
    configuration.parse(["mine.gin"])
    assert configuration.build("my_answer") == 43
    assert "my_answer" in configuration.users_parts()
    assert not {"elbo", "Adam", "macro"} & set(configuration.users_parts())
    assert configuration.modules() == {"my_answers": here / "my_answers.py"}
    configuration.parse([])
    assert configuration.configured("my_answer")() == 42


def test_a_file_in_a_folder_of_the_librarys_is_found_by_its_name(here):
    with pytest.raises(checks.ArgumentError) as error:
        configuration.parse(["locatello_2019.gin"])
    assert str(error.value).endswith("Did you mean studies/locatello_2019.gin?")


def test_a_path_as_the_pages_write_it_means_the_librarys_file_elsewhere(here):
    assert (
        reading.named_file("gin/vae.gin").path == configuration.gin_root() / "vae.gin"
    )
    (here / "gin").mkdir()
    (here / "gin" / "vae.gin").write_text("")
    assert reading.named_file("gin/vae.gin").path == here / "gin" / "vae.gin"


def test_parts_can_be_registered_after_a_configuration_was_read(here):
    """As when a notebook has run a study and then defines a prior of its own."""
    configuration.parse([])
    namespace = {"__name__": "__main__"}
    exec(PARTS.replace("my_answer", "my_late_answer"), namespace)
    configuration.parse([], ["my_late_answer.value = 44"])
    assert configuration.build("my_late_answer") == 44


def test_gins_dynamic_registration_works_too(here):
    head = "from __gin__ import dynamic_registration\n"
    (here / "mine.gin").write_text(
        f"{head}from tf_disentangle import objectives\nobjectives.beta_vae.beta = 7.0\n"
    )
    configuration.parse(["mine.gin"])
    assert configuration.build("beta_vae").kl_term.beta == 7.0
    (here / "mine.gin").write_text(f"{head}nobody.steps = 3\n")
    with pytest.raises(checks.ArgumentError, match="line 2: 'nobody' was not provided"):
        configuration.parse(["mine.gin"])
