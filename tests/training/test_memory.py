"""A batch that cannot fit is refused before the first step."""

import pytest

from tf_disentangle import checks
from tf_disentangle.models import build_vae
from tf_disentangle.training import memory


def test_activations_are_counted_by_hand():
    model = build_vae((32, 32, 1))
    # Input, three convolutions of stride 2 (to 4 x 4), two dense layers; then back.
    encoder = 32 * 32 + 16 * 16 * 32 + 8 * 8 * 32 + 4 * 4 * 64 + 256 + 20
    decoder = 10 + 256 + 4 * 4 * 64 + 8 * 8 * 32 + 16 * 16 * 32 + 32 * 32
    assert memory._bytes_per_image(model) == 4 * (encoder + decoder)


def test_too_large_a_batch_is_refused(monkeypatch):
    model = build_vae((32, 32, 1))
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000_000)
    memory.require_memory(model, 10)
    with pytest.raises(checks.ArgumentError, match=r"0\.01 GB.*Lower train.batch_size"):
        memory.require_memory(model, 1000)


def test_a_limit_of_the_shell_counts():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert memory.available_bytes() > 1e8
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    try:
        assert memory.available_bytes() <= 1 << 40
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
