"""`tf_disentangle list`: what can be named, and what can be bound to it."""

import importlib
import inspect
import re
import shlex
import subprocess
import sys

import pytest

from tf_disentangle import (
    checks,
    configuration,
    datasets,
    distributions,
    latents,
    metrics,
    models,
    networks,
    objectives,
    priors,
    registry,
    store,
)
from tf_disentangle.cli import kept_listing, pages
from tf_disentangle.cli import list as command
from tf_disentangle.cli.main import main

ROOMS = (datasets, distributions, latents, metrics)
ROOMS += (models, networks, objectives, priors)


@pytest.fixture
def shown(capsys):
    """shown(*options) -> what `list` prints."""

    def run(*options):
        code = main(["list", *options])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return run


def test_everything_is_listed_under_its_kind(shown):
    text = shown()
    for kind, table in registry.PARTS.items():
        block = re.search(rf"^{re.escape(kind)}\n((?:  .*\n)+)", text, re.M | re.I)[1]
        assert sorted(re.findall(r"^  (\w+)", block, re.M)) == sorted(table)
    assert "  chyvae.gin               CHyVAE on CorrelatedEllipses" in text
    assert "  joint_vae_mnist.gin      JointVAE" in text, "those of the papers"


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("priors", "Priors"),
        ("data_sets", "Data sets"),
        ("Data sets", "Data sets"),
        ("datasets", "Data sets"),
        ("dataset", "Data sets"),
        ("kl-terms", "KL terms"),
        ("penalty", "Penalties"),
        ("gan loss", "GAN losses"),
        ("GAN_losses", "GAN losses"),
    ],
)
def test_a_kind_is_listed_alone(name, head, shown):
    text = shown(name)
    assert text.startswith(f"{head}\n")
    assert "beta_vae " not in text


def test_a_part_comes_before_the_kind_of_its_name(shown):
    assert shown("Objective").startswith("Objective (objectives)\n")
    assert shown("objective").startswith("Objectives\n")


@pytest.mark.parametrize(
    "name", ["chyvae.gin", "gin/chyvae.gin", "studies/chyvae_figure_3.gin"]
)
def test_a_gin_file_says_what_it_does(name, shown):
    text = shown(name)
    assert text.startswith("CHyVAE")
    assert "Command:  bin/" in text
    path = configuration.gin_root() / name.removeprefix("gin/")
    assert text.endswith(f"\nFile:     {path}\n")


def test_a_trained_model_shows_its_page(shown):
    for name in store.shipped():
        text = shown(f"{store.PREFIX}{name}")
        assert text.startswith(f"# {name}\n")
        assert "## Scores" in text and f"bin/explore {store.PREFIX}{name}" in text


def test_a_part_shows_what_it_is_how_to_write_it_and_what_it_takes(shown):
    text = shown("beta_tcvae")
    assert text.startswith("beta_tcvae (objectives)\n")
    assert inspect.getdoc(registry.names()["beta_tcvae"]).splitlines()[0] in text
    assert "build_vae.objective = @beta_tcvae()" in text
    assert re.search(r"^  beta +\(required\)|^  beta +=", text, re.M)
    assert re.search(r"^  estimator +=.*'", text, re.M)


def test_so_does_a_study(shown):
    text = shown("study")
    assert "Parameters, bound as study.PARAMETER = VALUE:" in text
    assert re.search(r"^  seeds +=", text, re.M)


def test_what_the_library_sets_stands_apart(shown):
    text = shown("conv_encoder")
    assert re.search(r"^  width +", text, re.M)
    assert not re.search(r"^  (seed|image_shape) ", text, re.M)
    assert "Set by the library: image_shape, num_outputs, " in text


def test_a_keras_class_shows_the_parameters_of_its_bases(shown):
    text = shown("Adam")
    assert re.search(r"^  beta_1 += 0.9", text, re.M)
    assert re.search(r"^  global_clipnorm += None", text, re.M)


@pytest.mark.parametrize("kind", ["metrics", "objectives", "adversarial objectives"])
def test_metrics_and_objectives_name_their_paper(kind):
    for name, part in registry.PARTS[kind].items():
        if not isinstance(part, type):  # Objective is the form that all of them have.
            line = inspect.getdoc(part).splitlines()[0]
            assert re.search(r"[A-Z]\w+.*, (\d{4}|undated)\)", line), name


def test_a_published_set_is_told_how_to_have(shown):
    text = shown("mnist")
    assert "tf_disentangle.datasets.published('mnist')" in text
    assert "bin/data prepare mnist" in text
    configuration.parse([], ["train.data = @published()", "published.name = 'mnist'"])


def test_a_metric_is_known_by_its_short_name(shown):
    text = shown("mig")
    assert text.startswith("mig_score (metrics)")


def test_a_metric_that_is_called_by_its_short_name_is_described_once(shown):
    assert shown("active_units").count("active_units (metrics)") == 1


@pytest.mark.parametrize("name", ["beta_vae", "factor_vae"])
def test_a_part_comes_before_the_metric_of_its_name(name, shown):
    heads = re.findall(rf"^{name}\w* \(.*\)$", text := shown(name), re.M)
    assert heads == [f"{name} (objectives)", f"{name}_score (metrics)"]
    assert text.startswith(heads[0])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("beta_tcvea", "Did you mean beta_tcvae"),
        ("factorvae", "Did you mean factor_vae?"),
        ("FactorVAE", "Did you mean factor_vae?"),
        ("BetaVAE", "Did you mean beta_vae?"),
        ("chyvea.gin", "Did you mean chyvae.gin?"),
        ("store:chyvae_elipses", "Did you mean chyvae_ellipses"),
        ("chyvae_ellipses", "Did you mean store:chyvae_ellipses?"),
        ("chyvae_figure_3", "Did you mean studies/chyvae_figure_3.gin"),
        ("priorz", "priors"),
        ("qwertyuiop", "list shows them"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(name, words, capsys):
    assert main(["list", name]) == 2
    assert words in capsys.readouterr().err


def test_the_parts_of_a_users_module_are_listed(shown, tmp_path, monkeypatch):
    (tmp_path / "my_listed_parts.py").write_text(
        "import gin\n\n@gin.register\ndef my_listed_score(dataset, encode, depth=3):\n"
        "    'Scores by my own lights.'\n"
    )
    (tmp_path / "mine.gin").write_text("import my_listed_parts\n")
    monkeypatch.syspath_prepend(tmp_path)
    file = f"--gin_file={tmp_path / 'mine.gin'}"
    assert re.search(r"  my_listed_score +Scores by my own lights.", shown(file))
    assert re.search(r"^  depth +  = 3", shown("my_listed_score", file), re.M)


@pytest.mark.parametrize("kind", command.USE)
def test_the_line_for_a_gin_file_is_one(kind):
    """It names parts and parameters that there are; the values may be missing."""
    for name in registry.PARTS[kind]:
        configuration.parse([], [command.gin_line(name, kind)])


def test_what_only_infogan_takes_is_given_to_it():
    line = command.gin_line("infogan_pair", "encoders")
    assert line == "build_infogan.encoder = @infogan_pair"
    assert set(command.USE_OF) <= {
        name for part in registry.PARTS.values() for name in part
    }


def test_every_kind_with_parameters_to_set_says_how_it_is_written():
    assert set(registry.PARTS) - set(command.USE) == {"runs"}
    assert set(registry.SUPPLIED) <= set(registry.PARTS)


def test_every_part_can_be_described():
    for kind, table in registry.PARTS.items():
        for name, part in table.items():
            text = command.description(name, kind, part)
            assert text.startswith(f"{name} ({kind})\n\n  "), name
            assert max(map(len, text.splitlines())) <= 110, name


def test_every_example_is_a_command_that_parses():
    """Its gin file has the part; its binding names a parameter, with its default."""
    examples = {}
    for kind, table in registry.PARTS.items():
        for name, part in table.items():
            bindable = configuration.parameters(part)
            shown = command.example(name, kind, bindable)
            if shown and kind not in registry.KERAS:
                examples[name] = shown.split(" ", 1)
    assert {"beta_tcvae", "mig_score", "DSprites", "GaussianLatents"} <= set(examples)
    for name, (program, options) in examples.items():
        values = shlex.split(options)
        files = [v.split("gin/")[1] for v in values if v.startswith("--gin_file=")]
        params = [v.split("=", 1)[1] for v in values if v.startswith("--gin_param=")]
        assert program in ("bin/train", "bin/evaluate", "bin/data"), name
        configuration.parse(files, params)


def test_a_part_says_where_python_finds_it_and_where_the_guide_tells_of_it(shown):
    text = shown("beta_tcvae")
    assert "In Python:      tf_disentangle.objectives.beta_tcvae\n" in text
    assert text.endswith("The guide:  tf_disentangle help which_model\n")
    for name, part in registry.names().items():
        place = command.in_python(name, part)
        if place:
            *room, attribute = place.split(".")
            assert hasattr(importlib.import_module(".".join(room)), attribute)


def test_the_guide_has_the_pages_that_are_named():
    assert set(command.PAGES.values()) <= set(pages.pages())
    assert set(command.PAGES) <= {*registry.PARTS, "studies"}


def test_every_parameter_of_ours_is_described():
    silent = [
        f"{name}.{parameter}"
        for kind, table in registry.PARTS.items()
        if kind not in registry.KERAS
        for name, part in table.items()
        for parameter in configuration.parameters(part)
        if parameter not in registry.SUPPLIED.get(kind, ())
        and not command.arguments_of(part).get(parameter)
    ]
    assert silent == []


def test_a_docstring_gives_the_first_sentence_of_each_argument():
    def function(one, two):
        """Does it.

        Args:
            one: The first, e.g. 3,
                over two lines. And more.
            two (int): Counts.

        Returns:
            three: Not an argument.
        """

    assert command.arguments_of(function) == {
        "one": "The first, e.g. 3, over two lines.",
        "two": "Counts.",
    }


def test_every_table_of_a_room_is_in_the_registry():
    """So that a part that is added to its room's table is known to gin at once."""
    named = list(registry.names().values())
    tables = [getattr(r, name) for r in ROOMS for name in r.__all__ if name.isupper()]
    tables = [table for table in tables if isinstance(table, dict)]
    parts = [getattr(part, "on_data", part) for t in tables for part in t.values()]
    parts = [part for part in parts if callable(part)]
    assert len(parts) > 80
    assert [part for part in parts if part not in named] == []


def test_names_are_unique():
    names = [name for table in registry.PARTS.values() for name in table]
    assert len(names) == len(set(names))
    assert registry.kind_of("elbo") == "objectives"
    assert registry.kind_of("nothing") == ""
    with pytest.raises(checks.ArgumentError):
        configuration.parse([], ["nothing.beta = 3"])


class TestKeptListing:
    """What was listed once is kept, so that the next call starts no TensorFlow."""

    @pytest.fixture(autouse=True)
    def own_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path))
        # gin still knows what another test has registered.
        monkeypatch.setattr(command.configuration, "users_parts", dict)

    def test_the_second_call_says_the_same_without_tensorflow(self, shown):
        first = shown()
        code = (
            "import sys; from tf_disentangle.cli.main import main; "
            "code = main(['list']); sys.modules.get('tensorflow') and sys.exit(9); "
            "sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode() == first

    def test_it_holds_until_a_file_of_the_library_changes(self, shown, monkeypatch):
        shown("mig")
        assert "mig_score" in kept_listing.read(kept_listing.state())["parts"]
        monkeypatch.setattr(kept_listing, "state", lambda: "of another version")
        assert kept_listing.read("of another version") is None
        assert shown("mig").startswith("mig_score (metrics)")
        assert kept_listing.read("of another version")["metrics"]

    def test_what_changes_while_it_is_collected_is_not_kept_as_current(
        self, shown, monkeypatch
    ):
        states = iter(["before", "after"])
        monkeypatch.setattr(kept_listing, "state", lambda: next(states))
        empty = {"kinds": {}, "parts": {"part": "what it is"}, "metrics": []}
        monkeypatch.setattr(command, "_listing", lambda gin_files: empty)
        shown("part")
        assert kept_listing.read("before") == empty
        assert kept_listing.read(kept_listing.state()) is None

    def test_what_the_state_is_of(self, tmp_path, monkeypatch):
        for folder in ("package", "gin/studies"):
            (tmp_path / folder).mkdir(parents=True)
        monkeypatch.setattr(kept_listing, "_PACKAGE", tmp_path / "package")
        monkeypatch.setattr(
            kept_listing.configuration, "gin_root", lambda: tmp_path / "gin"
        )
        seen = {kept_listing.state()}
        for file in ("package/a.py", "gin/vae.gin", "gin/studies/grid.gin"):
            for text in ("one = 1\n", "one = 10\n"):
                (tmp_path / file).write_text(text)
                assert kept_listing.state() not in seen
                seen.add(kept_listing.state())
        (tmp_path / "gin" / "notes.txt").write_text("of no account")
        assert kept_listing.state() in seen

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"of": 1}', b"\xff"])
    def test_a_damaged_file_is_as_none(self, text):
        empty = {"kinds": {}, "parts": {}, "metrics": []}
        kept_listing.write(empty, "state")
        assert kept_listing.read("state") == empty
        text = text if isinstance(text, bytes) else text.encode()
        kept_listing._file().write_bytes(text)
        assert kept_listing.read("state") is None

    def test_a_folder_that_cannot_be_written_is_no_error(
        self, shown, tmp_path, monkeypatch
    ):
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "file"))
        assert shown("mig").startswith("mig_score (metrics)")
        assert kept_listing.read(kept_listing.state()) is None

    def test_a_users_parts_are_not_kept(self, shown, tmp_path, monkeypatch):
        monkeypatch.setattr(
            command.configuration, "users_parts", lambda: {"mine": inspect.getdoc}
        )
        assert "Parts of your modules\n  mine" in shown()
        assert kept_listing.read(kept_listing.state()) is None
