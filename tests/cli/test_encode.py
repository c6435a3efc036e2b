"""bin/encode: what is in its tables, what it skips, and what a kill leaves.

One small model with continuous and categorical latents is trained, exported and served;
each way to it gives the codes of the run itself.
"""

import csv
import functools
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from tests import undrawn
from tf_disentangle import checks, serving
from tf_disentangle.cli import encode, encoded_parts, image_paths, main
from tf_disentangle.datasets import CorrelatedEllipses, ImageFolder
from tf_disentangle.datasets.files.image_files import decoded
from tf_disentangle.latents import CategoricalLatents, GaussianLatents, JointLatents
from tf_disentangle.models import build_vae
from tf_disentangle.networks import mlp_decoder, mlp_encoder
from tf_disentangle.objectives import joint_vae
from tf_disentangle.serving import server
from tf_disentangle.serving.client.errors import error_of

NAMES = ["z0", "z1", "z2", "c0", "c1"]
IN_ORDER = [f"photos/{k:03}.png" for k in range(20)]
IN_ORDER += [f"photos/more/{k:03}.png" for k in range(10)]
KINDS = ["continuous"] * 3 + ["categorical"] * 2


@pytest.fixture(scope="module")
def data():
    return CorrelatedEllipses(num_images=40)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    narrow = functools.partial(
        build_vae,
        latents=JointLatents(GaussianLatents(3), CategoricalLatents([4, 2])),
        objective=joint_vae(),
        encoder=functools.partial(mlp_encoder, width=8),
        decoder=functools.partial(mlp_decoder, width=8),
    )
    folder = tmp_path_factory.mktemp("run")
    return undrawn.train(narrow, data, output=folder / "joint", steps=1, batch_size=8)


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    version = tmp_path_factory.mktemp("exported") / "joint" / "7"
    run.model.export(str(version), verbose=False, resizing=run.data.resizing)
    latents = [{"name": n, "kind": k} for n, k in zip(NAMES, KINDS, strict=True)]
    (version / "model_card.json").write_text(json.dumps({"latents": latents}))
    return version


@pytest.fixture(scope="module")
def served(exported):
    with server.start(exported.parents[1]) as running:
        yield running


def save(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for k, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / f"{k:03}.png")


@pytest.fixture
def photos(data, tmp_path, monkeypatch):
    """Thirty of the images, in two folders, and the current folder above them."""
    images = data.images()[np.arange(30)]
    save(tmp_path / "photos", images[:20])
    save(tmp_path / "photos" / "more", images[20:])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encode, "_BLOCK", 7)
    return images


def command(*arguments):
    return main.main(["encode", *map(str, arguments)])


def read_npz(path):
    with np.load(path) as stored:
        return dict(stored)


def read_csv(path):
    """The header, and the codes without their paths."""
    with open(path, newline="") as stream:
        header, *rows = csv.reader(stream)
    return header, np.array([row[1:] for row in rows], np.float32)


def test_an_exported_model_gives_the_codes_of_the_run(photos, run, exported, capsys):
    assert command("photos", f"--model={exported}", "--output=codes.npz") == 0
    assert capsys.readouterr().out == "codes.npz\n"
    stored = read_npz("codes.npz")
    np.testing.assert_array_equal(stored["codes"], run.encode(photos))
    assert stored["paths"].tolist() == IN_ORDER
    assert stored["latent_names"].tolist() == NAMES
    assert stored["column_kinds"].tolist() == KINDS
    assert sorted(os.listdir()) == ["codes.npz", "photos"]


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_so_does_a_server(photos, run, served, exported, scheme):
    port = served.grpc_port if scheme == "grpc" else served.rest_port
    where = [f"--server={scheme}://localhost:{port}", "--model_name=joint"]
    card = f"--card={exported / 'model_card.json'}"
    assert command("photos", *where, card, "--output=codes.csv") == 0
    header, codes = read_csv("codes.csv")
    assert header == ["path", *NAMES]
    np.testing.assert_allclose(codes, run.encode(photos), rtol=0, atol=1e-6)
    # Without a card nothing is said of what the columns hold.
    assert command("photos", *where, "--version=7", "--output=codes.npz") == 0
    stored = read_npz("codes.npz")
    assert stored["latent_names"].tolist() == ["z0", "z1", "z2", "z3", "z4"]
    assert "column_kinds" not in stored


def test_so_does_the_run_folder_with_probabilities(photos, run):
    folder = run.folder.path
    options = ["--probabilities", "--output=codes.parquet"]
    assert command("photos", f"--model={folder}", *options) == 0
    table = parquet.read_table("codes.parquet").to_pandas()
    expected = run.model.posterior(photos).probabilities()
    columns = [f"c0={k}" for k in range(4)] + [f"c1={k}" for k in range(2)]
    assert [*table.columns] == ["path", *NAMES, *columns]
    np.testing.assert_array_equal(table[NAMES], run.encode(photos))
    for name in ("c0", "c1"):
        own = [column for column in columns if column.startswith(name)]
        np.testing.assert_allclose(table[own], expected[name], rtol=1e-6)


def test_other_sizes_are_those_that_training_would_have_seen(
    tmp_path, monkeypatch, run, exported
):
    """Photographs become what `ImageFolder` makes of them, to a grey level."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8))
    photo = smooth.resize((300, 200), Image.Resampling.BICUBIC)
    os.mkdir("photos")
    photo.save("photos/a.jpg", quality=95)
    photo.save("photos/b.webp", lossless=True)
    photo.save("photos/c.tiff")
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned by 90 degrees.
    photo.save("photos/d.jpg", quality=95, exif=exif)
    photo.quantize(200).save("photos/e.png")
    assert command("photos", f"--model={exported}", "--output=codes.npz") == 0
    found = read_npz("codes.npz")["codes"][:, :3]
    size = run.model.image_shape[0]
    images = ImageFolder("photos", size=size, channels=1).images()
    # How far a code goes when every pixel goes one grey level.
    brighter = np.clip(images.astype(int) + 1, 0, 255).astype(np.uint8)
    step = np.abs(run.encode(brighter) - run.encode(images))[:, :3].max()
    np.testing.assert_allclose(found, run.encode(images)[:, :3], rtol=0, atol=2 * step)
    # The turned one is another image.
    assert np.abs(found[3] - found[0]).max() > 4 * step


def test_what_is_no_image_is_named_and_left_out(photos, run, exported, capsys):
    data = pathlib.Path("photos/003.png").read_bytes()
    spoilt = {
        "photos/003.png": data[: len(data) // 2],
        "photos/005.png": b"",
        "photos/more/zz.jpg": b"\xff\xd8\xff\xe0 no more than this",
        "photos/more/deep.png": _png(np.full((64, 64), 70_000 // 2, np.uint16)),
    }
    for path, content in spoilt.items():
        pathlib.Path(path).write_bytes(content)
    assert command("photos", f"--model={exported}", "--output=codes.csv") == 4
    told = capsys.readouterr().err
    for path in spoilt:
        assert f"{path} is left out: {path} must " in told, path
    assert "4 files were left out; the reasons are above." in told
    _, codes = read_csv("codes.csv")
    good = [k for k in range(30) if k not in (3, 5)]
    np.testing.assert_array_equal(codes, run.encode(photos[good]))


def _png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("through", ["model", "server"])
def test_what_only_the_model_refuses_is_found(
    photos, run, exported, served, capsys, through, monkeypatch
):
    """Two of thirty; the others of their block keep their codes."""
    content = image_paths.content
    spoilt = ("photos/004.png", "photos/more/001.png")
    monkeypatch.setattr(
        image_paths, "content", lambda p: b"none" if p in spoilt else content(p)
    )
    where = [f"--model={exported}"]
    if through == "server":
        where = [f"--server=grpc://localhost:{served.grpc_port}", "--model_name=joint"]
    assert command("photos", *where, "--output=codes.npz") == 4
    stored = read_npz("codes.npz")
    good = [k for k in range(30) if k not in (4, 21)]
    np.testing.assert_allclose(stored["codes"], run.encode(photos[good]), atol=1e-6)
    told = capsys.readouterr().err
    assert "photos/004.png is left out: " in told
    assert "2 files were left out" in told


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_what_is_too_large_for_the_server_is_left_out(photos, exported, scheme, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (300, 400), dtype=np.uint8)
    Image.fromarray(noise).save("photos/003.png")  # 120 kB.
    limits = server.Limits(body_bytes=2**16)
    with server.start(exported.parents[1], limits=limits) as running:
        port = running.grpc_port if scheme == "grpc" else running.rest_port
        where = [f"--server={scheme}://localhost:{port}", "--model_name=joint"]
        assert command("photos", *where, "--output=codes.npz") == 4
    assert read_npz("codes.npz")["paths"].tolist() == IN_ORDER[:3] + IN_ORDER[4:]
    told = capsys.readouterr().err
    assert "003.png is left out: the file must be no larger than the server" in told
    assert "--max_body_bytes" in told


@pytest.mark.parametrize("through", ["folder", "server"])
def test_it_says_once_how_many_images_it_changed(
    photos, served, exported, through, capsys, monkeypatch
):
    """A screenshot gets codes as plausible as those of any image of the data."""
    where = [f"--model={exported}"]
    if through == "server":
        where = [f"--server=grpc://localhost:{served.grpc_port}", "--model_name=joint"]
    assert command("photos", *where, "--output=same.csv") == 0
    assert "images," not in capsys.readouterr().err
    for name, mode, size in (("a", "RGB", 64), ("b", "RGB", 80), ("z", "L", 80)):
        Image.new(mode, (size, size)).save(f"photos/{name}.png")
    append = encoded_parts.Parts.append

    def stop(parts, part):
        append(parts, part)
        if "photos/b.png" in part.paths:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(encoded_parts.Parts, "append", stop)
        assert command("photos", *where, "--output=codes.csv") == 130
    assert "images," not in capsys.readouterr().err
    assert command("photos", *where, "--output=codes.csv") == 0
    said = "Of 33 images, 2 were resized to 64 x 64 and 2 were changed from colour to"
    assert capsys.readouterr().err.count(f"{said} grey.") == 1


@pytest.mark.parametrize("code", ["FAILED_PRECONDITION", "UNIMPLEMENTED", "INTERNAL"])
def test_a_server_that_fails_loses_no_file(photos, served, monkeypatch, capsys, code):
    """Only INVALID_ARGUMENT lies in the files; after another failure one goes on."""
    where = [f"--server=grpc://localhost:{served.grpc_port}", "--model_name=joint"]
    with monkeypatch.context() as context:

        def fail(client, signature, inputs, outputs):
            raise error_of(client.url, signature, code, "told to fail")

        context.setattr(serving.Client, "predict", fail)
        assert command("photos", *where, "--output=codes.csv") == 2
    told = capsys.readouterr().err
    assert "--server must answer" in told
    assert "The same command resumes" in told
    assert "left out" not in told
    # With another server it would not go on, even if that has the same model.
    other = [f"--server=http://localhost:{served.rest_port}", "--model_name=joint"]
    assert command("photos", *other, "--output=codes.csv") == 2
    assert "must have the same model" in capsys.readouterr().err
    assert command("photos", *where, "--output=codes.csv") == 0
    assert len(read_csv("codes.csv")[1]) == len(photos)


class TestGoingOn:
    def test_after_a_stop_nothing_is_done_twice(
        self, photos, run, exported, monkeypatch, capsys
    ):
        whole = encode._encode_block
        calls = []

        def stop_at_the_third(names, *others):
            calls.append(names)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return whole(names, *others)

        monkeypatch.setattr(encode, "_encode_block", stop_at_the_third)
        options = ["photos", f"--model={exported}", "--output=codes.npz"]
        assert command(*options) == 130
        assert "The same command resumes" in capsys.readouterr().err
        assert not os.path.exists("codes.npz")
        done = sorted(os.listdir("codes.npz.parts"))
        assert done == [".lock", "00000000.npz", "00000001.npz", "settings.json"]
        assert command(*options) == 0
        # 14 files were done; the block that was stopped is done again.
        assert [len(names) for names in calls] == [7, 7, 7, 7, 7, 2]
        assert calls[2] == calls[3]
        np.testing.assert_array_equal(
            read_npz("codes.npz")["codes"], run.encode(photos)
        )
        assert not os.path.exists("codes.npz.parts")

    def test_not_with_other_files_or_another_model(
        self, photos, run, exported, monkeypatch, capsys
    ):
        append = encoded_parts.Parts.append

        def stop(parts, part):
            append(parts, part)
            raise KeyboardInterrupt

        options = [f"--model={exported}", "--output=codes.csv"]
        with monkeypatch.context() as context:
            context.setattr(encoded_parts.Parts, "append", stop)
            assert command("photos", *options) == 130
        capsys.readouterr()
        assert command("photos/more", *options) == 2
        assert "IMAGES must be the same files as before, here photos/000.png" in (
            capsys.readouterr().err
        )
        other = [f"--model={run.folder.path}", "--output=codes.csv"]
        assert command("photos", *other) == 2
        assert (
            "must have the same model and columns as before" in capsys.readouterr().err
        )
        assert command("photos", *options) == 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (
                lambda: shutil.copy("photos/006.png", "photos/005.png"),
                "005.png must have the size and time of change",
            ),
            (lambda: os.utime("photos/002.png", ns=(0, 0)), "photos/002.png must have"),
            (
                lambda: os.remove("photos/more/009.png"),
                "IMAGES must be the same 30 files as before; received '29 files",
            ),
            (
                lambda: shutil.copy("photos/006.png", "photos/more/zz.png"),
                "IMAGES must be the same 30 files as before; received '31 files",
            ),
            (
                lambda: os.rename("photos/more/009.png", "photos/more/zz.png"),
                "IMAGES must be the same 30 files as before; received '30 files, not",
            ),
        ],
    )
    def test_not_with_files_that_changed_came_or_went(self, photos, change, words):
        """The first fourteen are encoded; a list on stdin is not otherwise."""
        stdin = io.StringIO("".join(f"{path}\n" for path in IN_ORDER))
        images = image_paths.Images(["-"], stdin)
        assert (images.count, [*images], [*images]) == (30, IN_ORDER, IN_ORDER)
        record = {"count": images.count, "checksum": images.checksum}
        parts = encoded_parts.Parts("codes.csv")
        parts.begin({"model": 1}, record)
        stamps = [image_paths.stamp(path) for path in IN_ORDER[:14]]
        codes, same = np.zeros((14, 1)), np.zeros((14, 2), bool)
        parts.append(encoded_parts.Part(IN_ORDER[:14], stamps, [""] * 14, same, codes))
        again = encoded_parts.Parts("codes.csv")
        again.begin({"model": 1}, record)
        (part,) = again.resume(iter(images))
        assert part.stamps == stamps

        change()
        images = image_paths.Images(["photos"], io.StringIO())
        again = encoded_parts.Parts("codes.csv")
        record = {"count": images.count, "checksum": images.checksum}
        again.begin({"model": 1}, record)
        remedy = "Remove codes.csv.parts to start anew"
        with pytest.raises(checks.ArgumentError, match=f"{words}.*{remedy}"):
            [*again.resume(iter(images))]

    def test_nor_does_the_command(self, photos, exported, monkeypatch, capsys):
        append = encoded_parts.Parts.append

        def stop(parts, part):
            append(parts, part)
            raise KeyboardInterrupt

        options = ["photos", f"--model={exported}", "--output=codes.csv"]
        with monkeypatch.context() as context:
            context.setattr(encoded_parts.Parts, "append", stop)
            assert command(*options) == 130
        capsys.readouterr()
        shutil.copy("photos/006.png", "photos/005.png")
        assert command(*options) == 2
        assert (
            "005.png must have the size and time of change" in capsys.readouterr().err
        )
        assert not os.path.exists("codes.csv")

    @pytest.mark.slow
    def test_killed_many_times_it_ends_with_the_same_table(self, photos, exported):
        """A process that is killed at random moments, until it ends by itself."""
        root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        code = (
            "import sys, time; from tf_disentangle.cli import encode, main; "
            "encode._BLOCK = 2; block = encode._encode_block; "
            "encode._encode_block = lambda *a: (time.sleep(0.3), block(*a))[1]; "
            "sys.exit(main.main(sys.argv[1:]))"
        )
        start = [sys.executable, "-c", code, "encode", "photos", f"--model={exported}"]
        environment = {**os.environ, "PYTHONPATH": root}
        rng, kills = np.random.default_rng(0), 0
        while not os.path.exists("killed.csv"):
            process = subprocess.Popen(
                [*start, "--output=killed.csv"], env=environment, stderr=subprocess.PIPE
            )
            parts, first = "killed.csv.parts", None
            while process.poll() is None:
                now = len(os.listdir(parts)) if os.path.exists(parts) else 0
                first = now if first is None else first
                if now > first + 1:
                    time.sleep(rng.uniform(0, 0.3))
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.02)
            process.communicate()
        assert kills > 3
        assert command("photos", f"--model={exported}", "--output=whole.csv") == 0
        killed, whole = pathlib.Path("killed.csv"), pathlib.Path("whole.csv")
        assert killed.read_text() == whole.read_text()


class TestFiles:
    def test_folders_patterns_files_and_a_list(self, photos):
        open("photos/note.txt", "w").close()
        open("photos/.hidden.png", "w").close()
        listed = io.StringIO("photos/001.png\n\nphotos/000.png\n")
        names = ["photos/more", "photos/*1.png", "photos/note.txt", "-"]
        found = [*image_paths.paths(names, listed)]
        assert found == [
            *(f"photos/more/{k:03}.png" for k in range(10)),
            *("photos/001.png", "photos/011.png", "photos/note.txt"),
            *("photos/001.png", "photos/000.png"),
        ]
        assert "photos/.hidden.png" not in [*image_paths.paths(["photos"], listed)]
        with pytest.raises(checks.ArgumentError, match="must name existing files"):
            [*image_paths.paths(["nowhere/*.png"], listed)]

    def test_a_listed_file_that_is_gone_is_left_out(
        self, photos, exported, monkeypatch, capsys
    ):
        monkeypatch.setattr(sys, "stdin", io.StringIO("gone.png\nphotos/002.png\n"))
        assert command("-", f"--model={exported}", "--output=codes.csv") == 4
        assert "gone.png must be readable; received 'No such file" in (
            capsys.readouterr().err
        )

    def test_names_in_a_list_need_not_be_utf_8(self, photos, exported, monkeypatch):
        shutil.copy("photos/000.png", os.fsdecode(b"photos/\xff.png"))
        listed = io.BytesIO(b"photos/\xff.png\nphotos/002.png\n")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(listed, "utf-8"))
        assert command("-", f"--model={exported}", "--output=codes.npz") == 0
        paths = read_npz("codes.npz")["paths"].tolist()
        assert paths == ["photos/?.png", "photos/002.png"]

    def test_png_and_jpeg_go_as_they_are(self, photos):
        data = pathlib.Path("photos/000.png").read_bytes()
        assert image_paths.content("photos/000.png") == data

    def test_a_large_photograph_that_is_turned_stays_about_as_large(self, photos):
        noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        photo = Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.save("turned.jpg", quality=90, exif=exif)
        content = image_paths.content("turned.jpg")
        assert len(content) < 3 * os.path.getsize("turned.jpg")
        shown = np.asarray(Image.open(io.BytesIO(content)))
        expected = decoded("turned.jpg", pathlib.Path("turned.jpg").read_bytes())
        assert shown.shape == (1600, 1200, 3)
        assert np.abs(shown - expected.astype(int)).mean() < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model=x", "--output=a.csv"], "IMAGES must be given"),
        (["photos", "--model=x"], "--output must be given"),
        (["photos", "--output=a.csv"], "one of the two; received nothing"),
        (
            ["photos", "--model=x", "--server=y", "--output=a.csv"],
            "one of the two; received 'both'",
        ),
        (["photos", "--model=photos", "--output=a.csv"], "--model must be a run"),
        (["photos", "--model=x", "--output=a.txt"], "--output must end with .npz"),
        (["photos", "--model=x", "--output=photos/000.csv"], "be a new file"),
        (
            ["photos", "--model=x", "--output=photos/000.csv/a.csv"],
            "--output must be writable",
        ),
        (["empty", "--model=x", "--output=a.csv"], "IMAGES must hold images"),
        (["photos", "--model=x", "--card=c", "--output=a.csv"], "--card must be left"),
        (["photos", "--server=grpc://localhost:1", "--output=a.csv"], "refused"),
        (
            ["photos", "--server=grpc://x", "--version=stable", "--output=a.csv"],
            "--version must be a number; received 'stable'. A label may move",
        ),
        (["photos", "--server=localhost:1", "--output=a.csv"], "--server must start"),
        (
            [
                "photos",
                "--server=http://localhost:1",
                "--version=a-b",
                "--output=a.csv",
            ],
            "--version must be a number; received 'a-b'",
        ),
        (
            ["photos", "--server=http://x", "--model_name=a/b", "--output=a.csv"],
            "--model_name must be a name without slash",
        ),
    ],
)
def test_mistakes(photos, arguments, words, capsys, tmp_path):
    os.mkdir("empty")
    open("photos/000.csv", "w").close()
    assert command(*arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--model_name must name a model of {url}; received 'default'"),
        (["--model_name=chivae"], "--model_name must name a model of {url}; received"),
        (
            ["--model_name=joint", "--version=8"],
            "--version must be a version of joint (7); received 8",
        ),
        (
            ["--model_name=joint", "--version=canary"],
            "--version must be a number; received 'canary'",
        ),
    ],
)
@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_what_a_server_does_not_have(photos, served, scheme, options, words, capsys):
    port = served.grpc_port if scheme == "grpc" else served.rest_port
    url = f"{scheme}://localhost:{port}"
    assert command("photos", f"--server={url}", *options, "--output=a.csv") == 2
    told = capsys.readouterr().err
    assert words.format(url=url) in told
    assert "client." not in told


def test_a_file_where_its_parts_would_be_is_told(photos, exported, capsys):
    open("codes.csv.parts", "w").close()
    assert command("photos", f"--model={exported}", "--output=codes.csv") == 2
    assert "--output must be writable; received 'codes.csv.parts" in (
        capsys.readouterr().err
    )


def test_the_help_starts_with_its_usage(capsys):
    assert command("--help") == 0
    usage, *_ = capsys.readouterr().out.splitlines()
    assert usage == "Usage: tf_disentangle encode IMAGES ... [--OPTION=VALUE ...]"
    assert main.main(["explore", "--help"]) == 0
    usage, *_ = capsys.readouterr().out.splitlines()
    assert usage == "Usage: tf_disentangle explore [RUN ...] [--OPTION=VALUE ...]"


def test_evaluate_reads_what_it_writes(photos, data, exported, capsys):
    """Codes alone, and with the factors that a user adds."""
    assert command("photos", f"--model={exported}", "--output=codes.npz") == 0
    assert main.main(["evaluate", "--codes=codes.npz", "--metrics=active_units"]) == 0
    stored = read_npz("codes.npz")
    factors = data.factors_of(np.arange(30))
    np.savez("with_factors.npz", factors=factors, **stored)
    assert main.main(["evaluate", "--codes=with_factors.npz", "--metrics=mig"]) == 0
    assert "mig " in capsys.readouterr().out
