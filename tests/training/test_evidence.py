"""The evidence of held-out images as a metric of a data set."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tf_disentangle.training.evidence import log_evidence_of

from tf_disentangle import checks
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.metrics import evaluate
from tf_disentangle.models import build_vae, log_evidence
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.priors import (
    InverseWishartPrior,
    Prior,
)

HELD_OUT = np.array([7, 30, 2, 55, 41])
OPTIONS = {"num_images": 4, "num_samples": 20, "progress": False}


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=60)


def model(covariance="full", prior=None):
    return build_vae(
        (64, 64, 1),
        latents=GaussianLatents(3, covariance, prior or InverseWishartPrior(nu=20.0)),
        encoder=functools.partial(mlp_encoder, width=8),
        decoder=functools.partial(mlp_decoder, width=8),
    )


def test_is_the_evidence_of_images_that_were_held_out(data):
    built = model()
    result = log_evidence_of(built, HELD_OUT)(data, None, seed=3, **OPTIONS)
    rows = np.sort(np.random.default_rng(3).choice(HELD_OUT, size=4, replace=False))
    expected = log_evidence(built, data.images()[rows], num_samples=20, seed=3)
    np.testing.assert_array_equal(result.per_image, expected.per_image)
    assert result.score == expected.mean
    error = np.std(expected.per_image, ddof=1) / 2
    assert result.standard_error == pytest.approx(error)
    assert result.effective_samples == np.median(expected.effective_samples)
    assert result.protocol == "4 held-out images, 20 draws"


def test_seeds_draw_anew_and_few_images_are_all_taken(data):
    metric = log_evidence_of(model(), HELD_OUT)
    found = evaluate(
        data,
        None,
        {"log_evidence": functools.partial(metric, num_samples=2)},
        seeds=(0, 1),
        progress=False,
    )["log_evidence"]
    first, second = found.results
    assert first.score != second.score
    assert found.interval.num == 2
    assert found.protocol == "5 held-out images, 2 draws"


class Formless(Prior):
    """A prior that has a KL and no density."""

    def kl(self, posterior, sample, seed):
        return {"kl": tf.reduce_sum(sample**2, axis=-1)}


def test_what_has_no_evidence():
    with pytest.raises(checks.ArgumentError, match="hold out at least 2 images"):
        log_evidence_of(model(), HELD_OUT[:1])
    with pytest.raises(checks.ArgumentError, match=r"a prior with a density.*Formless"):
        log_evidence_of(model("diagonal", Formless()), HELD_OUT)


def test_reports_each_image_once(data):
    seen = []
    log_evidence(model(), data.images()[:7], num_samples=300, on_images=seen.append)
    assert sum(seen) == 7
