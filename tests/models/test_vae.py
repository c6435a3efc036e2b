"""The VAE's wiring: what encode, decode and reconstruct promise."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import VAE, FactorVAE, build_infogan, build_vae
from tf_disentangle.models.fitting import step_seed
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import chyvae, elbo, factor_vae

SHAPE = (32, 32, 1)
narrow = functools.partial(
    build_vae,
    encoder=functools.partial(conv_encoder, width=8),
    decoder=functools.partial(conv_decoder, width=8),
)


@pytest.fixture(scope="module")
def model():
    return narrow(SHAPE, latents=GaussianLatents(4, covariance="full"))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, *SHAPE), dtype=np.uint8)


def test_represent_is_the_posterior_mean_of_images_over_255(model, images):
    scaled = (images / 255.0).astype("float32")
    expected = model.encoder(scaled).numpy()[:, :4]
    np.testing.assert_allclose(model.encode(images), expected, rtol=1e-5, atol=1e-6)


def test_reconstruct_decodes_the_mean_and_lies_in_the_unit_interval(model, images):
    out = model.reconstruct(images)
    assert out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    np.testing.assert_array_equal(out, model.decode(model.encode(images)))
    np.testing.assert_allclose(model(images), out, rtol=1e-5)


def test_long_arrays_go_through_in_chunks(model):
    images = np.random.default_rng(1).integers(0, 256, (601, *SHAPE), dtype=np.uint8)
    codes = model.encode(images)
    assert codes.shape == (601, 4)
    np.testing.assert_allclose(codes[300:303], model.encode(images[300:303]), atol=1e-5)


def test_empty_array(model):
    images = np.zeros((0, *SHAPE), np.uint8)
    assert model.encode(images).shape == (0, 4)
    with pytest.raises(checks.ArgumentError, match="images must not be empty"):
        model.validation(images, 0)


def test_terms_do_not_depend_on_how_images_are_given(model, images):
    seed = tf.constant([1, 2])
    a = model.terms(images, model.infer(images, seed)).scalars()
    scaled = (images / 255.0).astype("float32")
    b = model.terms(scaled, model.infer(scaled, seed)).scalars()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-5)


def test_step_seeds_differ_by_step_and_seed():
    steps = [tuple(step_seed(0, tf.constant(t, tf.int64)).numpy()) for t in range(200)]
    assert len(set(steps)) == 200
    assert tuple(step_seed(1, tf.constant(0, tf.int64)).numpy()) not in steps


def test_seeds_that_would_stand_for_others_are_refused(model):
    words = r"seed must be less than 2\*\*31"
    for seed in (2**31, 2**32, 2**64):
        with pytest.raises(checks.ArgumentError, match=words):
            model.sample(1, seed)
        for method in (model.validation, model.diagnostics):
            with pytest.raises(checks.ArgumentError, match=words):
                method(np.zeros((2, *SHAPE), np.uint8), seed)
        with pytest.raises(checks.ArgumentError, match=words):
            VAE(model.encoder, model.decoder, model.latents, model.objective, seed)
    for build in (build_vae, build_infogan):
        with pytest.raises(checks.ArgumentError, match="at least 0; received -1"):
            build(SHAPE, -1)


def test_same_seed_same_weights():
    a, b, c = narrow(SHAPE, 3), narrow(SHAPE, 3), narrow(SHAPE, 4)
    for x, y in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(x.numpy(), y.numpy())
    assert any(
        not np.array_equal(x.numpy(), z.numpy())
        for x, z in zip(a.weights, c.weights, strict=True)
    )


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 64, 64, 1), np.uint8), r"have shape \[N, 32, 32, 1\]"),
        (np.zeros((32, 32, 1), np.uint8), "Add an axis"),
        (np.full((2, *SHAPE), 2, np.float32), "floats in .0, 1.; received '2 to 2'"),
        (np.zeros((2, *SHAPE), np.int32), "be of dtype uint8"),
    ],
)
def test_represent_refuses_other_images(model, images, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        model.encode(images)


def test_decode_refuses_other_codes(model):
    with pytest.raises(checks.ArgumentError, match=r"codes must have shape \[N, 4\]"):
        model.decode(np.zeros((2, 5)))


def test_parts_that_do_not_fit():
    encoder = conv_encoder(SHAPE, 7, seed=0, width=8)
    decoder = conv_decoder(4, SHAPE, seed=0, width=8)
    with pytest.raises(checks.ArgumentError, match="emit 8 numbers per image"):
        VAE(encoder, decoder, GaussianLatents(4), elbo())
    with pytest.raises(checks.ArgumentError, match="InverseWishartPrior"):
        narrow(SHAPE, objective=chyvae())
    with pytest.raises(checks.ArgumentError, match="precision must be one of"):
        narrow(SHAPE, precision="float16")
    with pytest.raises(checks.ArgumentError, match="image_shape"):
        narrow((48, 48, 1))


class WithLoss(keras.layers.Layer):
    """Adds a loss of its own, as Keras's examples of VAEs do with the KL."""

    def call(self, x):
        self.add_loss(tf.reduce_sum(x))
        return x


def network_of(inputs, outputs, *layers, **options):
    """Returns a dense network from one shape to another."""
    outputs = (outputs,) if isinstance(outputs, int) else outputs
    dense = keras.layers.Dense(int(np.prod(outputs)), name="dense", **options)
    flat, shaped = keras.layers.Flatten(), keras.layers.Reshape(outputs)
    # Not built by a declared input: the model itself calls it first.
    shape = [] if layers else [keras.Input(inputs)]
    return keras.Sequential([*shape, flat, dense, *layers, shaped])


@pytest.mark.parametrize("which", ["encoder", "decoder", "critic"])
@pytest.mark.parametrize("kind", ["kernel", "activity", "add_loss"])
def test_a_network_with_a_loss_of_its_own_is_refused(which, kind):
    """No step goes down it, and a record would name what never acted."""
    sides = {"encoder": (SHAPE, 4), "decoder": ((2,), SHAPE), "critic": ((2,), 1)}
    networks = {name: network_of(*shapes) for name, shapes in sides.items()}
    layers, options, words = [WithLoss()], {}, r"received \['add_loss in "
    if kind != "add_loss":
        layers, options = [], {f"{kind}_regularizer": keras.regularizers.L2(0.1)}
        words = r"received \['\S*dense"
    networks[which] = network_of(*sides[which], *layers, **options)
    rest = GaussianLatents(2), factor_vae(), networks["critic"]
    words = f"^{which} must have no regularisers .*{words}.*weight_decay"
    with pytest.raises(checks.ArgumentError, match=words):
        FactorVAE(networks["encoder"], networks["decoder"], *rest)


def test_a_regulariser_of_weights_that_do_not_move_is_taken():
    encoder = network_of(SHAPE, 4, kernel_regularizer="l2")
    encoder.trainable = False
    model = VAE(encoder, network_of((2,), SHAPE), GaussianLatents(2), elbo())
    assert model.losses == []
