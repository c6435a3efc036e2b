"""Models of vectors: float32 in, unbounded out, and what they refuse."""

import functools

import numpy as np
import pytest

from tf_disentangle import checks
from tf_disentangle.distributions import Normal
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from tf_disentangle.objectives import elbo

perceptrons = functools.partial(
    build_vae,
    latents=GaussianLatents(2),
    encoder=functools.partial(mlp_encoder, width=8),
    decoder=functools.partial(mlp_decoder, width=8),
)


@pytest.fixture(scope="module", params=[1.0, None])
def model(request):
    return perceptrons((1, 1, 2), objective=elbo(Normal(request.param)))


@pytest.fixture(scope="module")
def vectors():
    return 30 * np.random.default_rng(0).normal(size=(7, 1, 1, 2)).astype("float32")


def test_vectors_are_taken_as_they_are(model, vectors):
    expected = model.encoder(vectors).numpy()[:, :2]
    np.testing.assert_allclose(model.encode(vectors), expected, rtol=1e-5)


def test_what_is_decoded_has_no_bounds(model, vectors):
    outputs = model.decoder(model.encode(vectors)).numpy()[..., :2]
    found = model.reconstruct(vectors)
    assert found.shape == vectors.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, outputs, rtol=1e-5)
    assert found.min() < 0 or found.max() > 1


def test_a_normal_likelihoods_images_stay_in_the_unit_interval():
    model = perceptrons((4, 4, 1), objective=elbo(Normal(0.1)))
    codes = 100 * np.random.default_rng(0).normal(size=(9, 2))
    assert np.ptp(model.decoder(codes)) > 1
    images = model.decode(codes)
    assert images.min() >= 0 and images.max() <= 1


@pytest.mark.parametrize("scale", [0.5, None])
def test_the_decoder_emits_what_the_likelihood_asks_for(scale):
    objective = elbo(Normal(scale))
    model = build_vae(
        (32, 32, 3),
        latents=GaussianLatents(2),
        objective=objective,
        encoder=functools.partial(conv_encoder, width=8),
        decoder=functools.partial(conv_decoder, width=8),
    )
    assert model.decoder.output_shape[-1] == 3 * objective.likelihood.outputs_per_value
    images = np.zeros((2, 32, 32, 3), np.uint8)
    assert model.reconstruct(images).shape == images.shape


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((2, 1, 1, 2), np.uint8), "dtype float32; received 'uint8'"),
        (np.zeros((2, 1, 1, 2)), r"received 'float64'.*astype"),
        (np.full((2, 1, 1, 2), np.nan, np.float32), "images must be finite"),
        (np.zeros((2, 1, 1, 3), np.float32), r"have shape \[N, 1, 1, 2\]"),
        (np.zeros((2, 2), np.float32), r"have shape \[B, H, W, C\]"),
    ],
)
def test_other_data_are_refused(model, data, words):
    with pytest.raises((checks.ArgumentError, checks.ArgumentTypeError), match=words):
        model.encode(data)


def test_parts_that_do_not_fit():
    with pytest.raises(checks.ArgumentError, match=r"likelihood=Normal\(\)"):
        perceptrons((1, 1, 2))
    with pytest.raises(checks.ArgumentError, match="128 x 128, 64 x 64 or 32 x 32"):
        perceptrons((1, 1, 2), objective=elbo(Normal()), encoder=conv_encoder)
    one = mlp_decoder(2, (1, 1, 2), seed=0)
    with pytest.raises(checks.ArgumentError, match="emit 4 channels"):
        perceptrons(
            (1, 1, 2), objective=elbo(Normal(None)), decoder=lambda *_, **__: one
        )
