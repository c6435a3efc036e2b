"""The summary of a run and the card of its export: true, complete, readable."""

import functools
import hashlib
import json

import numpy as np
import pytest

import tf_disentangle as td
from tests import undrawn
from tf_disentangle import checks, configs, latents, models, networks
from tf_disentangle.datasets import CorrelatedEllipses
from tf_disentangle.interfaces import Resizing
from tf_disentangle.serving import card, export, variants
from tf_disentangle.summary import summarize

MLP = {
    "encoder": functools.partial(networks.mlp_encoder, width=8),
    "decoder": functools.partial(networks.mlp_decoder, width=8),
}


def build(image_shape, seed):
    space = latents.JointLatents(
        latents.GaussianLatents(3), latents.CategoricalLatents([3])
    )
    return models.build_vae(image_shape, seed, latents=space, **MLP)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = CorrelatedEllipses(num_images=64)
    folder = tmp_path_factory.mktemp("runs") / "small"
    options = {"batch_size": 8, "validation_size": 32, "metrics": ["mig"]}
    run = undrawn.train(build, data, steps=2, output=folder, **options)
    votes = [[5, 1, 0, 0], [0, 2, 2, 4], [0, 0, 0, 0], [1, 0, 0, 0]]
    assigned = {"score": 0.5, "protocol": "published", "votes": votes}
    assigned["factor_of_latent"] = ["x", "rotation", "", "x"]
    bounds = {"noise": 0.2, "untrained": 0.3, "ceiling": None}
    about = {"step": 2, "codes": "mean"}
    run.folder.append({**about, "scores": {"factor_vae": assigned}, "call": "c"})
    run.folder.append({**about, "bounds": {"mig": {**bounds, "ceiling": 0.9}}})
    run.folder.append({**about, "codes": "sampled", "scores": {"mig": {"score": 9.0}}})
    return td.load(folder)


@pytest.fixture(scope="module")
def summary(run):
    return summarize(run)


def test_what_a_run_is(summary, run):
    assert json.loads(json.dumps(summary)) == summary
    assert (summary["name"], summary["step"], summary["steps"]) == ("small", 2, 2)
    assert (summary["model"], summary["data"]) == ("VAE", "CorrelatedEllipses")
    assert summary["image_shape"] == [64, 64, 1]
    networks_ = (run.model.encoder, run.model.decoder)
    assert summary["num_parameters"] == sum(n.count_params() for n in networks_)
    assert summary["terms"]["val_loss"] == run.terms["val_loss"]
    assert not {"step", "wall_time"} & set(summary["terms"])
    assert summary["versions"] == run.folder.describe()["versions"] | {
        "python": run.folder.describe()["python"]
    }


def test_settings_are_flat(summary, run):
    settings = summary["settings"]
    assert settings["model.latents"] == "JointLatents"
    assert settings["model.latents.continuous.num_latents"] == 3
    assert settings["model.latents.discrete.sizes"] == [3]
    assert settings["data.num_images"] == 64
    assert settings["training.optimizers.optimizer.learning_rate"] == 1e-4
    for layer in run.model.encoder.layers:
        if hasattr(layer, "units"):
            assert f"Dense({layer.units}" in settings["model.encoder"]
    assert settings["model.encoder.name"] == run.model.encoder.name
    assert not any(isinstance(value, dict) for value in settings.values())


def test_latents_by_hand(summary, run):
    entries = summary["latents"]
    assert [each["name"] for each in entries] == ["z0", "z1", "z2", "c0"]
    assert [each["num_values"] for each in entries] == [None, None, None, 3]
    (per_latent,) = [r["kl_per_latent"] for r in run.history if "kl_per_latent" in r]
    assert [each["kl"] for each in entries] == per_latent
    assert [each["share"] for each in entries] == [5 / 6, 0.5, None, 1.0]
    assert entries[1]["votes"] == [0, 2, 2, 4]
    for each, factor in zip(entries, ("x", "rotation", None, "x"), strict=True):
        assert each["factor"] == (factor if each["moves"] else None)
    codes = run.encode(run.data.images()[run.batches.held_out])
    low, high = np.percentile(codes, (1, 99), axis=0)
    np.testing.assert_allclose([each["low"] for each in entries], low, atol=1e-4)
    np.testing.assert_allclose([each["high"] for each in entries], high, atol=1e-4)


def test_scores_have_the_bounds_that_were_recorded(summary):
    scores = summary["scores"]
    assert scores["factor_vae"] == {
        "score": 0.5,
        "interval": None,
        "floor": None,
        "ceiling": None,
        "protocol": "published",
    }
    assert scores["mig"]["score"] != 9.0  # of sampled codes
    # The floor is what is nearer to the ceiling.
    assert (scores["mig"]["floor"], scores["mig"]["ceiling"]) == (0.3, 0.9)


def test_a_run_in_memory_has_a_summary_too(run, summary):
    own = summarize(td.train(build, run.data, steps=2, batch_size=8, dry_run=True))
    assert own["name"] == "run" and own["settings"]["data.num_images"] == 64
    assert set(own) == set(summary) and (own["step"], own["steps"]) == (0, 2)
    assert [each["kl"] for each in own["latents"]] == [None] * 4
    assert own["terms"] == own["scores"] == {}


def test_what_is_no_finite_number_is_none(run, monkeypatch, tmp_path):
    """JSON has no NaN; browsers and other programs read these files."""
    nan, inf = float("nan"), float("inf")
    terms = {"step": 2, "loss": nan, "val_loss": inf, "elbo": -1.5}
    scored = {"step": 2, "scores": {"mig": {"score": nan}, "sap": {"score": 0.25}}}
    rows = [terms, scored, {"step": 2, "bounds": {"sap": {"noise": -inf}}}]
    described = run.folder.describe()
    described["training"] |= {"limit": inf, "rate": 1e-3}
    monkeypatch.setattr(type(run), "history", property(lambda self: rows))
    monkeypatch.setattr(type(run.folder), "describe", lambda self: described)
    found = summarize(run)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["terms"] == {"loss": None, "val_loss": None, "elbo": -1.5}
    assert found["scores"]["mig"]["score"] is None
    assert found["scores"]["sap"]["score"] == 0.25
    assert found["scores"]["sap"]["floor"] is None
    settings = found["settings"]
    assert (settings["training.limit"], settings["training.rate"]) == ("inf", 1e-3)
    text = (run.export(tmp_path) / "model_card.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["terms"]["loss"] is None


def test_a_latent_that_the_decoder_ignores_stands_for_no_factor(run):
    weights = run.model.decoder.get_weights()
    changed = [w.copy() for w in weights]
    changed[0][0] = 0.0  # The first layer's row of z0.
    run.model.decoder.set_weights(changed)
    first = summarize(run)["latents"][0]
    run.model.decoder.set_weights(weights)
    assert first["moves"] is False and first["movement"] == 0
    assert first["factor"] is None and first["share"] == 5 / 6


def test_a_run_whose_data_are_gone(run, monkeypatch, caplog):
    def gone(self):
        raise configs.CannotRebuildError("data", "its files are missing")

    monkeypatch.setattr(type(run), "data", property(gone))
    each = summarize(run)["latents"][0]
    assert each["kl"] is not None and each["low"] is each["moves"] is None
    from tf_disentangle.serving.exporting import resizing_of

    assert resizing_of(run) == Resizing() and "files are missing" in caplog.text


# ---- The card.


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return run.export(tmp_path_factory.mktemp("served"))


def test_the_card_of_a_run(exported, summary, run):
    content = json.loads((exported / "model_card.json").read_text())
    same = set(summary) - {"name"}
    assert {k: content[k] for k in same} == {k: summary[k] for k in same}
    assert (content["name"], content["version"]) == ("small", 1)
    assert (content["variant"], content["precision"]) == ("savedmodel", "float32")
    assert content["code_output"] == "codes"
    files = [p for p in exported.rglob("*") if p.is_file() and p.name not in card.NAMES]
    assert len(content["files"]) == len(files) >= 4
    for path in files:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert content["files"][str(path.relative_to(exported))] == digest
    assert set(content["signatures"]) == set(run.model.signatures())
    encode = content["signatures"]["encode"]
    shape = {"dtype": "uint8", "shape": [None, 64, 64, 1]}
    assert encode["inputs"] == {"images": shape}
    assert set(encode["outputs"]) == {"mean", "stddev", "codes", "probabilities_c0"}
    assert encode["outputs"]["mean"] == {"dtype": "float32", "shape": [None, 3]}


def test_the_card_as_text(exported):
    text = (exported / "model_card.md").read_text()
    for words in (
        "# small, version 1",
        "trained on CorrelatedEllipses for 2 of 2 steps",
        "| z0 | continuous |",
        "| c0 | categorical, values 0 to 2 |",
        "| factor_vae | 0.5 |  |  | published |",
        "`bin/evaluate RUN --bounds`",
        "The code that `decode` takes is the output `codes`.",
        "### encode_bytes: image files to codes",
        "resized by lanczos",
        "| model.latents.continuous.num_latents | 3 |",
        "| saved_model.pb | ",
    ):
        assert words in text, words
    # Every name of an input or output says what it is.
    tables = [line for line in text.splitlines() if line.startswith("|")]
    rows = [row for row in tables if row.startswith(("| input |", "| output |"))]
    assert len(rows) > 10 and not [row for row in rows if row.endswith("|  |")]
    assert all(line.endswith("|") for line in tables)


def test_a_model_without_a_run_has_a_card_too(tmp_path):
    model = models.build_vae((8, 8, 1), latents=2, **MLP)
    resizing = Resizing("pad", "bilinear", is_binary=True)
    folder = export(model, tmp_path, "alone", resizing=resizing)
    content = json.loads((folder / "model_card.json").read_text())
    assert [each["name"] for each in content["latents"]] == ["z0", "z1"]
    assert content["resizing"] == {
        "crop": "pad",
        "filter": "bilinear",
        "is_binary": True,
    }
    text = (folder / "model_card.md").read_text()
    assert "None are recorded" in text and "black and white" in text
    assert "bilinear" in text and "black borders" in text


def test_a_variant_is_compared_on_held_out_images(run, tmp_path, monkeypatch):
    seen = []

    def write(model, folder, variant, precision, images):
        seen.append(images)
        folder.mkdir()
        return {"encode": 0.0}

    monkeypatch.setattr(variants, "write", write)
    run.export(tmp_path, variant="onnx")
    held_out = run.data.images()[run.batches.held_out]
    (images,) = seen
    known = {image.tobytes() for image in held_out}
    assert len(images) == len({image.tobytes() for image in images} & known) > 1
    monkeypatch.setattr(
        type(run), "data", property(lambda run: checks.require(0, "data", "be", 0))
    )
    run.export(tmp_path, variant="onnx")
    assert seen[1] is None


def test_a_variant_says_how_far_it_is_from_the_model(tmp_path):
    pytest.importorskip("onnxruntime")
    model = models.build_vae((8, 8, 1), latents=2, **MLP)
    folder = export(model, tmp_path, "m", variant="onnx")
    assert folder == tmp_path / "m-onnx" / "1"
    content = json.loads((folder / "model_card.json").read_text())
    assert content["variant"] == "onnx" and max(content["errors"].values()) < 1e-5
    assert (
        set(content["signatures"])
        == set(content["errors"])
        == {
            "encode",
            "decode",
            "reconstruct",
            "edit",
        }
    )
    assert "decode.onnx" in content["files"]
    assert "largest difference from the model" in (folder / "model_card.md").read_text()
    assert not list(tmp_path.glob("*.config"))  # They are TF Serving's.
    with pytest.raises(checks.ArgumentError, match="version must be new"):
        export(model, tmp_path, "m", 1, variant="onnx")
