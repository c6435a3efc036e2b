"""Scores on the way and at the end; codes sampled from the posterior."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tf_disentangle.models.posterior_samples import PosteriorSamples
from tf_disentangle.training.aggregate_posterior import aggregate_posterior_of

from tests import undrawn
from tf_disentangle import checks, metrics
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.metrics import METRICS
from tf_disentangle.models import build_vae
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import chyvae
from tf_disentangle.priors import (
    InverseWishartPrior,
)
from tf_disentangle.training import Intervals

EVERY_2 = Intervals(log=2, evaluate=2, save=2, pictures=0, score=2)
narrow = functools.partial(
    build_vae,
    encoder=functools.partial(conv_encoder, width=8),
    decoder=functools.partial(conv_decoder, width=8),
)


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=80)


def some_metrics():
    def mig(dataset, encode):
        return METRICS["mig_score"](dataset, encode, num_train=60, progress=False)

    def units(dataset, encode):
        return METRICS["active_units"](dataset, encode, num_train=60, progress=False)

    return [mig, units]


def run(data, output, steps, intervals=EVERY_2):
    return undrawn.train(
        narrow,
        data,
        output=str(output),
        steps=steps,
        intervals=intervals,
        batch_size=8,
        validation_size=16,
        metrics=some_metrics(),
    )


def scored(result):
    clock = ("wall_time", "images_per_second")
    return [{k: v for k, v in row.items() if k not in clock} for row in result.history]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    return run(data, tmp_path_factory.mktemp("whole"), 6)


def test_scored_and_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    data, whole, tmp_path
):
    first = run(data, tmp_path / "b", 4)
    # Scored on the way to a checkpoint that a killed process never wrote.
    first.folder.append({"step": 6, "scores": {"mig": {"score": 9.0}}})
    resumed = run(data, tmp_path / "b", 6)
    assert scored(whole) == scored(resumed)
    assert [row["step"] for row in scored(whole) if "scores" in row] == [2, 4, 6]
    without = run(data, tmp_path / "c", 6, Intervals(log=2, evaluate=2, save=2))
    for a, b, c in zip(
        whole.model.variables,
        resumed.model.variables,
        without.model.variables,
        strict=True,
    ):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
        np.testing.assert_array_equal(a.numpy(), c.numpy())
    assert [row["step"] for row in scored(without) if "scores" in row] == [6]
    # The last row's scores are those that the run returns.
    last = scored(whole)[-1]["scores"]
    assert last["mig"]["score"] == whole.scores["mig"].score


def test_tensorboard_has_every_number(whole):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(whole.folder.tensorboard))
    events.Reload()
    assert {"mig/score", "units/score"} <= set(events.Tags()["tensors"])
    assert [event.step for event in events.Tensors("mig/score")] == [2, 4, 6]


def posteriors(covariance):
    options = {"covariance": covariance}
    latents = GaussianLatents(3, **options)
    if covariance == "full":
        latents = GaussianLatents(3, prior=InverseWishartPrior(nu=20.0), **options)
    objective = {"objective": chyvae()} if covariance == "full" else {}
    return narrow((64, 64, 1), latents=latents, **objective)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_samples_have_the_posteriors_moments(data, covariance):
    model = posteriors(covariance)
    encode = PosteriorSamples(model)
    image = np.asarray(data.images()[:1])
    known = encode(image)
    posterior = model.posterior(tf.constant(image))
    draws = encode.draw(known.repeat(40_000, axis=0), np.random.default_rng(0))
    covariance_ = posterior.covariance().numpy()[0]
    scale = np.sqrt(np.diag(covariance_))
    off = (draws.mean(axis=0) - posterior.mean().numpy()[0]) / scale
    assert np.all(np.abs(off) < 4 / np.sqrt(40_000))
    # The standard error of a covariance of unit variances is at most sqrt(2 / N).
    error = np.abs(np.cov(draws.T) - covariance_) / np.outer(scale, scale)
    assert error.max() < 4 * np.sqrt(2 / 40_000)
    mean, deviation = encode.moments(known)
    np.testing.assert_allclose(mean[0], posterior.mean().numpy()[0], rtol=1e-5)
    np.testing.assert_allclose(deviation[0], scale, rtol=1e-4)


def test_a_metric_scores_sampled_codes(data):
    encode = PosteriorSamples(posteriors("diagonal"))
    mean = METRICS["active_units"](
        data, posteriors("diagonal").encode, num_train=400, progress=False
    )
    sampled = METRICS["active_units"](data, encode, num_train=400, progress=False)
    # At the start of training q(z|x) is about N(0, 1): all of it is noise.
    assert mean.score == 0
    np.testing.assert_allclose(sampled.variances, 1.0, atol=4 * np.sqrt(2 / 400))


def test_aggregate_posterior_of_a_model(data):
    model = posteriors("diagonal")
    result = aggregate_posterior_of(model)(
        data, None, num_images=60, num_samples=50, progress=False
    )
    encode = PosteriorSamples(model)
    chosen = np.random.default_rng(0).choice(80, size=60, replace=False)
    moments = encode.moments(encode(data.images()[np.sort(chosen)]))
    expected = metrics.aggregate_posterior_scores(
        *moments, num_samples=50, progress=False
    )
    assert result.score == pytest.approx(expected.score, abs=1e-6)
    assert result.protocol == "mixture of 60, 50 draws"
    with pytest.raises(checks.ArgumentError, match="standard normal prior"):
        aggregate_posterior_of(posteriors("full"))
