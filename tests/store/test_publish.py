"""What is published is what is loaded, whatever the kind of model."""

import getpass
import json
import pathlib
import platform
import subprocess
import sys

import numpy as np
import pytest

import tf_disentangle as td
from tests import undrawn
from tests.store import published
from tf_disentangle import checks, store
from tf_disentangle.serving import variants
from tf_disentangle.store import card, privacy, weights

# InfoGAN has what the others have, a critic and categorical latents.
KINDS = (
    "chyvae",
    pytest.param("joint_vae", marks=pytest.mark.slow),
    pytest.param("factor_vae", marks=pytest.mark.slow),
    "infogan",
)
IN_ONNX = ("infogan",)


def equal_weights(model, before):
    pairs = zip(model.weights, before, strict=True)
    return all(np.array_equal(variable.numpy(), array) for variable, array in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_is_what_was_published(kind, data, tmp_path):
    """Bit for bit; in half precision within its bounds; in ONNX Runtime too."""
    run = published.untrained(kind, data)
    before = [variable.numpy() for variable in run.model.weights]
    path = run.publish(tmp_path / kind, explorer=False, onnx=kind in IN_ONNX)
    loaded = td.load(path)
    images = data.images()[:9]
    codes = run.encode(images)
    decoded = run.decode(codes)
    np.testing.assert_array_equal(loaded.encode(images), codes)
    np.testing.assert_array_equal(loaded.decode(codes), decoded)
    assert loaded.step == run.step == 0 and loaded.steps == 1
    assert list(loaded.batches.held_out) == list(run.batches.held_out)
    assert type(loaded.model) is type(run.model)
    if kind in IN_ONNX:
        served = variants.load(path)
        seen = served["encode"](images=images)
        seen = seen["codes" if kind == "infogan" else "mean"]
        np.testing.assert_allclose(seen, codes, atol=1e-5)
        seen = served["decode"](codes=codes)["images"]
        np.testing.assert_allclose(seen, decoded, atol=1e-5)
    options = {"precision": "float16", **published.SMALL}
    half = store.folder_of(run.publish(tmp_path / "half.zip", **options))
    assert equal_weights(run.model, before)  # It was lent others meanwhile.
    assert half.restore(loaded.model) == 0
    weight, own = (one.model.encoder.weights[0].numpy() for one in (loaded, run))
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, own.astype(np.float16))
    # Half precision has 11 bits: weights differ by a part in 2048 at most.
    assert 0 < np.abs(loaded.decode(codes) - decoded).max() < 0.02


def test_a_weight_too_large_for_float16_is_refused(data, tmp_path):
    run = published.untrained("chyvae", data)
    weight = run.model.decoder.weights[0]
    weight.assign(weight + 1e6)
    with pytest.raises(checks.ArgumentError, match="fit into float16"):
        run.publish(tmp_path / "half", precision="float16", **published.SMALL)
    assert not list(tmp_path.iterdir())


def test_float16_scores_are_computed_again(trained, data, tmp_path):
    run = trained
    path = run.publish(tmp_path / "half", precision="float16", **published.SMALL)
    (score,) = json.loads((path / "scores.json").read_text()).values()
    again = td.load(path).score("mig", data=data, seeds=None)["mig"].score
    assert score["float16"] == pytest.approx(again, abs=1e-6)
    assert score["score"] == pytest.approx(run.scores["mig"].score, abs=1e-6)
    text = (path / "README.md").read_text()
    assert f"| mig | {score['score']:.4g} | {score['float16']:.4g} |" in text
    assert "Rounding changes a decoded image by at most" in text
    # The rows of the training are there, and plain ones.
    assert [row["step"] for row in td.load(path).history] == [1, 1]


def test_the_files_are_those_of_the_layout(folder):
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "README.md",
        "SHA256SUMS",
        "codes.npz",
        "config.json",
        "examples.safetensors",
        "metrics.jsonl",
        "model.safetensors",
        "scores.json",
        "traversals.png",
    }
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(names) - 1


def test_the_codes_are_a_file_that_evaluate_takes(folder, original, data):
    from tf_disentangle.cli import codes_file

    file = codes_file.read(folder / "codes.npz")
    held_out = np.sort(original.batches.held_out)
    np.testing.assert_array_equal(file.factors, data.factors_of(held_out))
    np.testing.assert_array_equal(file.codes, original.encode(data.images()[held_out]))
    assert file.factor_names == tuple(data.factor_names)


def test_the_card_is_one_of_the_hub(trained, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    run = trained
    path = run.publish(tmp_path / "m", license="cc-by-4.0", **published.SMALL)
    card = hub.ModelCard.load(path / "README.md")
    assert card.data.license == "cc-by-4.0"
    assert card.data.library_name == "tf_disentangle"
    assert "chyvae" in card.data.tags
    assert card.data.datasets == ["CorrelatedEllipses"]
    (result,) = card.data.eval_results
    assert (result.metric_type, result.dataset_name) == ("mig", "CorrelatedEllipses")
    assert result.metric_value == pytest.approx(run.scores["mig"].score)
    for part in ("## Use it", "## Scores", "## Latents", "## Intended use", "## Files"):
        assert part in card.text
    assert "| mig |" in card.text and "| z3 | continuous |" in card.text


def test_the_card_of_vectors_says_where_less_is_better():
    facts = {"model": "VAE", "objective": "vae", "data": "Pinwheel", "latents": []}
    facts |= {"image_shape": [1, 1, 2], "step": 9, "num_parameters": 7, "terms": {}}
    about = card.CardFacts("m", None, "float32", None, 0, {})
    score = {"score": 0.1, "floor": 0.2, "ceiling": 0.0, "protocol": "dlib"}
    text = card.text(facts, {"unsupervised": score, "mig": score}, about)
    assert "Of `unsupervised` less is better." in text
    assert "trained on Pinwheel (vectors of 2 numbers) for 9 steps" in text
    assert "less is better" not in card.text(facts, {"mig": score}, about)


def test_no_licence_is_invented(folder):
    text = (folder / "README.md").read_text()
    assert "license:" not in text and "Its author named no licence" in text


def test_nothing_of_the_authors_machine_is_in_it(trained, tmp_path):
    run, output = trained, trained.folder.path
    run.folder.config.write_text(
        f"import json\npublished.data_dir = '{output}/data'\n# from \"{output}\"\n"
    )
    run.folder.describe(note=str(output), folders=[str(pathlib.Path.home() / "x")])
    path = run.publish(tmp_path / "given" / "model", explorer=False)
    words = [
        str(tmp_path),
        str(output.parent),
        str(pathlib.Path.home()) + "/",
        platform.node(),
    ]
    words += [f"/{getpass.getuser()}/", str(pathlib.Path(td.__file__).parent)]
    for file in path.rglob("*"):
        content = file.read_bytes()
        for word in words:
            # A host of two letters is in any file.
            assert len(word) < 5 or word.encode() not in content, (file, word)
    text = (path / "config.gin").read_text()
    assert "data_dir = 'data'" in text and '# from "run"' in text


def test_a_path_that_would_be_given_away_is_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(privacy, "without_paths", lambda value: value)
    trained.folder.describe(note=f"{trained.folder}/x")
    with pytest.raises(checks.ArgumentError, match="hold no path, user or host"):
        trained.publish(tmp_path / "model", **published.SMALL)
    assert not (tmp_path / "model").exists()


@pytest.fixture
def author(tmp_path, monkeypatch):
    """Another user at another host, with short names; a folder to give away."""
    monkeypatch.setattr(pathlib.Path, "home", lambda: pathlib.Path("/root"))
    monkeypatch.setattr(privacy.tempfile, "gettempdir", lambda: "/tmp")
    monkeypatch.setattr(privacy.getpass, "getuser", lambda: "max")
    monkeypatch.setattr(privacy.platform, "node", lambda: "vm")
    monkeypatch.chdir("/")
    (tmp_path / "given").mkdir()
    return tmp_path / "given"


@pytest.mark.parametrize(
    "text",
    [
        "see /tmp/secret/x",
        "it lies in /tmp",
        "my home is /root\n",
        '"/root"',
        "/home/max/x",
        "C:\\Users\\max\\x",
        "mail max@example.org",
        "git@vm:x.git",
        "http://vm:8000/",
        "/data/study".encode("utf-16-le").decode(),
    ],
)
def test_a_path_user_or_host_is_found_wherever_it_ends(text, author):
    (author / "config.gin").write_text(text)
    with pytest.raises(checks.ArgumentError, match=r"config\.gin must hold no path"):
        privacy.require_none(author, ["/data/study"])


def test_words_that_are_like_a_user_or_path_may_stand(author):
    text = "max, vm, minmax@x, encoder/root/kernel, /rooted, a/tmp/b, /data/study-2"
    (author / "config.gin").write_text(text)
    (author / "weights").write_bytes(b"\xff@vm\x00/tmp\x00")
    privacy.require_none(author, ["/data/study"])
    page = '<p>{}</p><script type="application/octet-stream" id="a">z@vm;0</script>'
    page += '<img src="data:image/png;base64,AA//vm+/root=">'
    (author / "page.html").write_text(page.format("a model"))
    privacy.require_none(author, ["/data/study"])
    for told in ("git@vm:x", "/root"):
        (author / "page.html").write_text(page.format(told))
        with pytest.raises(checks.ArgumentError, match=r"page\.html must hold no path"):
            privacy.require_none(author, ["/data/study"])
    (author / "page.html").unlink()
    (author / "weights").write_bytes(b"\xff\x00/data/study\x00")
    with pytest.raises(checks.ArgumentError, match="weights must hold no path"):
        privacy.require_none(author, ["/data/study"])


def test_it_appears_whole_or_not_at_all(original, tmp_path, monkeypatch):
    from tf_disentangle.store import publishing

    def fails(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, "_write_codes", fails)
    for name in ("model", "model.zip"):
        with pytest.raises(checks.ArgumentError, match="The disk is full"):
            original.publish(tmp_path / name, **published.SMALL)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("a name", {}, "path must end in a name of letters"),
        ("model", {"precision": "int8"}, "precision must be one of"),
        ("model.tar", {}, "path must be a folder or end in .zip"),
        ("model.rar", {}, "path must be a folder or end in .zip"),
        (
            "model",
            {"license": "apache"},
            "license must be .* mean apache-2.0",
        ),
        ("model", {"examples": 1000}, "examples must be at most 60"),
    ],
)
def test_mistakes_are_told_at_once(path, options, message, original, tmp_path):
    with pytest.raises(checks.ArgumentError, match=message):
        original.publish(tmp_path / path, **options)


def test_what_is_there_is_not_overwritten(folder, original):
    with pytest.raises(checks.ArgumentError, match="path must be new"):
        original.publish(folder)


def test_an_archive_is_the_same_bytes_twice(original, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        original.publish(tmp_path / name / "m.zip", **published.SMALL)
    one, other = ((tmp_path / n / "m.zip").read_bytes() for n in ("a", "b"))
    assert one == other
    assert repr(td.load(tmp_path / "a" / "m.zip")).endswith("published model m>")


def test_a_published_model_can_be_published(folder, tmp_path):
    again = td.load(folder).publish(tmp_path / "again", **published.SMALL)
    one, other = (json.loads((f / "config.json").read_text()) for f in (folder, again))
    assert one | {"name": "again"} == other
    for name in ("model.safetensors", "examples.safetensors"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_a_users_module_is_run_only_if_trusted(data, tmp_path):
    """The code that a published model holds says whether it ran."""
    module = tmp_path / "code" / "own_prior_of_mine.py"
    module.parent.mkdir()
    module.write_text(
        "import pathlib\nfrom tf_disentangle import priors\n"
        "with open(pathlib.Path(__file__).with_name('ran'), 'a') as file:\n"
        "    file.write('x')\n"
        "class Mine(priors.StandardNormalPrior):\n    pass\n"
    )
    sys.path.insert(0, str(module.parent))
    try:
        import own_prior_of_mine as own

        model = td.models.build_vae(
            (64, 64, 1),
            0,
            latents=td.latents.GaussianLatents(3, prior=own.Mine()),
            **published.MLP,
        )
        options = {"output": tmp_path / "run", **published.SETTINGS}
        run = undrawn.train(model, data, **options)
        path = run.publish(tmp_path / "model", **published.SMALL)
    finally:
        sys.path.remove(str(module.parent))
        del sys.modules["own_prior_of_mine"]
    assert (path / "modules" / "own_prior_of_mine.py").exists()
    assert "trust=True" in (path / "README.md").read_text()
    with pytest.raises(
        checks.ArgumentError, match=r"no public part of .* --trust on the command line"
    ):
        td.load(path)
    assert not (path / "modules" / "ran").exists()
    trusted = td.load(path, trust=True)
    assert (path / "modules" / "ran").exists()
    images = data.images()[:3]
    np.testing.assert_array_equal(trusted.encode(images), run.encode(images))
    archive = published.zipped(path, tmp_path / "model.zip")
    with pytest.raises(checks.ArgumentError, match="be a folder, if its code is"):
        td.load(archive, trust=True)


def test_names_are_known_without_tensorflow():
    code = "import sys\nfrom tf_disentangle import store\nstore.shipped()\n"
    code += "store.is_published('x'); print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_what_is_no_model_is_told(tmp_path):
    (tmp_path / "x.tar.gz").write_bytes(b"")
    (tmp_path / "x.zip").write_bytes(b"nothing")
    for path, message in (
        (tmp_path / "nowhere.zip", "model must exist"),
        (tmp_path / "x.tar.gz", "a .tar that is not compressed"),
        (tmp_path / "x.zip", "must be an intact .zip or .tar"),
        ("store:chyvae_elipses", "NAME of store:NAME must be one of"),
        (tmp_path, "run must be the folder of a run"),
    ):
        with pytest.raises(checks.ArgumentError, match=message):
            store.folder_of(path)


def test_a_folder_of_models_is_none_but_names_one(folder, tmp_path):
    published.copied(folder, tmp_path / "pub" / "one")
    message = r"with run\.json.*Name one of those inside, such as .*pub/one\."
    with pytest.raises(checks.ArgumentError, match=message):
        td.load(tmp_path / "pub")


def test_its_examples_are_shown_in_a_line(folder):
    assert repr(td.load(folder).examples) == "<Examples: 16 images, uint8 [64, 64, 1]>"


def test_weights_are_read_as_they_were_written():
    some = {"a": np.zeros((3, 2), np.float32)}
    content = weights.write(some, {"a": "b"})
    np.testing.assert_array_equal(weights.read(content, "x")["a"], some["a"])
    for end in (0, 4, 8, 20, len(content) - 1):
        with pytest.raises(checks.ArgumentError):
            weights.read(content[:end], "x")
