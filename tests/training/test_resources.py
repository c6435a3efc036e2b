"""Memory: how much there is, and what a step that takes too much is answered."""

import keras
import pytest
import tensorflow as tf

from tests.training.small import run
from tf_disentangle import checks
from tf_disentangle.training import RunFolder, resources


def test_a_limit_of_the_shell_counts():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert resources.available_bytes() > 1e8
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    try:
        assert resources.available_bytes() <= 1 << 40
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_out_of_memory_says_what_to_lower(data, tmp_path):
    class Greedy(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    words = "batch_size must leave room.*received 8.*Lower batch_size.*OOM"
    with pytest.raises(checks.ArgumentError, match=words):
        run(data, tmp_path, callbacks=[Greedy()])
    assert "OutOfMemory" in RunFolder(tmp_path).describe()["status"]
