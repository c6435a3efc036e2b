"""A record names classes and functions: nothing but the library's parts is made."""

import json
import pathlib
import sys

import keras
import pytest
import tensorflow as tf

import tf_disentangle as td
from tests.store import published
from tf_disentangle import checks, configs, known_parts, models, store


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module on the path that says whether it was imported."""
    (tmp_path / "path").mkdir()
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'w')\nclass Model:\n    pass\n"
    (tmp_path / "path" / "evil_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "path")
    yield ran
    assert not ran.exists() and "evil_module" not in sys.modules


def own(name, **config):
    return {"class_name": name, "config": config}


def partial(path, /, *args, **kwargs):
    return {"function": path, "args": list(args), "kwargs": kwargs}


def keras_layer(module, name, **config):
    layer = {"module": module, "class_name": name, "config": config}
    return {"keras": {**layer, "registered_name": None}}


RECORDS = [
    own("evil_module.Model"),
    {"function": "evil_module.Model"},
    {"function": "os.system", "args": ["true"], "kwargs": {}},
    own("subprocess.Popen", args=["true"]),
    own("tf_disentangle.files.os.system"),
    own("tf_disentangle.models.os.path"),
    own("tf_disentangle.models.keras"),
    own("tf_disentangle.models.builders.keras.layers.Lambda"),
    own("tf_disentangle.datasets._hidden"),
    own("tf_disentangle.files.remove"),
    own("tf_disentangle.run.train"),
    own("tf_disentangle.serving.export"),
    own("builtins.eval"),
    {"function": "tf_disentangle.datasets.importlib"},
    {"function": "x.rmtree", "self": {"function": "shutil.rmtree"}},
    keras_layer("keras.layers", "Lambda", function="lambda x: x"),
    keras_layer("keras.layers", "TFSMLayer", filepath="x"),
    keras_layer("keras.layers", "TorchModuleWrapper"),
    keras_layer("evil_module", "Model"),
    keras_layer("keras.utils", "get_file", origin="http://localhost/x"),
    keras_layer("keras.models", "load_model", filepath="x"),
    keras_layer("builtins", "function"),
    {"keras": {"class_name": "Lambda", "config": {}}},
    {"keras": {"class_name": "__lambda__", "config": {"value": "x"}}},
    {"array": ["x"], "dtype": "object"},
    own("tf_disentangle.datasets.ImageFolder", path="/etc"),
    own("tf_disentangle.datasets.CorrelatedEllipses", cache_dir="/etc"),
    partial("tf_disentangle.datasets.ImageFile", path="/etc/x.npy"),
    partial("tf_disentangle.datasets.ImageFile", "/etc/x.npy"),
    partial("tf_disentangle.datasets.published", "mnist", "train", "/etc"),
    partial("tf_disentangle.metrics.evaluate", cache="/etc"),
    partial("tf_disentangle.metrics.mig_score", inner=partial("os.system", "true")),
]


@pytest.mark.parametrize("entry", RECORDS, ids=str)
def test_a_record_cannot_have_anything_imported_or_called(entry, evil):
    for value in (entry, [entry], {"inner": entry}):
        with known_parts.only(), pytest.raises(configs.CannotRebuildError):
            configs.deserialize(json.loads(json.dumps(value)))


def test_a_layer_deep_in_a_network_is_looked_at():
    sequential = {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": None,
        "config": {"layers": [keras_layer("keras.layers", "Lambda")["keras"]]},
    }
    with known_parts.only(), pytest.raises(configs.CannotRebuildError, match="Lambda"):
        configs.deserialize({"keras": sequential})


def critic_training(optimizer):
    config = {"updates": 2, "second_batch": True, "optimizer": optimizer}
    return own("tf_disentangle.models.CriticTraining", **config)


@pytest.mark.parametrize(
    "entry", [own("evil_module.Model"), keras_layer("evil_module", "Model")], ids=str
)
def test_a_critics_optimizer_is_made_while_parts_are_restricted(entry, evil):
    """Not later, when the model is built or compiled and all may be imported."""
    with known_parts.only(), pytest.raises(configs.CannotRebuildError):
        configs.deserialize(critic_training(entry))


def test_a_critics_optimizer_must_be_one():
    with known_parts.only(), pytest.raises(checks.ArgumentTypeError, match="optimizer"):
        latents = own("tf_disentangle.latents.GaussianLatents", num_latents=2)
        configs.deserialize(critic_training(latents))


def test_a_critics_optimizer_is_made_anew_each_time():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    old = models.CriticTraining(
        2, True, lambda: keras.optimizers.SGD(schedule, momentum=0.3)
    )
    with known_parts.only():
        new = configs.deserialize(json.loads(json.dumps(configs.serialize(old))))
    assert configs.serialize(new) == configs.serialize(old)
    one, other = new.make_optimizer(), new.make_optimizer()
    assert one is not other and one.momentum == 0.3
    assert float(one.learning_rate) == pytest.approx(0.1)


def network(*layers):
    """A network of these layers, made where nothing takes memory."""
    with tf.Graph().as_default():
        made = keras.Sequential([keras.Input((10,)), *layers])
        return json.loads(json.dumps(configs.serialize(made)))


HUGE = [
    # 4e10 weights; a tebibyte for one image; many small layers.
    (lambda: [keras.layers.Dense(2 * 10**5) for _ in range(2)], "more than the file"),
    (lambda: [keras.layers.RepeatVector(2**35)], "numbers for an image"),
    (
        lambda: (
            [keras.layers.Reshape((1, 1, 10))]
            + [keras.layers.UpSampling2D(32) for _ in range(4)]
        ),
        "numbers for an image",
    ),
    (lambda: [keras.layers.Dense(2000) for _ in range(5)], "more than the file"),
]


@pytest.mark.parametrize(("make", "message"), HUGE)
def test_what_takes_much_memory_is_not_made(make, message):
    entry = network(*make())
    with (
        known_parts.only(10**7),
        pytest.raises(configs.CannotRebuildError, match=message),
    ):
        configs.deserialize(entry)


def test_many_networks_together_are_too_large():
    entry = network(keras.layers.Dense(1000))
    with known_parts.only(25_000):
        configs.deserialize([entry, entry])
    with known_parts.only(25_000), pytest.raises(configs.CannotRebuildError):
        configs.deserialize([entry, entry, entry])


def test_a_network_that_is_not_built_yet_is_refused():
    """Its weights would be made, and counted by nobody, with the first image."""
    with tf.Graph().as_default():
        made = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2 * 10**9)])
        entry = json.loads(json.dumps(configs.serialize(made)))
    with (
        known_parts.only(10**7),
        pytest.raises(configs.CannotRebuildError, match="nor are its weights"),
    ):
        configs.deserialize(entry)


@pytest.mark.parametrize("sizes", [[5 * 10**8], [2, 4095], [2] * 5000, [1e9]], ids=len)
def test_very_many_values_of_categorical_latents_are_not_made(sizes):
    entry = own("tf_disentangle.latents.CategoricalLatents", sizes=sizes)
    with known_parts.only(), pytest.raises(configs.CannotRebuildError, match="latents"):
        configs.deserialize(entry)


def test_very_many_latents_are_not_made():
    """Their covariance would have the square of the number."""
    prior = own("tf_disentangle.priors.InverseWishartPrior", df=10**6 + 1)
    entry = own(
        "tf_disentangle.latents.GaussianLatents",
        num_latents=10**6,
        covariance="full",
        prior=prior,
    )
    with known_parts.only(), pytest.raises(configs.CannotRebuildError, match="latents"):
        configs.deserialize(entry)


NONSENSE = [
    lambda config: config.update(layers=config["layers"][:1]),
    lambda config: config["layers"][1].update(inbound_nodes=[{}]),
    lambda config: config["layers"][1].update(name="another"),
]


@pytest.mark.parametrize("change", NONSENSE)
def test_a_network_wired_to_nothing_is_refused(change):
    images = keras.Input((2,))
    made = keras.Model(images, keras.layers.Dense(2)(images))
    entry = json.loads(json.dumps(configs.serialize(made)))
    change(entry["keras"]["config"])
    with known_parts.only(), pytest.raises(configs.CannotRebuildError):
        configs.deserialize(entry)


def test_a_model_of_more_weights_than_its_file_is_refused(copy):
    layers = [keras.layers.Dense(2 * 10**5) for _ in range(2)]
    config = {"encoder": network(*layers)}
    published.change_record(copy, lambda r: r["model"]["config"].update(config))
    with pytest.raises(checks.ArgumentError, match="more than the file of the weights"):
        td.load(copy)


def test_another_name_at_keras_is_no_way_around():
    layer = keras_layer("keras.layers", "Dense", units=3)
    layer["keras"]["registered_name"] = "my_package>Evil"
    with known_parts.only(), pytest.raises(configs.CannotRebuildError):
        configs.deserialize(layer)


@pytest.mark.parametrize("part", ["model", "data"])
def test_the_whole_way_refuses_them_too(part, copy, evil):
    published.change_record(copy, lambda r: r.update({part: own("evil_module.Model")}))
    message = f"the {part} in .* must be of known parts .*evil_module.* Do not use it"
    with pytest.raises(checks.ArgumentError, match=message):
        run = td.load(copy)
        assert part == "data" and run.encode(run.examples.images).shape == (16, 4)
        run.score("mig")


@pytest.mark.parametrize("name", ["latents", "objective", "decoder"])
@pytest.mark.parametrize("nonsense", [0, [], {"a": 1}])
def test_nonsense_for_a_part_is_told_as_such(name, nonsense, copy):
    config = {name: nonsense}
    published.change_record(copy, lambda r: r["model"]["config"].update(config))
    with pytest.raises(checks.ArgumentError, match=r"model in .* Do not use it"):
        td.load(copy)


OTHER_FUNCTIONS = [
    {"function": "tf_disentangle.datasets.pack"},
    partial("tf_disentangle.metrics.evaluate", metrics=["mig"]),
    partial("tf_disentangle.models.build_vae", seed=0),
    own(
        "tf_disentangle.metrics.Metric",
        function={"function": "tf_disentangle.datasets.pack"},
        input=1,
    ),
]


@pytest.mark.parametrize("entry", OTHER_FUNCTIONS, ids=str)
def test_only_metrics_are_called_as_metrics(entry, copy):
    published.change_record(copy, lambda r: r["training"].update(metrics=[entry]))
    with pytest.raises(configs.CannotRebuildError, match="no metric of this library"):
        td.load(copy).score()


def test_metrics_with_options_are_those_of_the_library(copy):
    call = partial("tf_disentangle.metrics.mig_score", num_train=700)
    metrics = ["sap", call]
    published.change_record(copy, lambda r: r["training"].update(metrics=metrics))
    name, mig = td.load(copy).metrics
    assert name == "sap" and mig.func is td.metrics.mig_score
    assert mig.keywords == {"num_train": 700}


def test_metrics_of_a_record_are_not_imported(copy, evil):
    metrics = [{"function": "evil_module.Model"}]
    published.change_record(copy, lambda r: r["training"].update(metrics=metrics))
    with pytest.raises(checks.ArgumentError, match="no public part of this library"):
        td.load(copy).score()


def test_modules_are_not_importable_without_trust(copy, evil):
    (copy / "modules").mkdir()
    (copy / "modules" / "evil_module.py").write_text("raise SystemExit")
    published.change_record(copy, lambda r: r.update(modules=["evil_module.py"]))
    assert td.load(copy).step == 0


@pytest.mark.slow
def test_what_the_library_records_is_known(data):
    """Every kind of model is made again under the same restriction."""
    for kind in ("chyvae", "joint_vae", "factor_vae", "infogan"):
        record = configs.serialize(published.build(kind))
        with known_parts.only():
            again = configs.deserialize(json.loads(json.dumps(record)))
        assert not configs.differences(record, configs.serialize(again))
    record = configs.serialize(data)
    with known_parts.only():
        assert configs.serialize(configs.deserialize(record)) == record


def test_no_pickle_is_read_anywhere():
    """Neither by us nor, with our arguments, by numpy."""
    root = pathlib.Path(store.__file__).parent
    for path in root.glob("*.py"):
        text = path.read_text()
        assert "pickle" not in text.replace("allow_pickle=False", "").replace(
            "Nothing is unpickled", ""
        )
        assert "np.load" not in text and "eval(" not in text.replace(
            "literal_eval(", ""
        )
