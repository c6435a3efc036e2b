"""What describes a run: what may not change on the way, and the user's modules."""

import functools
import json
import sys

import keras
import pytest

import tf_disentangle
from tests.training.small import narrow, run
from tf_disentangle import checks, configs, metrics
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.networks import conv_encoder, mlp_encoder
from tf_disentangle.objectives import beta_vae
from tf_disentangle.priors import StudentTProductPrior
from tf_disentangle.training import Device, Intervals, description


def other(objective=None, df=None):
    prior = None if df is None else StudentTProductPrior(df)
    latents = None if df is None else GaussianLatents(prior=prior)
    return functools.partial(narrow, objective=objective, latents=latents)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 4}, "training.batch_size: was 8, is 4"),
        ({"seed": 1}, "training.seed: was 0, is 1"),
        # A run from Python once went on with images held out that it had trained on.
        ({"validation_size": 32}, "training.validation_size: was 16, is 32"),
        ({"with_replacement": True}, "with_replacement: was False, is True"),
        ({"device": Device(jit_compile=True)}, "jit_compile: was False, is True"),
        ({"optimizer": lambda: keras.optimizers.Adam(0.1)}, "optimizer.*learning_rate"),
        ({"model": other(beta_vae(2.0))}, "beta: was 1.0, is 2.0"),
        ({"model": other(df=5.0)}, "prior.*StandardNormalPrior.*StudentT"),
        (
            {"model": functools.partial(narrow, encoder=mlp_encoder)},
            r"encoder.*units: was 8, is \d+",
        ),
        ({"data": CorrelatedEllipses(num_images=80, seed=1)}, "data.seed: was 0, is 1"),
    ],
)
def test_going_on_with_other_settings_is_refused(data, begun, change, words):
    change = {"data": data, **change}
    with pytest.raises(checks.ArgumentError, match=f"(?s){words}"):
        run(change.pop("data"), begun(4), 6, **change)


def test_the_error_lists_every_change_and_nothing_else(data, begun):
    with pytest.raises(checks.ArgumentError) as caught:
        run(data, begun(4), 6, batch_size=4, validation_size=20)
    lines = str(caught.value).splitlines()
    assert [line.strip() for line in lines[1:-1]] == [
        "training.batch_size: was 8, is 4",
        "training.validation_size: was 16, is 20",
    ]


def test_steps_intervals_and_device_may_change(data, begun):
    result = run(
        data,
        begun(4),
        9,
        intervals=Intervals(log=3, evaluate=3, save=3, pictures=0),
        device=Device(resident=False),
    )
    assert [row["step"] for row in result.history] == [2, 4, 6, 9]


def own_encoder(shape, num_outputs, **options):
    layers = [keras.layers.Flatten(), keras.layers.Dense(num_outputs)]
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize("encoder", [own_encoder, conv_encoder, mlp_encoder])
def test_names_that_keras_numbers_are_no_difference(data, encoder):
    """In another process the same layer is "flatten" or "flatten_1"."""
    options = {"do": tf_disentangle.train, "dry_run": True}
    options["model"] = functools.partial(narrow, encoder=encoder)
    first, second = (run(data, None, **options)._loop.description for _ in range(2))
    assert first["model"] != second["model"]
    assert description.changes(first, second) == []


def test_metrics_are_read_back_with_the_options_bound_to_them(data):
    dlib = functools.partial(metrics.factor_vae_score, protocol="dlib")
    options = {"do": tf_disentangle.train, "dry_run": True}
    record = run(data, None, metrics=["mig", dlib], **options)._loop.description
    written = json.loads(json.dumps(record["training"]["metrics"]))
    name, function = configs.deserialize(written)
    assert name == "mig"
    assert (function.func, function.keywords) == (dlib.func, dlib.keywords)


def test_a_copy_of_the_users_modules_is_kept(tmp_path, monkeypatch):
    """And of what they import, whole packages too; neither installed ones nor ours."""
    package = tmp_path / "code" / "described_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from described_package.inner import scale\n")
    (package / "inner.py").write_text("def scale():\n    return 2\n")
    (tmp_path / "code" / "described_parts.py").write_text(
        "import numpy as np\nimport described_package\n"
        "class Prior:\n    weight = described_package.scale()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    import described_parts

    folder = tf_disentangle.training.RunFolder(tmp_path / "run")
    folder.create()
    record = {"prior": {"class_name": "described_parts.Prior", "config": {}}}
    description.copy_modules(folder, record, ["json", "keras.layers"])
    copies = sorted(
        str(p.relative_to(folder.modules)) for p in folder.modules.rglob("*")
    )
    assert copies == [
        "described_package",
        "described_package/__init__.py",
        "described_package/inner.py",
        "described_parts.py",
    ]
    monkeypatch.undo()
    for name in [n for n in sys.modules if n.startswith("described_pa")]:
        del sys.modules[name]
    with description.importing_copies(folder):
        import described_parts as copied

        assert copied is not described_parts and copied.Prior.weight == 2
    assert str(folder.modules) not in sys.path
    for name in [n for n in sys.modules if n.startswith("described_pa")]:
        del sys.modules[name]


def test_equally_named_modules_of_two_runs_are_not_mixed_up(tmp_path):
    """Each run has the code that it was trained with, whichever was loaded before."""
    folders = []
    for number in (1, 2):
        folder = tf_disentangle.training.RunFolder(tmp_path / f"run{number}")
        folder.create()
        package = folder.modules / "described_twice"
        package.mkdir(parents=True)
        text = f"import gin\n@gin.register\nclass DescribedTwice:\n    run = {number}\n"
        (package / "inner.py").write_text(text)
        (package / "__init__.py").write_text("from .inner import DescribedTwice\n")
        folders.append(folder)

    def of_run(folder):
        with description.importing_copies(folder):
            return configs._find("described_twice.inner.DescribedTwice")

    first, second = map(of_run, folders)
    assert (first.run, second.run) == (1, 2)
    assert of_run(folders[0]) is first and of_run(folders[1]) is second
    (tmp_path / "third").mkdir()
    with pytest.raises(configs.CannotRebuildError, match="cannot be imported"):
        of_run(tf_disentangle.training.RunFolder(tmp_path / "third"))
