"""The file itself: what is in it, what is refused, where the runtime comes from."""

import gzip
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.datasets.tiny import Tiny
from tests.explorer.conftest import MLP, Coloured, build
from tf_disentangle import checks, datasets, explorer, models, objectives, train
from tf_disentangle.distributions import Normal
from tf_disentangle.explorer import contents, npm, runtime


def described(path):
    """The JSON of a page."""
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="contents">(.*?)</script>', text, re.DOTALL)[1])


def test_the_page_asks_for_nothing(page_of):
    text = page_of("vae").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]
    assert "default-src &#x27;none&#x27;" in policy
    assert policy.endswith("connect-src &#x27;none&#x27;")
    # No element, rule or module names another place.
    own = re.sub(r'<script type="application/octet-stream".*?</script>', "", text)
    assert not re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?:https?:)?//', own)


def test_what_the_page_knows_is_the_runs(make_run, page_of):
    run, known = make_run("vae"), described(page_of("vae"))
    (told,) = known["runs"]
    assert told["name"] == "vae"
    assert told["image_shape"] == [16, 16, 3]
    assert told["folder"] == "vae"
    # The page is made to be given away, and its author's folders stay at home.
    assert str(run.folder.path.parent) not in page_of("vae").read_text(encoding="utf-8")
    assert told["checkpoint"] == "last"
    assert told["scores"]["factor_vae"]["score"] == 0.5
    assert [one["factor"] for one in told["latents"]] == ["x", "y", None, None]
    assert told["latents"][0]["share"] == 0.75
    assert [one["votes"] for one in told["latents"]] == [40, 40, 0, 9]
    assert told["order"][-1] == 3  # the one that moves nothing
    labels = known["shelf"]["labels"]
    data, indices = run.data, [int(re.match(r"Image (\d+)", x)[1]) for x in labels]
    assert sorted(indices) == sorted(run.batches.held_out)
    x, y, size = data.factors_of(np.array(indices))[3]
    assert labels[3] == f"Image {indices[3]}: x {x}, y {y}, size {size}"
    codes = run.encode(data.images()[indices])
    np.testing.assert_allclose(told["shelf_codes"], codes, rtol=1e-5, atol=1e-6)


def test_no_setting_tells_where_the_data_lie(make_run, monkeypatch):
    real = contents.summary.summarize
    place = {"data.path": "/home/ada/photos", "data.size": 16, "data.name": "a/b"}
    monkeypatch.setattr(
        contents.summary, "summarize", lambda run: real(run) | {"settings": place}
    )
    run = make_run("joint_vae")
    told = contents.describe(run, contents.shelf_of(run)[0])["settings"]
    assert told == place | {"data.path": "photos"}


def test_a_gan_reconstructs_nothing(page_of):
    (told,) = described(page_of("infogan"))["runs"]
    assert told["decoded_as"] == "generated from the same code"
    assert told["folder"] is None


def test_no_text_of_a_run_can_leave_its_place(monkeypatch, make_run):
    evil = "</script><script>alert(1)</script>"
    real = contents.describe
    changed = lambda run, shelf: real(run, shelf) | {"name": evil}  # noqa: E731
    monkeypatch.setattr(contents, "describe", changed)
    page = explorer.explore(make_run("vae"), server="http://localhost:1").page
    assert "alert(1)" in page
    assert evil not in page


def latent(factor, share, low=-1.0, high=1.0, **changes):
    usual = {"kind": "continuous", "moves": True, "factor": factor, "share": share}
    return usual | {"low": low, "high": high} | changes


def test_latents_match_by_factor_best_to_best():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(20, 4))
    first = {
        "latents": [
            latent("x", 0.6),
            latent("x", 0.9, -2.0, 2.0),
            latent("y", 0.5),
            latent(None, None),
        ],
        "shelf_codes": codes.tolist(),
    }
    second = {
        "latents": [
            latent("y", 0.7, kind="categorical"),
            latent("x", 0.8, 0.0, 1.0),
            latent("y", 0.3, moves=False),
            latent("scale", 0.4),
        ],
        "shelf_codes": (-codes).tolist(),
    }
    found = contents.matches_between([first, second])
    # The best x of each, against each other, 1 to 4 in length. A category has no place
    # along a range, and what moves nothing stands for nothing.
    assert found[0] == [[], [{"run": 1, "latent": 1, "ratio": -0.25}], [], []]
    assert found[1] == [[], [{"run": 0, "latent": 1, "ratio": -4.0}], [], []]


def test_values_of_categorical_latents_match_by_their_images():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 20)
    # Ours 0, 1, 2 are theirs 2, 0, 3; one image is seen otherwise.
    second = np.array([2, 0, 3])[first]
    second[0] = 1
    chance = rng.permutation(np.arange(20) % 5)

    def run(*columns):
        sizes = {"kind": "categorical"}
        latents = [latent(None, None, num_values=n, **sizes) for n, _ in columns]
        codes = np.transpose([codes for _, codes in columns]).astype(float)
        return {"latents": latents, "shelf_codes": codes.tolist()}

    ours, theirs = (
        run((3, first), (5, chance)),
        run((5, rng.permutation(chance)), (4, second)),
    )
    found = contents.matches_between([ours, theirs])
    assert found[0] == [[{"run": 1, "latent": 1, "values": [2, 0, 3]}], []]
    assert found[1] == [[], [{"run": 0, "latent": 0, "values": [1, None, 0, 2]}]]
    # What moves nothing stands for nothing.
    theirs["latents"][1]["moves"] = False
    assert contents.matches_between([ours, theirs])[0] == [[], []]


@pytest.mark.parametrize(
    ("address", "base", "name"),
    [
        ("http://localhost:8501", "http://localhost:8501", ""),
        ("https://x.org/a/", "https://x.org/a", ""),
        ("http://h:1/v1/models/chyvae", "http://h:1", "chyvae"),
    ],
)
def test_the_address_of_a_server(address, base, name, make_run):
    page = explorer.explore(make_run("vae"), server=address).page
    known = json.loads(re.search(r'id="contents">(.*?)</script>', page, re.DOTALL)[1])
    assert known["server"] == base
    assert known["runs"][0]["served_as"] == (name or "vae")
    assert f'connect-src {base}/"' in page  # and all that is below it


@pytest.mark.parametrize(
    "address", ["localhost:8501", "ftp://x", "http://x; script-src *"]
)
def test_what_is_no_address_is_refused(address, make_run):
    with pytest.raises(checks.ArgumentError, match="server must be an address"):
        explorer.explore(make_run("vae"), server=address)


def test_a_server_has_each_run_under_its_own_name(make_run):
    """Two folders of one name would show one model twice."""
    runs, server = [make_run("joint_vae"), make_run("infogan")], "http://localhost:1"
    with pytest.raises(checks.ArgumentError, match=r"runs must have different names"):
        explorer.explore(*runs, server=server)  # both are in memory, as "run"
    with pytest.raises(checks.ArgumentError, match=r"runs must have different names"):
        explorer.explore(*runs, server=server, served_as=["a", "a"])
    page = explorer.explore(*runs, server=server, served_as=["a", "b"]).page
    known = json.loads(re.search(r'id="contents">(.*?)</script>', page, re.DOTALL)[1])
    assert [run["served_as"] for run in known["runs"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"served_as": ["a"]}, "served_as must be given together with a server"),
        ({"server": "http://h", "served_as": "ab"}, "a name for each of the 1 runs"),
        (
            {"server": "http://h/v1/models/a", "served_as": ["a"]},
            "server must name no model",
        ),
    ],
)
def test_names_that_make_no_sense_are_refused(options, words, make_run):
    with pytest.raises(checks.ArgumentError, match=words):
        explorer.explore(make_run("vae"), **options)


def test_vectors_and_unequal_shapes_are_refused(make_run):
    options = {"steps": 1, "batch_size": 8, "dry_run": True}
    points, likelihood = datasets.Pinwheel(num_points=40), Normal(None)
    objective = objectives.beta_vae(1.0, likelihood=likelihood)
    model = models.build_vae((1, 1, 2), 0, latents=2, objective=objective, **MLP)
    run = train(model, points, **options)
    with pytest.raises(checks.ArgumentError, match="the explorer shows no vectors"):
        explorer.explore(run)
    with pytest.raises(checks.ArgumentError, match="runs must name one run"):
        explorer.explore()
    other = train(build("vae", (16, 16, 1)), Tiny(), **options)
    with pytest.raises(checks.ArgumentError, match=r"of one shape.* 16 x 16 x 1'"):
        explorer.explore(make_run("vae"), other)


# ---- The runtime.


@pytest.fixture
def two_files(monkeypatch):
    """Small stand-ins for the two files, with their checksums."""
    import hashlib

    made = {npm.SCRIPT: b"script", npm.WASM: b"wasm"}
    sums = {name: hashlib.sha256(text).hexdigest() for name, text in made.items()}
    monkeypatch.setattr(npm, "CHECKSUMS", sums)
    return made


@pytest.fixture
def no_npm(monkeypatch, tmp_path):
    """An empty cache, and no npm client."""
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(npm.shutil, "which", lambda name: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_installed_npm_package_is_taken(two_files, no_npm):
    with pytest.raises(explorer.RuntimeMissingError, match="there is no npm client"):
        runtime.find()
    folder = no_npm / "node_modules" / npm.PACKAGE / "dist"
    folder.mkdir(parents=True)
    for name, text in two_files.items():
        (folder / name).write_bytes(text)
    found = runtime.find()
    assert {name: gzip.decompress(text) for name, text in found.items()} == two_files
    (folder / npm.WASM).write_bytes(b"of another version")
    with pytest.raises(explorer.RuntimeMissingError):
        runtime.find()


def test_npm_that_hangs_is_ended(two_files, no_npm, monkeypatch):
    client = no_npm / "npm"
    client.write_text("#!/bin/sh\nexec sleep 60\n")
    client.chmod(0o755)
    monkeypatch.setattr(npm.shutil, "which", lambda name: str(client))
    monkeypatch.setattr(npm, "TIMEOUT", 0.2)
    with pytest.raises(explorer.RuntimeMissingError, match=r"not end within 0\.2 s"):
        runtime.find()


def fake_npm(folder, content):
    """An npm client whose `pack` writes an archive of these files."""
    source = folder / "package" / "dist"
    source.mkdir(parents=True)
    for name, text in content.items():
        (source / name).write_bytes(text)
    client = folder / "npm"
    client.write_text(f"#!/bin/sh\ntar czf a.tgz -C {folder} package\n")
    client.chmod(0o755)
    return str(client)


def test_npm_fetches_it_once(two_files, no_npm, monkeypatch):
    client = fake_npm(no_npm, two_files)
    monkeypatch.setattr(npm.shutil, "which", lambda name: client)
    first = runtime.find()
    os.remove(client)
    assert runtime.find() == first
    cached = no_npm / "cache" / f"{npm.PACKAGE}-{npm.VERSION}"
    assert "MIT License" in (cached / f"LICENSE.{npm.PACKAGE}").read_text()


def test_other_content_is_never_kept(two_files, no_npm, monkeypatch, make_run):
    client = fake_npm(no_npm, two_files | {npm.WASM: b"evil"})
    monkeypatch.setattr(npm.shutil, "which", lambda name: client)
    expected = (
        "ONNX Runtime Web must be available, to run the models in the page "
        f"(onnxruntime-web {npm.VERSION}); received "
        f'"{npm.WASM} has another checksum than {npm.VERSION}\'s". '
        "Install npm, which fetches it once, or explore through a server."
    )
    with pytest.raises(checks.ArgumentError) as caught:
        explorer.explore(make_run("vae"))
    assert str(caught.value) == expected
    assert not (no_npm / "cache" / f"{npm.PACKAGE}-{npm.VERSION}").exists()


def test_setup_can_fetch_it_without_the_package(tmp_path):
    """npm.py alone, in a Python without site-packages."""
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('npm', {npm.__file__!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(module.VERSION)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True
    )
    assert done.stdout == f"{npm.VERSION}\n", done.stderr


def test_the_shelf_holds_few_images_of_large_sets():
    options = {"steps": 1, "batch_size": 8, "validation_size": 0, "dry_run": True}
    run = train(build("vae"), Coloured(), **options)
    images, shelf = contents.shelf_of(run)
    assert len(images) == len(shelf["labels"]) == 60
    assert shelf["note"] == "60 images of the training, drawn at random."
