"""The signatures of one small model: image files, edits, draws, batches, errors."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.serving.portable import check_signatures
from tf_disentangle import latents, models, networks, objectives
from tf_disentangle.datasets import DSprites
from tf_disentangle.datasets.files.image_files import decoded
from tf_disentangle.datasets.files.preprocessing import Preprocessing
from tf_disentangle.distributions import Normal
from tf_disentangle.interfaces import Resizing
from tf_disentangle.models.image_bytes import decode_images

RNG = np.random.default_rng(0)
MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=8),
    "decoder": functools.partial(networks.mlp_decoder, width=8),
}


def image_file(pixels, kind="PNG", **options):
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def read(data, shape, resizing=None):
    """What the graph makes of one file."""
    resizing = Resizing() if resizing is None else resizing
    return decode_images(tf.constant([data]), shape, resizing).numpy()[0]


def as_trained(data, size, channels, **options):
    """What the data sets make of it, by Pillow."""
    pixels = decoded("a file", data)
    return Preprocessing(size, channels, **options)([pixels])[0]


COLOUR = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (16, 16, 4), dtype=np.uint8)
PALETTE = Image.fromarray(COLOUR).quantize(16)
CLEAR = PALETTE.copy()
CLEAR.info["transparency"] = 3
FILES = {
    "grey": image_file(COLOUR[..., 0]),
    "colour": image_file(COLOUR),
    "alpha": image_file(ALPHA),
    "grey_alpha": image_file(Image.fromarray(ALPHA[..., :2], "LA")),
    "palette": image_file(PALETTE),
    "transparent_palette": image_file(CLEAR),
    "one_bit": image_file(Image.fromarray(COLOUR[..., 0] > 127)),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", FILES)
def test_a_png_of_the_models_size_is_that_of_the_data_bit_for_bit(name, channels):
    expected = as_trained(FILES[name], 16, channels)
    np.testing.assert_array_equal(read(FILES[name], (16, 16, channels)), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_is_as_pillow_decodes_it(channels):
    smooth = np.asarray(Image.fromarray(COLOUR[:4, :4]).resize((16, 16)))
    for pixels in (smooth, smooth[..., 0]):
        data = image_file(pixels, "JPEG", quality=90)
        expected = as_trained(data, 16, channels).astype(int)
        # Two decoders of one lossy format.
        assert abs(read(data, (16, 16, channels)) - expected).max() <= 2


SMOOTH = np.asarray(Image.fromarray(COLOUR).resize((90, 70)))


@pytest.mark.parametrize("source", [SMOOTH, RNG.integers(0, 256, (23, 40, 3), "uint8")])
@pytest.mark.parametrize("filter_", ["lanczos", "bilinear"])
@pytest.mark.parametrize("crop", [None, "pad", 20])
def test_other_sizes_are_within_a_grey_level_of_the_data(source, filter_, crop):
    data = image_file(source)
    resizing = Resizing(crop, filter_)
    for size, channels in ((16, 3), (32, 1)):
        shape = (size, size, channels)
        expected = as_trained(data, size, channels, crop=crop, filter=filter_)
        actual = read(data, shape, resizing)
        assert abs(actual - expected.astype(int)).max() <= 1
        assert actual.std() > 10  # It is a picture at all.


def test_images_that_are_not_square_keep_their_shape():
    pixels = np.zeros((40, 40), np.uint8)
    pixels[10:30] = 255  # The middle half, which is all that 1:2 takes.
    assert (read(image_file(pixels), (8, 16, 1)) == 255).all()


def test_binary_data_stay_binary():
    data = image_file(SMOOTH)
    image = read(data, (16, 16, 1), Resizing(is_binary=True))
    assert set(np.unique(image)) == {0, 255}
    np.testing.assert_array_equal(image > 0, read(data, (16, 16, 1)) > 127)
    sprites = DSprites()
    assert sprites.resizing.is_binary
    sprite = sprites.images()[np.array([40_000])][0]
    kept = read(image_file(sprite[..., 0]), sprite.shape, sprites.resizing)
    np.testing.assert_array_equal(kept, sprite)


DEEP = image_file(RNG.integers(0, 2**16, (16, 16)).astype(np.uint16))
PNG = FILES["grey"]


@pytest.mark.parametrize(
    ("data", "resizing", "words"),
    [
        (b"", Resizing(), "Input is empty|image"),
        (b"no image at all, but long enough", Resizing(), "image"),
        (PNG[: len(PNG) // 2], Resizing(), "Invalid PNG"),
        (DEEP, Resizing(), "image_bytes must have 8 bits for each value"),
        (FILES["colour"], Resizing(20), "must have the size of the centre crop"),
    ],
)
def test_bad_files_are_refused_with_the_reason(data, resizing, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        read(data, (12, 12, 1), resizing)


# ---- A whole model, served.


@pytest.fixture(scope="module")
def model():
    space = latents.JointLatents(
        latents.GaussianLatents(3), latents.CategoricalLatents([3])
    )
    return models.build_vae((16, 16, 1), latents=space, **MLP)


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "1"
    model.export(folder, verbose=False)
    loaded = tf.saved_model.load(folder)
    loaded.signatures._keep = loaded  # A signature alone does not keep its weights.
    return loaded.signatures


IMAGES = RNG.integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)


def test_image_files_give_the_same_bits_as_their_pixels(served):
    files = [image_file(image[..., 0]) for image in IMAGES]
    by_file = served["encode_bytes"](image_bytes=tf.constant(files))
    by_pixels = served["serving_default"](images=tf.constant(IMAGES))
    assert (
        set(by_file)
        == set(by_pixels)
        == {"mean", "stddev", "codes"} | {"probabilities_c0"}
    )
    for name, value in by_pixels.items():
        np.testing.assert_array_equal(by_file[name], value)


def test_a_draw_is_that_of_its_seed_whatever_the_batch(served, model):
    seeds = tf.constant([[5, 0], [6, 0], [5, 0]])
    drawn = served["sample"](seed=seeds)
    assert drawn["images"].shape == (3, 16, 16, 1)
    for i, seed in enumerate((5, 6, 5)):
        alone = served["sample"](seed=seeds[i : i + 1])
        np.testing.assert_array_equal(
            alone["sampled_codes"][0], drawn["sampled_codes"][i]
        )
        expected = model.sample(1, seed=seed)[0]
        np.testing.assert_allclose(drawn["images"][i], expected, atol=1e-6)
    assert np.ptp(drawn["images"][:2], axis=0).max() > 1e-4
    decoded_codes = model.decode(drawn["sampled_codes"].numpy())
    np.testing.assert_allclose(drawn["images"], decoded_codes, atol=1e-6)


def test_a_latent_that_is_not_there_edits_nothing(served, model):
    codes = model.encode(IMAGES[:2])
    edited = served["edit"](
        codes=tf.constant(codes), latent=tf.constant([-1, 4]), value=tf.ones(2)
    )
    np.testing.assert_allclose(edited["images"], model.decode(codes), atol=1e-6)


@pytest.mark.parametrize(
    "rows", [(1, 2, 1), (1, 2, 2), (2, 1, 1), (2, 2, 1), (0, 1, 1)]
)
def test_edit_refuses_unequal_numbers_of_rows(rows, served):
    """None of them stands for all, and none is left over."""
    codes, latent, value = rows
    words = "codes, latent, value must have equal numbers of rows"
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        served["edit"](
            codes=tf.zeros([codes, 4]),
            latent=tf.zeros([latent], tf.int32),
            value=tf.ones([value]),
        )


def test_batches_of_no_rows(served):
    inputs = {
        "encode": {"images": IMAGES[:0]},
        "encode_bytes": {"image_bytes": tf.constant([], tf.string)},
        "decode": {"codes": np.zeros((0, 4), np.float32)},
        "reconstruct": {"images": IMAGES[:0]},
        "edit": {
            "codes": np.zeros((0, 4), np.float32),
            "latent": np.zeros(0, np.int32),
            "value": np.zeros(0, np.float32),
        },
        "sample": {"seed": np.zeros((0, 2), np.int32)},
    }
    assert {*inputs, "serving_default"} == set(served)
    for name, values in inputs.items():
        answer = served[name](**{key: tf.constant(v) for key, v in values.items()})
        assert all(tensor.shape[0] == 0 for tensor in answer.values())


@pytest.mark.parametrize("shape", [(2, 15, 16, 1), (2, 16, 16, 3), (16, 16, 1)])
def test_another_shape_is_named(served, shape):
    """TF Serving passes this text on, as INVALID_ARGUMENT."""
    errors = (tf.errors.InvalidArgumentError, TypeError)
    with pytest.raises(errors, match=r"16, ?16, ?1"):
        served["encode"](images=tf.zeros(shape, tf.uint8))


def test_vectors_have_no_files():
    objective = objectives.beta_vae(1.0, likelihood=Normal())
    space = latents.GaussianLatents(2)
    vectors = models.build_vae((1, 1, 3), latents=space, objective=objective, **MLP)
    assert "encode_bytes" not in vectors.signatures()
    rows = RNG.normal(size=(4, 1, 1, 3)).astype(np.float32)
    check_signatures(vectors, rows, vectors.encode(rows))


def test_weights_are_read_at_each_call(model):
    function = model.signatures()["decode"]
    codes = tf.zeros([1, 4])
    before = function(codes)["images"].numpy()
    bias = model.decoder.weights[-1]
    kept = bias.numpy()
    bias.assign(kept + 1.0)
    after = function(codes)["images"].numpy()
    bias.assign(kept)
    assert (after > before).all()
