"""What `train` prints at its end."""

import pathlib
import types

import pytest

from tf_disentangle.cli.train import _number, _print_summary
from tf_disentangle.training import RunFolder


def test_commands_to_go_on_can_be_typed_as_they_stand(tmp_path, capsys):
    folder = RunFolder(tmp_path / "my runs" / "a")
    folder.path.mkdir(parents=True)
    folder.describe(wall_seconds=1.0)
    scores = {"mig": types.SimpleNamespace(score=0.5)}
    about = {"step": 3, "steps": 3, "terms": {}, "history": [], "scores": scores}
    run = types.SimpleNamespace(folder=folder, signal=None, **about)
    _print_summary(run)
    told = capsys.readouterr().out
    path = pathlib.Path(folder.path)
    again = f"bin/train --gin_file='{path}/config.gin' --output='{path}'"
    for line in (
        f"{again} --gin_param='train.steps=6'",
        f"bin/evaluate '{path}' --bounds",
        f"bin/export '{path}'",
        f"--logdir='{path.parent}'",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.001, "0.00"), (0.0, "0.00"), (-0.006, "-0.01"), (1234.5, "1234.50")],
)
def test_zero_has_no_sign(value, text):
    assert _number(value) == text
