"""Every model is a Keras model: what Keras's documentation says of one is true of it.

Steps run eagerly here, but where the graph is what is tested: nothing is traced.
"""

import copy
import csv
import functools
import json
import pickle
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks, configs, models, networks, objectives
from tf_disentangle.latents import CategoricalLatents, GaussianLatents, JointLatents
from tf_disentangle.models import fitting, precision

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype=np.uint8)
FLOATS = IMAGES.astype("float32") / 255
MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=4),
    "decoder": functools.partial(networks.mlp_decoder, width=4),
}
TRAINING = models.CriticTraining(2, optimizer=lambda: keras.optimizers.SGD(0.01))


def vae(**options):
    return models.build_vae(SHAPE, 1, latents=2, **MLP, **options)


def factor_vae():
    return vae(
        objective=objectives.factor_vae(3.0),
        critic=functools.partial(networks.mlp_critic, width=4, num_layers=1),
        critic_training=TRAINING,
    )


def joint_vae():
    latents = JointLatents(GaussianLatents(2), CategoricalLatents([3]))
    return models.build_vae(SHAPE, 1, latents=latents, **MLP)


def infogan():
    critic = functools.partial(networks.mlp_encoder, width=4)
    return models.build_infogan(
        SHAPE, 1, latents=2, num_noise=2, critic=critic, critic_training=TRAINING, **MLP
    )


def beta_tcvae():
    return vae(objective=objectives.beta_tcvae(6.0))


def slow(build):
    return pytest.param(build, marks=pytest.mark.slow)


# A VAE on two latents is a second look: FactorVAE is one with a critic, JointVAE one on
# more latents. What Keras does alike for all is looked at with one of them by default.
every_kind = pytest.mark.parametrize(
    "build", [slow(vae), factor_vae, joint_vae, infogan]
)
most_kinds = pytest.mark.parametrize(
    "build", [slow(vae), factor_vae, slow(joint_vae), infogan]
)
two_kinds = pytest.mark.parametrize("build", [factor_vae, infogan])
one_kind = pytest.mark.parametrize(
    "build", [slow(vae), factor_vae, slow(joint_vae), slow(infogan)]
)


def compiled(build, optimizer=None, **options):
    model = build()
    optimizer = keras.optimizers.SGD(1e-3) if optimizer is None else optimizer
    model.compile(optimizer, run_eagerly=True, **options)
    return model


def fit(model, *data, **options):
    chosen = {"batch_size": 10, "verbose": 0, "shuffle": False} | options
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*ran out of data.*", UserWarning)
        return model.fit(*data, **chosen)


def state(model):
    held = [model, *model.optimizers.values()]
    return [v.numpy() for part in held for v in part.variables]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# ---- Data.


def forms():
    """The same two batches in every form that Keras takes."""
    batches = [(IMAGES[:10], None), (IMAGES[10:], None)]
    pairs = tf.data.Dataset.from_tensor_slices((IMAGES, np.arange(20)))
    return {
        "floats": (FLOATS,),
        "double": (IMAGES / 255.0,),
        "pair": (IMAGES, IMAGES),
        "tf.data": (tf.data.Dataset.from_tensor_slices(IMAGES).batch(10),),
        "tf.data of pairs": (pairs.batch(10),),
        "tf.data of floats": (tf.data.Dataset.from_tensor_slices(FLOATS).batch(10),),
        "generator": ((batch for batch in batches),),
    }


@pytest.mark.parametrize("build", [factor_vae, slow(infogan)])
def test_every_form_of_the_images_trains_alike(build):
    model = compiled(build, keras.optimizers.SGD(1e-3))
    initial = model.get_weights()
    fit(model, IMAGES)
    expected = model.get_weights()
    assert int(model.steps_done) == 2 and model.num_examples == 20
    for name, data in forms().items():
        options = {} if isinstance(data[0], np.ndarray) else {"batch_size": None}
        model.set_weights(initial)
        fit(model, *data, **options)
        for a, b in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=name)
        assert model.num_examples == (None if name == "generator" else 20)


@most_kinds
def test_evaluates_as_it_trains_with_fixed_draws(build):
    model = compiled(build)
    found = model.evaluate(IMAGES, batch_size=8, verbose=0, return_dict=True)
    assert set(found) == set(model.row_names)
    assert found == model.evaluate(FLOATS, batch_size=8, verbose=0, return_dict=True)
    listed = model.evaluate(IMAGES, IMAGES, batch_size=8, verbose=0)
    assert listed == [found[name] for name in model.metrics_names]
    assert model.metrics_names[0] == "loss"
    history = fit(model, IMAGES, epochs=2, validation_data=(IMAGES, None)).history
    names = set(model.row_names)
    assert set(history) == names | {f"val_{name}" for name in names}
    again = model.evaluate(IMAGES, batch_size=10, verbose=0, return_dict=True)
    assert {k: history[f"val_{k}"][-1] for k in names} == again


def test_each_batch_of_an_evaluation_has_its_own_draws_and_counts_by_its_size():
    model, step = compiled(vae), tf.constant(0, tf.int64)
    parts = [IMAGES[:16], IMAGES[16:]]
    fold_in = tf.random.experimental.stateless_fold_in
    loss = 0.0
    for i, part in enumerate(parts):
        seed = fold_in(tf.constant([model.seed, 1]), tf.constant(i, tf.int64))
        terms, _ = model.held_out_terms(part, fold_in(seed, 0), step)
        loss += len(part) / 20 * terms["loss"]
    found = model.evaluate(IMAGES, batch_size=16, verbose=0)[0]
    np.testing.assert_allclose(found, loss, rtol=1e-5)


@two_kinds
def test_one_batch_at_a_time(build):
    model = compiled(build)
    assert len(model.train_on_batch(IMAGES)) == len(model.row_names)
    assert set(model.test_on_batch(IMAGES, return_dict=True)) == set(model.row_names)
    assert model.predict_on_batch(IMAGES[:3]).shape == (3, *SHAPE)
    assert int(model.steps_done) == 1


@two_kinds
def test_predicts_the_reconstruction(build):
    model = compiled(build)
    expected = model.reconstruct(IMAGES)
    predicted = model.predict(IMAGES, batch_size=7, verbose=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-6)
    np.testing.assert_allclose(model(IMAGES), expected, atol=1e-6)
    np.testing.assert_array_equal(model.encode(IMAGES / 255), model.encode(IMAGES))


def test_validation_split_is_taken_out_of_the_examples():
    model = compiled(beta_tcvae)
    history = fit(model, IMAGES, validation_split=0.25).history
    assert "val_loss" in history and model.num_examples == 15
    fit(model, IMAGES)
    assert model.num_examples == 20
    model.num_examples = 7
    fit(model, IMAGES)
    assert model.num_examples == 7  # set by hand


@pytest.mark.parametrize(("rows", "batch"), [(20, 5), (18, 5), (5, 5), (5, 8)])
@pytest.mark.parametrize("drop", [True, False])
def test_the_last_batch_of_a_tf_data_set_counts_as_it_is(rows, batch, drop):
    data = tf.data.Dataset.from_tensor_slices(IMAGES[:rows]).shuffle(30)
    data = data.batch(batch, drop_remainder=drop).prefetch(1)
    seen = sum(len(images) for images in data)
    assert fitting._num_images(data, 0.0) == (seen or None)


def test_a_fit_that_failed_can_be_repeated():
    """In a graph: variables are made once, before anything is traced."""
    model = beta_tcvae()
    model.compile("sgd")
    with pytest.raises(checks.ArgumentError, match=r"model\.num_examples"):
        fit(model, ((IMAGES, None) for _ in range(1)), batch_size=None)
    fit(model, IMAGES)
    assert int(model.steps_done) == 2


BAD = [
    (IMAGES.astype("float32"), r"'0 to 255'.*x / 255"),
    (IMAGES / 127.5 - 1, r"'-1 to 1'.*\(x \+ 1\) / 2"),
    (np.full_like(FLOATS, np.nan), "be finite; received 'NaN'"),
]


@pytest.mark.parametrize(("images", "words"), BAD)
def test_unscaled_floats_are_refused_wherever_they_enter(images, words):
    model = compiled(vae)
    seed = tf.constant([0, 0])
    calls = [
        model.fit,
        model.evaluate,
        model.predict,
        model.train_on_batch,
        model.test_on_batch,
        model.predict_on_batch,
        model.encode,
        model.reconstruct,
        model.posterior,
        model.__call__,
        lambda x: model.fit(FLOATS, validation_data=(x, None)),
        lambda x: model.fit(tf.data.Dataset.from_tensors(x), shuffle=False),
        lambda x: model.infer(x, seed),
        lambda x: models.log_evidence(model, x),
    ]
    for call in calls:
        with pytest.raises(checks.ArgumentError, match=words):
            call(images)


def test_a_graph_refuses_unscaled_floats_too():
    model = vae()
    model.compile("sgd")
    bad = tf.data.Dataset.from_tensors(IMAGES.astype("float32"))
    for call in (functools.partial(model.fit, shuffle=False), model.predict):
        with pytest.raises(checks.ArgumentError, match=r"floats in .0, 1.*x / 255"):
            call(bad, verbose=0)
    # Where XLA drops assertions, the images are not numbers.
    code = tf.function(lambda x: model.posterior(x).code(), jit_compile=True)
    assert np.isnan(code(IMAGES.astype("float32"))).all()
    np.testing.assert_allclose(code(FLOATS), model.encode(IMAGES), atol=1e-5)


def test_what_is_not_an_image_is_refused():
    model = compiled(vae)
    weights = np.ones(20)
    for data, options, words in [
        ((IMAGES.astype("int32"),), {}, "received 'int32'"),
        ((IMAGES[..., 0],), {}, r"have shape \[B, 8, 8, 1\]"),
        ((IMAGES,), {"sample_weight": weights}, "sample_weight must be None"),
        ((IMAGES, weights), {"class_weight": {1: 2.0}}, "class_weight must be None"),
    ]:
        with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError)) as error:
            fit(model, *data, **options)
        assert error.match(words)
    for name in ("loss", "metrics", "loss_weights", "weighted_metrics"):
        with pytest.raises(checks.ArgumentError, match=f"{name} must be None"):
            model.compile("sgd", **{name: ["mse"]})


# ---- Callbacks, as Keras's documentation writes them.


@one_kind
def test_keras_own_callbacks(build, tmp_path):
    optimizer = keras.optimizers.SGD(1e-3, use_ema=True)
    model, callbacks = compiled(build, optimizer), keras.callbacks
    rows = {
        "early": callbacks.EarlyStopping(patience=5),
        "plateau": callbacks.ReduceLROnPlateau(patience=0, min_delta=1e9, factor=0.5),
        "whole": callbacks.ModelCheckpoint(tmp_path / "m.keras", save_best_only=True),
        "weights": callbacks.ModelCheckpoint(
            tmp_path / "m{epoch}.weights.h5", save_weights_only=True
        ),
        "csv": callbacks.CSVLogger(tmp_path / "log.csv"),
        "board": callbacks.TensorBoard(tmp_path / "board", histogram_freq=1),
        "swap": callbacks.SwapEMAWeights(swap_on_epoch=True),
        "nan": callbacks.TerminateOnNaN(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # all that they watch is there
        history = fit(
            model,
            IMAGES,
            epochs=3,
            validation_data=(IMAGES, None),
            callbacks=list(rows.values()),
        ).history
    assert rows["early"].best == min(history["val_loss"])
    assert float(model.optimizer.learning_rate) < 1e-3
    with open(tmp_path / "log.csv") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 and set(lines[0]) >= {"epoch", "loss", "val_loss"}
    assert all(np.isfinite(float(v)) for line in lines for v in line.values())
    assert list((tmp_path / "board").rglob("events*"))
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    other = build()
    other.load_weights(
        tmp_path / f"m{int(np.argmin(history['val_loss'])) + 1}.weights.h5"
    )
    np.testing.assert_array_equal(loaded.encode(IMAGES), other.encode(IMAGES))


def test_a_schedule_by_a_callback():
    model = compiled(vae)
    still = keras.callbacks.LearningRateScheduler(lambda *_: 0.0)
    fit(model, IMAGES, callbacks=[still])
    for a, b in zip(model.trainable_variables, vae().trainable_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("build", [slow(factor_vae), infogan])
def test_a_run_goes_on_where_it_was_interrupted(build, tmp_path):
    """`BackupAndRestore`: weights, both optimisers, and the draws of the next step."""

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    adam = functools.partial(keras.optimizers.Adam, 0.01)
    whole, model = compiled(build, adam()), compiled(build, adam())
    fit(whole, IMAGES, epochs=3)
    backup = functools.partial(keras.callbacks.BackupAndRestore, tmp_path / "backup")
    with pytest.raises(KeyboardInterrupt):
        fit(model, IMAGES, epochs=3, callbacks=[backup(), Interrupt()])
    resumed = compiled(build, adam())
    fit(resumed, IMAGES, epochs=3, callbacks=[backup()])
    assert equal(state(resumed), state(whole)) and int(resumed.steps_done) == 6


# ---- Saving.


@most_kinds
def test_saved_and_loaded_it_is_the_same_model(build, tmp_path):
    model = compiled(build, keras.optimizers.Adam(0.01))
    fit(model, IMAGES)
    model.save(tmp_path / "m.keras")
    copies = {
        "load": keras.saving.load_model(tmp_path / "m.keras"),
        "deepcopy": copy.deepcopy(model),
        "pickle": pickle.loads(pickle.dumps(model)),
    }
    for name, other in copies.items():
        np.testing.assert_array_equal(
            other.posterior(IMAGES).code(), model.posterior(IMAGES).code(), name
        )
        assert other.num_examples == 20 and equal(state(other), state(model)), name
    fit(model, IMAGES)
    fit(copies["load"], IMAGES)  # optimisers and draws go on too
    assert equal(state(copies["load"]), state(model))
    clone = keras.models.clone_model(model)
    assert equal(clone.get_weights(), build().get_weights())
    with pytest.raises(checks.ArgumentError, match=r"filepath must end in \.keras"):
        model.save(tmp_path / "m.h5")


@every_kind
def test_its_config_is_json_and_makes_it_again(build):
    model = build()
    record = json.loads(json.dumps(configs.serialize(model)))
    made = configs.deserialize(record)
    assert not configs.differences(record, configs.serialize(made))
    assert equal(made.get_weights(), model.get_weights())


# ---- Other networks.


@keras.saving.register_keras_serializable("tests")
class Encoder(keras.Model):
    """Subclassed, with two heads, not built until it is called."""

    def __init__(self, size=2, **options):
        super().__init__(**options)
        self.size = size
        self.flatten = keras.layers.Flatten()
        self.heads = [keras.layers.Dense(size), keras.layers.Dense(size)]

    def call(self, images):
        return [head(self.flatten(images)) for head in self.heads]


@keras.saving.register_keras_serializable("tests")
class Decoder(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(64)

    def call(self, z):
        return keras.ops.reshape(self.dense(z), (-1, *SHAPE))


def bytes_encoder(*_, **__):
    images = keras.Input(SHAPE, dtype="uint8")
    h = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255.0)(images))
    return keras.Model(images, keras.layers.Dense(4)(h))


def sequential(*last):
    layers = keras.layers
    return keras.Sequential([*last, layers.Flatten(), layers.Dense(4)])


@pytest.mark.parametrize(
    "encoder",
    [
        Encoder,
        sequential,
        bytes_encoder,
        lambda: networks.mlp_encoder(SHAPE, 4, seed=0),
    ],
    ids=["subclassed", "sequential", "uint8", "functional"],
)
def test_encoders_of_every_kind(encoder, tmp_path):
    encoder = encoder()
    model = models.VAE(encoder, Decoder(), GaussianLatents(2), objectives.elbo())
    assert model.image_shape == SHAPE
    codes = model.encode(IMAGES)
    assert codes.std(axis=0).min() > 0.01
    scaled = IMAGES if wants_bytes(encoder) else FLOATS
    alone = encoder(scaled)
    alone = alone[0] if isinstance(alone, list) else alone[:, :2]
    np.testing.assert_allclose(codes, alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        model.posterior(FLOATS).mean(), codes, rtol=1e-4, atol=1e-5
    )
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
    before = [v.numpy() for v in encoder.trainable_variables]
    fit(model, IMAGES)
    assert not equal(before, [v.numpy() for v in encoder.trainable_variables])
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.encode(IMAGES), model.encode(IMAGES))


def wants_bytes(encoder):
    inputs = getattr(encoder, "inputs", None)
    return bool(inputs) and inputs[0].dtype == "uint8"


def test_a_built_model_serves_where_a_function_is_asked_for():
    encoder = networks.mlp_encoder(SHAPE, 4, seed=5, width=4)
    model = models.build_vae(SHAPE, latents=2, encoder=encoder, decoder=Decoder())
    assert model.encoder is encoder


class Nameless(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, images):
        return self.layer(images)


def test_a_network_that_cannot_be_rebuilt_is_named_before_a_file_is_written(tmp_path):
    network = Nameless(sequential(keras.Input(SHAPE)))
    model = models.VAE(network, Decoder(), GaussianLatents(2), objectives.elbo())
    words = "Nameless cannot be rebuilt.*the encoder of this model has no get_config"
    with pytest.raises(configs.CannotRebuildError, match=words):
        model.save(tmp_path / "m.keras")
    with pytest.raises(configs.CannotRebuildError, match=words):
        pickle.dumps(model)
    record = configs.serialize(model)  # for a run's record it will do
    assert record["config"]["objective"]["config"]["name"] == "elbo"
    model.save_weights(tmp_path / "m.weights.h5")


def on_one_trunk(name=None):
    """An InfoGAN whose recognition network and critic share all but their heads."""
    images = keras.Input(SHAPE)
    trunk = keras.layers.Dense(3)(keras.layers.Flatten()(images))
    heads = [keras.layers.Dense(n, name=name)(trunk) for n in (4, 1)]
    encoder, critic = (keras.Model(images, head) for head in heads)
    generator = networks.mlp_decoder(3, SHAPE, seed=0, width=4)
    game = GaussianLatents(2), objectives.infogan()
    return models.InfoGAN(encoder, generator, *game, critic)


def test_networks_that_share_layers_share_them_in_a_copy_too(tmp_path):
    model = on_one_trunk()
    model.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
    fit(model, IMAGES)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert equal(state(loaded), state(model))
    np.testing.assert_array_equal(loaded.encode(IMAGES), model.encode(IMAGES))
    np.testing.assert_array_equal(loaded.critic(FLOATS), model.critic(FLOATS))
    made = configs.deserialize(json.loads(json.dumps(configs.serialize(model))))
    for other in (loaded, made, keras.models.clone_model(model)):
        assert len(other.trainable_variables) == len(model.trainable_variables)
        ids = [
            {id(v) for v in part.variables} for part in (other.encoder, other.critic)
        ]
        assert len(ids[0] & ids[1]) == 2


def test_networks_that_share_layers_and_cannot_be_copied_are_refused(tmp_path):
    """Their heads have one name, which one network of both could not have twice."""
    model = on_one_trunk("head")
    with pytest.raises(configs.CannotRebuildError, match=r"from one keras\.Input"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(configs.CannotRebuildError, match="critic that share layers"):
        configs.deserialize(configs.serialize(model))


def test_a_decoder_of_probabilities_is_warned_of():
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(64, "sigmoid"),
            keras.layers.Reshape(SHAPE),
        ]
    )
    with pytest.warns(UserWarning, match=r"ended in a sigmoid; logits are expected"):
        models.VAE(sequential(), decoder, GaussianLatents(2), objectives.elbo())


def test_networks_that_do_not_fit():
    def vae_of(encoder, decoder=Decoder):
        return models.VAE(encoder, decoder(), GaussianLatents(2), objectives.elbo())

    with pytest.raises(checks.ArgumentError, match=r"emit 4 numbers.*received 6"):
        vae_of(Encoder(3))
    with pytest.raises(checks.ArgumentError, match=r"height and width \(4, 4\)"):
        vae_of(sequential(keras.Input((4, 4, 1))))
    with pytest.raises(checks.ArgumentError, match="take 2 numbers for these latents"):
        vae_of(Encoder(), lambda: networks.mlp_decoder(3, SHAPE, seed=0, width=4))
    critic = networks.mlp_encoder(SHAPE, 1, seed=0, width=4)
    game = GaussianLatents(2), objectives.infogan(), critic
    with pytest.raises(checks.ArgumentError, match="does not say it"):
        models.InfoGAN(Encoder(), Decoder(), *game)
    generator = networks.mlp_decoder(3, SHAPE, seed=0, width=4)
    with pytest.raises(checks.ArgumentError, match="encoder must take floats"):
        models.InfoGAN(bytes_encoder(), generator, *game)


# ---- Samples, data sets, precision.


@every_kind
def test_samples_are_seeded(build):
    model = build()
    a, b, c = (model.sample(5, seed=seed) for seed in (0, 0, 1))
    assert a.shape == (5, *SHAPE) and a.dtype == np.float32
    assert a.min() >= 0 and a.max() <= 1
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c) and not np.allclose(a[0], a[1])
    assert model.columns == model.latents.columns


def test_few_images_are_enough_for_a_model_that_takes_several_batches():
    model = compiled(infogan)
    fit(model, IMAGES[:7], batch_size=3)  # 3, 3 and 1 images for two updates each
    assert int(model.steps_done) == 3
    assert all(np.isfinite(v).all() for v in state(model))


@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="a GPU computes in bfloat16"
)
def test_bfloat16_where_it_is_emulated_is_warned_of(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("flags : fpu sse avx avx2 fma")
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    with pytest.warns(UserWarning, match="no bfloat16 arithmetic"):
        precision.check_precision("mixed_bfloat16")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    with pytest.raises(checks.ArgumentError, match="'float32' under ONEDNN_MAX_CPU_IS"):
        vae(precision="mixed_bfloat16")
