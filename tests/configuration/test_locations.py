"""Where bindings stand, and which of them the user wrote."""

import pathlib

import pytest

from tf_disentangle import configuration
from tf_disentangle.configuration.locations import (
    Key,
    Origin,
    Source,
    described,
    origins,
)


def test_each_binding_has_its_file_its_line_and_what_includes_it(tmp_path):
    (tmp_path / "inner.gin").write_text("\nbeta_vae.beta = 4.0\n")
    outer = tmp_path / "outer.gin"
    outer.write_text("# Comment.\ninclude 'inner.gin'\ntrain.seed = 3\n")
    configuration.parse([str(outer)], ["width = 8"])
    where = {key.parameter: described(key) for key in origins}
    assert where == {
        "beta": f"beta_vae.beta = 4.0 (inner.gin, line 2, included by {outer}, line 2)",
        "seed": f"train.seed = 3 ({outer}, line 3)",
        "value": "--gin_param='width = 8'",
    }


def test_a_long_value_is_cut_where_it_is_described(tmp_path):
    file = tmp_path / "mine.gin"
    file.write_text(f"train.data = {list(range(100))}\n")
    configuration.parse([str(file)])
    (text,) = map(described, origins)
    assert "16... (" in text and len(text) < 100 + len(str(file))


def test_a_key_knows_its_function():
    assert Key("a", "keras.optimizers.Adam", "beta_1").function == "Adam"
    assert Key("", "train", "seed").function == "train"


@pytest.fixture
def run(tmp_path):
    """A run's configuration, written by the library."""
    (tmp_path / "run.json").write_text("{}")
    return tmp_path / "config.gin"


def test_the_user_wrote_the_command_line_and_the_files_that_they_name(run, tmp_path):
    mine = tmp_path / "mine.gin"
    assert Source("--gin_param='a = 1'").is_users
    assert Source("mine.gin", mine).is_users
    assert Source("config.gin", pathlib.Path("elsewhere/config.gin")).is_users
    included = Source("b.gin", tmp_path / "b.gin", Origin(Source("", mine), 1, ""))
    assert not included.is_users
    assert not Source("vae.gin", configuration.gin_root() / "vae.gin").is_users
    assert not Source("config.gin", run).is_users
