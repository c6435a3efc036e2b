"""A small model on few images, trained for a few steps: what these tests share."""

import functools

import numpy as np

from tests import undrawn
from tf_disentangle.models import build_vae
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.training import Intervals

narrow = functools.partial(
    build_vae,
    encoder=functools.partial(mlp_encoder, width=8),
    decoder=functools.partial(mlp_decoder, width=8),
)
EVERY_2 = Intervals(log=2, evaluate=2, save=2, pictures=0)
OPTIONS = {"batch_size": 8, "validation_size": 16, "intervals": EVERY_2}


def run(data, output, steps=4, model=narrow, *, do=undrawn.train, **options):
    return do(model, data, output=output, steps=steps, **{**OPTIONS, **options})


def rows(result):
    """The rows without what the clock says."""
    clock = ("wall_time", "images_per_second")
    return [{k: v for k, v in row.items() if k not in clock} for row in result.history]


def weights(result):
    return [v.numpy() for v in result.model.variables]


def same(a, b):
    return all(map(np.array_equal, weights(a), weights(b)))
