"""A model in other runtimes is the model: files that were written, loaded and run.

Every distinct graph - a latent space, a kind of network - in each runtime by default;
every model of gin's top level in each of them with -m slow.
"""

import functools
import importlib
import logging
import os
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.contracts.test_models import FILES, data_for, trained
from tf_disentangle import checks, latents, models, networks, objectives, priors
from tf_disentangle.distributions import Normal
from tf_disentangle.serving import variants
from tf_disentangle.serving.variants import conversion, onnx

TOLERANCE = 1e-5
MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=8),
    "decoder": functools.partial(networks.mlp_decoder, width=8),
}
CONV = {
    "encoder": functools.partial(networks.conv_encoder, width=8),
    "decoder": functools.partial(networks.conv_decoder, width=8),
}


def vae(space, shape=(8, 8, 1), parts=MLP, **options):
    return models.build_vae(shape, 1, latents=space, **parts, **options)


def full(size=3):
    prior = priors.InverseWishartPrior(nu=20.0)
    return latents.GaussianLatents(size, "full", prior)


def mean_field():
    prior = priors.MeanFieldInverseWishartPrior(nu=20.0)
    return latents.MeanFieldLatents(3, prior=prior)


def infogan():
    space = latents.JointLatents(
        latents.GaussianLatents(2, "identity"), latents.CategoricalLatents([3])
    )
    generator = functools.partial(networks.conv_decoder, width=8, batch_norm=True)
    critic = functools.partial(networks.mlp_encoder, width=4)
    networks_ = {"encoder": CONV["encoder"], "decoder": generator, "critic": critic}
    return models.build_infogan((32, 32, 1), 1, latents=space, num_noise=2, **networks_)


def vectors():
    objective = objectives.beta_vae(1.0, likelihood=Normal(None))
    return vae(latents.GaussianLatents(2), (1, 1, 3), objective=objective)


# Distinct graphs; those that differ in the space alone are slow.
CASES = {
    "full_joint": lambda: vae(
        latents.JointLatents(full(), latents.CategoricalLatents([3]))
    ),
}
# test_every_model_of_gin_in_every_runtime has their kinds too.
SLOW_CASES = {
    "infogan": infogan,  # convolutions, colour, batch normalisation, noise
    "vectors": vectors,
    "diagonal": lambda: vae(latents.GaussianLatents(3)),
    "student_t": lambda: vae(latents.LocationScaleLatents(3, "student_t", df=5.0)),
    "mean_field": lambda: vae(mean_field()),
    "categorical": lambda: vae(latents.CategoricalLatents([3, 2])),
    "conv_full": lambda: vae(full(), (32, 32, 3), CONV),
}


def disturbed(model):
    """Every weight elsewhere, so that no layer is left at zero or one."""
    rng = np.random.default_rng(0)
    for part in (model.encoder, model.decoder):
        for variable in part.variables:
            noise = rng.uniform(-0.1, 0.1, variable.shape)
            variable.assign(variable + noise.astype(np.float32))
    return model


def questions(model, count=7):
    """Inputs of the four signatures, and what the model's own methods answer."""
    images = data_for(model, count)
    posterior = model.posterior(tf.constant(images))
    codes = model.encode(images)
    columns = [column.num_values for column in model.columns]
    continuous = [k for k, values in enumerate(columns) if values is None]
    encoded = {f"probabilities_{n}": p for n, p in posterior.probabilities().items()}
    if continuous:
        encoded["mean"] = posterior.mean()
        encoded["stddev"] = np.asarray(posterior.stddev())[:, continuous]
    if any(columns):
        encoded["codes"] = codes
    space = getattr(model.latents, "parts", (model.latents,))[0]
    if getattr(space, "covariance", None) == "full":
        encoded["covariance"] = posterior.covariance()
    rows, codes = np.arange(count), codes.copy()
    for k, values in enumerate(columns):
        if values:  # the category of all these images may be the same
            codes[:, k] = rows % values
    latent = (rows % len(columns)).astype(np.int32)
    value = np.roll(codes, 1, axis=0)[rows, latent]
    edited = codes.copy()
    edited[rows, latent] = value
    return {
        "encode": ({"images": images}, encoded),
        "decode": ({"codes": codes}, {"images": model.decode(codes)}),
        "reconstruct": (
            {"images": images},
            {"reconstructions": model.reconstruct(images)},
        ),
        "edit": (
            {"codes": codes, "latent": latent, "value": value},
            {"images": model.decode(edited)},
        ),
    }


def compare(served, asked, sizes=(7, 1)):
    """Checks a loaded model; returns the largest relative error."""
    assert sorted(served) == sorted(asked)
    worst = 0.0
    for name, (inputs, expected) in asked.items():
        for size in sizes:
            answer = served[name](**{k: v[:size] for k, v in inputs.items()})
            assert sorted(answer) == sorted(expected), name
            for output, values in expected.items():
                values = np.asarray(values)[:size]
                assert answer[output].shape == values.shape
                assert answer[output].dtype == np.float32
                if size:
                    difference = np.abs(answer[output] - values).max()
                    largest = np.abs(values).max() or 1.0  # all codes may be 0
                    worst = max(worst, float(difference / largest))
                    assert worst <= TOLERANCE, (name, output)
    return worst


@pytest.mark.parametrize(
    "case", [*CASES, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW_CASES)]
)
def test_each_runtime_answers_as_the_model(case, tmp_path):
    model = disturbed((CASES | SLOW_CASES)[case]())
    asked = questions(model)
    # What is decoded differs from image to image, so that the test can fail.
    assert asked["decode"][1]["images"].std(axis=0).max() > 1e-3
    for variant in variants.VARIANTS:
        if (case, variant) == ("infogan", "openvino"):
            continue  # By ONNX; with -m slow, as every model of gin.
        errors = variants.write(model, tmp_path / variant, variant)
        assert sorted(errors) == sorted(asked)
        assert max(errors.values()) <= TOLERANCE
        served = variants.load(tmp_path / variant)
        # LiteRT refuses an empty batch.
        compare(served, asked, (7, 1) if variant == "litert" else (7, 1, 0))


@pytest.fixture(scope="module")
def model():
    wide = {name: functools.partial(make, width=256) for name, make in MLP.items()}
    return disturbed(vae(full(), parts=wide))


@pytest.mark.parametrize(
    ("variant", "precision"),
    [
        ("onnx", "float16"),
        ("litert", "int8"),
        pytest.param("openvino", "float16", marks=pytest.mark.slow),
        pytest.param("litert", "float16", marks=pytest.mark.slow),
    ],
)
def test_smaller_weights_and_the_same_types(variant, precision, model, tmp_path, capfd):
    limit, share = {"float16": (1e-2, 0.75), "int8": (0.2, 0.5)}[precision]
    folder = tmp_path / "new"
    errors = variants.write(model, folder, variant, precision)
    assert TOLERANCE < max(errors.values()) < limit
    written = [path for path in folder.iterdir() if path.suffix != ".xml"]
    size = sum(path.stat().st_size for path in written)
    copies = 1 if variant == "litert" else 2  # reconstruct and edit hold their own
    assert size < share * copies * 4 * model.count_params()
    answer = variants.load(folder)["encode"](images=data_for(model, 2))
    assert {value.dtype for value in answer.values()} == {np.dtype("float32")}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("variant", ["onnx", "litert"])  # openvino's go by onnx
def test_an_operation_that_is_unknown_there(variant, tmp_path, capfd):
    class Beta(keras.layers.Layer):
        def call(self, x):
            return tf.math.betainc(1.0 + tf.sigmoid(x), 2.0, tf.sigmoid(x))

    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4), Beta()]
    )
    model = vae(latents.GaussianLatents(2), parts=MLP | {"encoder": encoder})
    with pytest.raises(checks.ArgumentError, match=f"take this model.*{variant}"):
        variants.write(model, tmp_path / "new", variant)
    assert not [*tmp_path.iterdir()]
    capfd.readouterr()  # the converter's reasons


def test_networks_in_sixteen_bits(tmp_path):
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, dtype="mixed_bfloat16")]
    encoder = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    model = vae(latents.GaussianLatents(2), parts=MLP | {"encoder": encoder})
    with pytest.raises(checks.ArgumentError, match=r"received 'bfloat16'. For other"):
        variants.write(model, tmp_path / "new", "onnx")
    assert not [*tmp_path.iterdir()]


def test_other_numbers_than_the_model_are_refused(model, tmp_path, monkeypatch):
    write = onnx.write
    monkeypatch.setattr(onnx, "write", lambda f, folder, _: write(f, folder, "float16"))
    with pytest.raises(checks.ArgumentError, match="equal the model to 1e-05"):
        variants.write(model, tmp_path / "new", "onnx")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("variant", variants.VARIANTS)
def test_a_missing_package(variant, model, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(checks.ArgumentError, match=r"tf_disentangle\[portable\]"):
        variants.write(model, tmp_path / "new", variant)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("onx",), "variant must be one of .* Did you mean onnx"),
        (("onnx", "int8"), "precision must be 'float32' or 'float16'"),
        (("onnx", "float32", np.zeros((2, 9, 8, 1), np.uint8)), "images must have"),
        (("onnx", "float32", np.zeros((0, 8, 8, 1), np.uint8)), "not be empty"),
    ],
)
def test_what_has_no_meaning(arguments, message, model, tmp_path):
    with pytest.raises(checks.ArgumentError, match=message):
        variants.write(model, tmp_path / "new", *arguments)


def test_a_folder_with_something_in_it_stays(model, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(checks.ArgumentError, match="folder must be new"):
        variants.write(model, tmp_path, "onnx")
    with pytest.raises(checks.ArgumentError, match="folder must hold a model"):
        variants.load(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "x"


def test_names(model):
    with pytest.raises(
        checks.ArgumentError, match="precisions must be one of 'encode'"
    ):
        variants.onnx_models(model, {"encoder": "float32"})


def test_a_latent_that_cannot_decide(tmp_path):
    """Dead: each value is as probable, and a runtime may name any of them."""
    model = vae(latents.CategoricalLatents([3]))
    for weights in model.encoder.weights:
        weights.assign(tf.zeros_like(weights))
    errors = variants.write(model, tmp_path / "new", "onnx")
    assert max(errors.values()) <= TOLERANCE


def test_onnx_models_for_a_page(model):
    made = variants.onnx_models(model, {"decode": "float32", "edit": "float16"})
    assert [*made] == ["decode", "edit"]
    asked = questions(model)
    compare({"decode": onnx.runner(made["decode"])}, {"decode": asked["decode"]})
    inputs, expected = asked["edit"]
    smaller = onnx.runner(made["edit"])(**inputs)["images"]
    difference = np.abs(smaller - expected["images"]).max()
    assert 0 < difference < 1e-2 * np.abs(expected["images"]).max()
    with pytest.raises(checks.ArgumentError, match="precision must be 'float32' or"):
        variants.onnx_models(model, {"decode": "int8"})


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_model_of_gin_in_every_runtime(file, tmp_path):
    """And the SavedModel; EXPORTS_TABLE=FILE adds a row of largest relative errors."""
    model = disturbed(trained(file, tmp_path / "run").model)
    asked, row = questions(model), {}
    model.export(str(tmp_path / "saved"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved")).signatures

    def answers(name):
        def run(**inputs):
            outputs = loaded[name](**{k: tf.constant(v) for k, v in inputs.items()})
            return {k: v.numpy() for k, v in outputs.items()}

        return run

    row["SavedModel"] = compare({name: answers(name) for name in asked}, asked)
    for variant in variants.VARIANTS:
        variants.write(model, tmp_path / variant, variant)
        row[variant] = compare(variants.load(tmp_path / variant), asked)
    with open(os.environ.get("EXPORTS_TABLE", os.devnull), "a") as table:
        table.write(f"{file.stem:28}" + "".join(f"{e:10.1e}" for e in row.values()))
        table.write("\n")


def test_conversions_of_two_threads_give_stderr_back():
    """The second begins while the first runs, and ends after it."""
    before = os.fstat(2).st_ino, logging.root.manager.disable
    begun, end = ([threading.Event() for _ in range(2)] for _ in range(2))

    def convert(number):
        with conversion.explaining("onnx"):
            begun[number].set()
            assert end[number].wait(60)

    threads = [threading.Thread(target=convert, args=(n,)) for n in range(2)]
    threads[0].start()
    assert begun[0].wait(60)
    threads[1].start()
    begun[1].wait(0.2)  # It has to wait for the first.
    for thread, ended in zip(threads, end, strict=True):
        ended.set()
        thread.join()
    assert (os.fstat(2).st_ino, logging.root.manager.disable) == before
