"""What a GPU asks of a step: kernels, no talk with the host, images that lie there.

No GPU is needed: TensorFlow says which kernels it has for whatever device, and the
graph of a step shows what it takes and gives.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels, ops

from tests.test_gin_files import RUNNABLE
from tests.training import small
from tf_disentangle import configuration, objectives
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import mlp_critic
from tf_disentangle.priors import InverseWishartPrior
from tf_disentangle.training.resident import ResidentImages

#: Arguments of functions, which no kernel runs.
ARGUMENTS = {"Placeholder"}


def operations(model):
    """Returns the names of all operations of a step, those of its functions too."""
    dtype = tf.float32 if model.is_vector else tf.uint8
    spec = tf.TensorSpec((4 * model.batches_per_step, *model.image_shape), dtype)
    model.build_optimizers()
    step = tf.function(model.train_step, autograph=False)
    graph = step.get_concrete_function(spec).graph.as_graph_def()
    nodes = [n for f in graph.library.function for n in f.node_def]
    return {node.op for node in [*graph.node, *nodes]} - ARGUMENTS


def without_kernel(names):
    """Returns {operation: devices} of those that lack a kernel for GPUs, or XLA's."""
    # XLA's kernels are there once it has compiled something.
    tf.function(lambda x: x + 1.0, jit_compile=True)(tf.constant(0.0))
    lacking = {}
    for name in names:
        found = kernels.get_registered_kernels_for_op(name).kernel
        devices = {kernel.device_type for kernel in found}
        # DEFAULT is of operations on shapes, which every device has.
        if not devices & {"GPU", "DEFAULT"} or "XLA_GPU_JIT" not in devices:
            lacking[name] = sorted(devices)
    return lacking


def compiled(model):
    model.compile()
    return model


MODELS = {
    "chyvae": lambda: build_vae(
        (32, 32, 1), latents=GaussianLatents(4, "full", InverseWishartPrior(nu=10.0))
    ),
    "factor_vae": lambda: small.narrow(
        (8, 8, 1),
        latents=4,
        objective=objectives.factor_vae(gamma=10.0),
        critic=functools.partial(mlp_critic, width=8),
    ),
}


@pytest.mark.skipif(not tf.test.is_built_with_cuda(), reason="built without GPUs")
@pytest.mark.parametrize("name", MODELS)
def test_every_operation_of_a_step_has_kernels(name):
    model = compiled(MODELS[name]())
    names = operations(model)
    assert "MatMul" in names
    assert name != "chyvae" or {"Conv2D", "Cholesky"} <= names
    assert without_kernel(names) == {}


@pytest.mark.slow
@pytest.mark.skipif(not tf.test.is_built_with_cuda(), reason="built without GPUs")
@pytest.mark.parametrize("file", RUNNABLE, ids=lambda file: file.stem)
def test_every_operation_of_a_gin_file_has_kernels(file):
    configuration.parse([str(file)], ["train.steps = 1", "train.metrics = []"])
    if "@published()" in configuration.with_defaults():
        pytest.skip("asks for files that are not the library's")
    model = configuration.build("train", dry_run=True, output=None).model
    assert without_kernel(operations(model)) == {}


@pytest.mark.skipif(not tf.test.is_built_with_cuda(), reason="built without GPUs")
def test_what_has_no_kernel_is_found():
    """The shuffle of the batches, for one: it stays on the host, in tf.data."""
    lacking = without_kernel({"RandomIndexShuffle", "EagerPyFunc", "Conv2D"})
    assert set(lacking) == {"RandomIndexShuffle", "EagerPyFunc"}


@pytest.fixture
def reads(monkeypatch):
    """Counts the tensors whose values Python asks for: [how many].

    Keras asks after each call of a step whether there was a batch. That is a bool of
    the host's, for which no device is waited for, and it is not counted.
    """
    count, original = [0], ops._EagerTensorBase._numpy

    def counted(tensor):
        count[0] += tensor.dtype != tf.bool
        return original(tensor)

    monkeypatch.setattr(ops._EagerTensorBase, "_numpy", counted)
    return count


class AsksEachStep(keras.callbacks.Callback):
    """What the library's own callbacks must not do."""

    async_safe = True  # Keras would ask for it otherwise.

    def on_train_batch_end(self, batch, logs=None):
        float(tf.convert_to_tensor(logs["loss"]))


def test_an_interval_asks_for_nothing_between_its_steps(data, reads):
    """As many values as a short interval: those of its row."""

    def asked(log, callbacks=()):
        reads[0] = 0
        intervals = small.Intervals(log=log, evaluate=0, save=0, pictures=0)
        options = {"intervals": intervals, "callbacks": callbacks}
        small.run(data, None, steps=2 * log, **options)
        return reads[0]

    few = asked(2)
    assert few > 0
    assert asked(10) == few
    assert asked(10, [AsksEachStep()]) >= few + 20


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_takes_indices_and_gathers_on_the_device(jit_compile):
    """The images are an input that stays where it is, as the weights are."""
    images = np.zeros((50, 8, 8, 1), np.uint8)
    model = compiled(small.narrow((8, 8, 1)))
    model.build_optimizers()
    model.load_images = ResidentImages(images)
    step = tf.function(model.train_step, autograph=False, jit_compile=jit_compile)
    spec = tf.TensorSpec((4,), tf.int64)
    concrete = step.get_concrete_function(spec)
    given = [i for i in concrete.inputs if i.dtype != tf.resource]
    assert [(i.dtype, tuple(i.shape)) for i in given] == [
        (tf.int64, (4,)),
        (tf.uint8, images.shape),
    ]
    (held,) = [i for i in concrete.captured_inputs if i.dtype == tf.uint8]
    assert held is model.load_images._copies[0][0]
    assert "GatherV2" in {o.type for o in concrete.graph.get_operations()}
