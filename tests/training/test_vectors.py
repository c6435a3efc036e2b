"""A whole run on vectors: scored, drawn, and drawn again."""

import functools
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import tf_disentangle
from tests import undrawn
from tf_disentangle.datasets import Pinwheel
from tf_disentangle.distributions import Normal
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.metrics import factor_vae_score
from tf_disentangle.models import build_vae
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.objectives import decomposition_vae
from tf_disentangle.priors import (
    NormalMixturePrior,
    NormalPrior,
)
from tf_disentangle.training import Intervals

SCORE = functools.partial(
    factor_vae_score, num_variance_samples=100, num_train_votes=20, num_test_votes=20
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    prior = NormalMixturePrior([[0.0, -1.0], [0.0, 1.0]], 0.1)
    model = functools.partial(
        build_vae,
        latents=GaussianLatents(2, prior=prior),
        objective=decomposition_vae(1.0, 1.0, "kl", Normal(None)),
        encoder=functools.partial(mlp_encoder, width=8),
        decoder=functools.partial(mlp_decoder, width=8),
    )
    return tf_disentangle.train(
        model,
        Pinwheel(num_points=120),
        output=str(tmp_path_factory.mktemp("run")),
        steps=4,
        batch_size=30,
        validation_size=20,
        intervals=Intervals(log=2, evaluate=2, save=2, pictures=2),
        metrics=[SCORE],
        dry_run=True,
    )


@pytest.fixture(scope="module")
def result(prepared):
    return prepared.start()


def test_is_trained_validated_and_scored(result):
    assert result.step == 4
    for name in ("loss", "val_elbo", "val_weighted_divergence"):
        assert np.isfinite(result.terms[name])
    # One factor: the vote is right whichever latent wins.
    assert result.scores["factor_vae"].score == 1.0


def test_its_picture_is_of_points(prepared, result):
    path, *others = result.draw()
    assert path.name == "points.png" and [p.name for p in others] == [
        "posteriors.png",
        "factor_vae_votes.png",
    ]
    assert path.name == "points.png"
    picture = np.array(Image.open(path))
    assert picture.ndim == 3 and picture.shape[1] > picture.shape[0] > 220


def test_takes_up_again_what_it_wrote(prepared, result):
    codes = result.encode(prepared.data.images()[:5])
    again = prepared.start()
    assert again.step == 4
    np.testing.assert_array_equal(again.encode(prepared.data.images()[:5]), codes)


def test_a_learned_prior_is_trained_saved_and_gone_on_with(tmp_path):
    model = functools.partial(
        build_vae,
        objective=decomposition_vae(1.0, 1.0, "mmd", Normal(0.3)),
        encoder=functools.partial(mlp_encoder, width=8),
        decoder=functools.partial(mlp_decoder, width=8),
    )

    def run(name, steps):
        prior = NormalPrior(2.0, [3.0, 1.0], trainable=True)
        return undrawn.train(
            functools.partial(model, latents=GaussianLatents(2, prior=prior)),
            Pinwheel(num_points=60),
            output=str(tmp_path / name),
            steps=steps,
            batch_size=20,
            validation_size=20,
            optimizer=lambda: keras.optimizers.Adam(0.01),
            intervals=Intervals(log=2, evaluate=2, save=2, pictures=0),
        ).model.latents.prior.variances()

    whole = run("a", 4)
    shutil.rmtree(tmp_path / "a" / "checkpoints" / "step-4")  # as if killed
    np.testing.assert_array_equal(run("a", 4), whole)
    assert np.mean(whole) == pytest.approx(2.0)
    assert abs(whole[0] - 3.0) > 1e-3
