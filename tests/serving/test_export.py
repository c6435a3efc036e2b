"""The exported model: alone, equal, versioned."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest

from tf_disentangle import checks
from tf_disentangle.latents import GaussianLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import conv_decoder, conv_encoder
from tf_disentangle.objectives import chyvae
from tf_disentangle.priors import (
    InverseWishartPrior,
)
from tf_disentangle.serving import export, versions


@pytest.fixture(scope="module")
def model():
    return build_vae(
        (32, 32, 1),
        latents=GaussianLatents(4, "full", InverseWishartPrior(nu=20.0)),
        objective=chyvae(),
        encoder=functools.partial(conv_encoder, width=8),
        decoder=functools.partial(conv_decoder, width=8),
    )


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    export(model, base)
    return base


IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)


def test_equals_the_model_where_the_library_is_not_installed(model, exported, tmp_path):
    """Another process, which can import neither tf_disentangle nor Keras."""
    np.save(tmp_path / "images.npy", IMAGES)
    code = f"""
import sys
class Refuse:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in ("tf_disentangle", "keras", "tensorflow_probability"):
            raise ImportError(name)
import tensorflow as tf, numpy as np
for name in list(sys.modules):
    if name.split(".")[0] in ("keras", "tf_disentangle"):
        del sys.modules[name]
sys.meta_path.insert(0, Refuse())
served = tf.saved_model.load({str(exported / "1")!r})
images = tf.constant(np.load({str(tmp_path / "images.npy")!r}))
signatures = served.signatures
encoded = signatures["serving_default"](images=images)
np.savez({str(tmp_path / "out.npz")!r},
    names=sorted(signatures),
    codes=encoded["codes"], stddev=encoded["stddev"],
    encode=signatures["encode"](images=images)["codes"],
    decode=signatures["decode"](codes=encoded["codes"])["images"],
    reconstruct=signatures["reconstruct"](images=images)["images"])
"""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    out = np.load(tmp_path / "out.npz")
    assert list(out["names"]) == ["decode", "encode", "reconstruct", "serving_default"]
    codes = model.encode(IMAGES)
    posterior = model.posterior(IMAGES)
    for name, expected in {
        "codes": codes,
        "encode": codes,
        "stddev": posterior.stddev(),
        "decode": model.decode(codes),
        "reconstruct": model.reconstruct(IMAGES),
    }.items():
        np.testing.assert_allclose(out[name], expected, rtol=1e-5, atol=1e-6)


def test_any_batch_size(exported, model):
    import tensorflow as tf

    served = tf.saved_model.load(str(exported / "1"))
    for size in (1, 3):
        images = tf.constant(IMAGES[:size])
        codes = served.signatures["encode"](images=images)["codes"]
        np.testing.assert_allclose(codes, model.encode(IMAGES[:size]), atol=1e-5)


def test_versions_count_upwards_and_are_never_overwritten(model, tmp_path):
    assert os.path.basename(export(model, tmp_path)) == "1"
    assert os.path.basename(export(model, tmp_path)) == "2"
    assert os.path.basename(export(model, tmp_path, version=7)) == "7"
    assert versions(tmp_path) == [1, 2, 7]
    with pytest.raises(checks.ArgumentError, match="version must be new"):
        export(model, tmp_path, version=7)
    with pytest.raises(checks.ArgumentError, match="version must be at least 1"):
        export(model, tmp_path, version=0)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_signature_as_the_server_reads_it(exported):
    """saved_model_cli shows names, types and shapes of the default endpoint."""
    tool = os.path.join(os.path.dirname(sys.executable), "saved_model_cli")
    command = [tool, "show", "--dir", str(exported / "1"), "--all"]
    text = subprocess.run(command, capture_output=True, text=True).stdout
    default = text.split("signature_def['serving_default']")[1].split("signature_def")[
        0
    ]
    assert "inputs['images']" in default and "DT_UINT8" in default
    assert "(-1, 32, 32, 1)" in default
    assert "outputs['codes']" in default and "outputs['stddev']" in default
