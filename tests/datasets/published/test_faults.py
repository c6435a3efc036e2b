"""What can go wrong while a set is prepared: one message, nothing half-written."""

import dataclasses
import functools
import gzip
import hashlib
import http.server
import multiprocessing
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.conftest import SHARED
from tests.datasets.published.published_files import idx, make, nowhere
from tf_disentangle import checks
from tf_disentangle.cli.main import main
from tf_disentangle.datasets import SETS, published
from tf_disentangle.datasets.published import tfds
from tf_disentangle.datasets.published.catalogue import File

ROOT = pathlib.Path(__file__).resolve().parents[3]
DATA = SHARED / "data"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DISENTANGLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no_tfds"))


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Makes the files of a tiny set and puts its row into the table."""

    def tiny(name, **changes):
        result = make(name, tmp_path / "files")
        row = dataclasses.replace(result.row, **changes)
        monkeypatch.setitem(SETS, name, row)
        return result

    return tiny


def refused(name, capsys, *options, match):
    """Runs `data prepare`; returns its one message."""
    assert main(["data", "prepare", name, *options]) == 2
    message = capsys.readouterr().err
    assert message.count("tf_disentangle data: ") == 1
    assert "Traceback" not in message
    for words in (match,) if isinstance(match, str) else match:
        assert words in message
    return message


def nothing_there(tmp_path):
    """Whether neither a finished array nor a temporary file is left."""
    cache = tmp_path / "cache"
    return not [*cache.rglob("*.npy"), *cache.rglob("*.tmp*")]


def cut(path, share=0.6):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("dsprites", "*.npz"),
        ("shapes3d", "*.h5"),
        ("mnist", "train-images*"),
        ("mnist", "train-labels*"),
        ("smallnorb", "*testing-dat.mat"),
        ("cars3d", "*.tar.gz"),
        ("chairs3d", "rendered_chairs/*/renders/*090*.png"),
        ("celeb_a", "img_align_celeba/*3.jpg"),
    ],
)
def test_a_file_cut_short(name, pattern, tiny, tmp_path, capsys):
    tiny(name)
    file = next((tmp_path / "files").glob(pattern))
    cut(file)
    source = f"--source={tmp_path / 'files'}"
    refused(name, capsys, source, match=(file.name, "intact"))
    assert nothing_there(tmp_path)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "pattern"), [("dsprites", "*.npz"), ("mnist", "*.gz")]
)
def test_a_flipped_byte(name, pattern, tiny, tmp_path, capsys):
    """zip and gzip carry checksums of their own, which reading to the end compares."""
    tiny(name)
    file = next((tmp_path / "files").glob(pattern))
    flip(file)
    refused(name, capsys, f"--source={tmp_path / 'files'}", match=file.name)
    assert nothing_there(tmp_path)


def known_to_tfds(monkeypatch, row, path):
    """Has TensorFlow Datasets record the size and checksum of a file of the row."""
    (file,) = row.files["all"].values()
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    record = SimpleNamespace(size=len(content), checksum=sha256)
    monkeypatch.setattr(tfds, "recorded", lambda _: {file.url: record})
    return sha256


def test_another_checksum_than_the_recorded(tiny, tmp_path, monkeypatch, capsys):
    row, path = tiny("mpi3d_toy").row, tmp_path / "files" / "mpi3d_toy.npz"
    sha256 = known_to_tfds(monkeypatch, row, path)
    flip(path)
    message = refused("mpi3d_toy", capsys, f"--source={path}", match=sha256)
    assert "fetch it again" in message
    assert nothing_there(tmp_path)


def test_the_same_content_packed_otherwise(tiny, tmp_path, monkeypatch, caplog):
    """Another size of the file is no fault of its content: it is read, and told."""
    made, path = tiny("mpi3d_toy"), tmp_path / "files" / "mpi3d_toy.npz"
    known_to_tfds(monkeypatch, made.row, path)
    np.savez_compressed(path, images=made.images)
    assert_array_equal(published("mpi3d_toy", source=path).images(), made.images)
    assert "other packing" in caplog.text


@pytest.mark.parametrize("level", [1, 9, None])
def test_mnist_is_told_by_its_content(tmp_path, monkeypatch, level):
    """Any gzip framing, or none; but no other content."""
    content = b"what the file unpacks to"
    file = File("a.gz", "url", content_md5=hashlib.md5(content).hexdigest())
    record = SimpleNamespace(size=1, checksum="of the published file")
    monkeypatch.setattr(tfds, "recorded", lambda _: {"url": record})
    path = tmp_path / "a.gz"
    path.write_bytes(content if level is None else gzip.compress(content, level))
    tfds.verify(path, file, SETS["mnist"])
    path.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(checks.ArgumentError, match="content with the published md5"):
        tfds.verify(path, file, SETS["mnist"])


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not there")
@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("key", ["images", "labels"])
def test_mnists_real_files(split, key):
    """They have another gzip framing than the published ones."""
    row = SETS["mnist"]
    file = row.files[split][key]
    path = DATA / (file.name if split == "train" else f"mnist-{file.name}")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256 != tfds.recorded(row)[file.url].checksum
    tfds.verify(path, file, row)


def test_images_of_another_shape(tiny, tmp_path, capsys):
    tiny("mpi3d_toy")
    file = tmp_path / "files" / "mpi3d_toy.npz"
    np.savez(file, images=np.zeros((32, 48, 48, 3), np.uint8))
    source = f"--source={file}"
    refused("mpi3d_toy", capsys, source, match=("[n, 64, 64, 3]", "(32, 48, 48, 3)"))
    np.savez(file, images=np.zeros((32, 64, 64, 3), np.float32))
    refused("mpi3d_toy", capsys, source, match=("uint8", "float32"))


def test_another_number_of_images(tiny, tmp_path, capsys):
    tiny("mpi3d_toy", counts={"all": 64})
    source = f"--source={tmp_path / 'files'}"
    refused("mpi3d_toy", capsys, source, match=("published 64 images", "received 32"))
    assert nothing_there(tmp_path)


def test_factors_that_are_not_a_grids(tiny, tmp_path, capsys):
    tiny("dsprites")
    file = next((tmp_path / "files").iterdir())
    with np.load(file) as data:
        images, classes = data["imgs"], data["latents_classes"]
    twice = np.concatenate([classes[1:2], classes[1:]])
    for factors, match in (
        (classes[:, :-1], ("6 columns", "orientation", "(48, 5)")),
        (twice, ("each combination of factors once", "1 combinations")),
    ):
        np.savez(file, imgs=images, latents_classes=factors)
        refused("dsprites", capsys, f"--source={file}", match=match)


def test_a_missing_attribute(tiny, tmp_path, capsys):
    tiny("celeb_a")
    table = tmp_path / "files" / "list_attr_celeba.txt"
    table.write_text(table.read_text().replace("Smiling", "Grinning"))
    source = f"--source={tmp_path / 'files'}"
    refused("celeb_a", capsys, source, match="none called Smiling")


KINDS = ("mpi3d_toy", "mpi3d_realistic", "mpi3d_real")


def test_the_kinds_of_mpi3d_are_told_apart_by_name(tiny, tmp_path, monkeypatch, capsys):
    """They have equally many images of one shape, and no published checksums."""
    made = tiny("mpi3d_toy")
    for name in KINDS:
        row = dataclasses.replace(made.row, files=SETS[name].files)
        monkeypatch.setitem(SETS, name, row)
    folder = tmp_path / "files"
    with np.load(folder / "mpi3d_toy.npz") as data:
        images = data["images"]
    (folder / "mpi3d_toy.npz").unlink()
    for k, name in enumerate(KINDS[1:], 1):
        np.savez(folder / f"{name}.npz", images=images + np.uint8(k))
    refused("mpi3d_toy", capsys, f"--source={folder}", match="mpi3d_toy.npz")
    other = f"--source={folder / 'mpi3d_real.npz'}"
    match = ("be mpi3d_toy.npz", "a file of mpi3d_real")
    refused("mpi3d_toy", capsys, other, match=match)
    assert not list((tmp_path / "cache").rglob("*"))
    np.savez(folder / "mpi3d_toy.npz", images=images)
    for k, name in enumerate(KINDS):
        prepared = published(name, source=folder).images()
        assert_array_equal(prepared, images + np.uint8(k))
    # A name that is no set's says nothing, so it is taken at its user's word.
    (folder / "mpi3d_toy.npz").rename(folder / "toy.npz")
    data_dir = tmp_path / "other"
    again = published("mpi3d_toy", source=folder / "toy.npz", data_dir=data_dir)
    assert_array_equal(again.images(), images)


def test_mnist_and_fashion_mnist_in_one_folder(tiny, tmp_path, monkeypatch):
    made = tiny("mnist")
    folder = tmp_path / "files"
    files = {
        split: {k: dataclasses.replace(f, url=nowhere(f)) for k, f in of_split.items()}
        for split, of_split in SETS["fashion_mnist"].files.items()
    }
    fashion = dataclasses.replace(made.row, files=files)
    monkeypatch.setitem(SETS, "fashion_mnist", fashion)
    for path in list(folder.iterdir()):
        path.rename(folder / f"mnist-{path.name}")
    idx(folder / "fashion-mnist-train-images-idx3-ubyte", np.zeros((20, 28, 28), "u1"))
    labels = np.arange(20, dtype="u1") % 10
    idx(folder / "fashion-mnist-train-labels-idx1-ubyte", labels)
    assert_array_equal(published("mnist", source=folder).images(), made.images)
    assert published("fashion_mnist", source=folder).images()[:].max() == 0


def test_another_folder_of_faces_replaces_none(tiny, tmp_path, capsys):
    """The set without a published number of images: what is prepared stays."""
    made = tiny("faces3d")
    first, second = tmp_path / "files", tmp_path / "more"
    assert main(["data", "prepare", "faces3d", f"--source={first}"]) == 0
    assert "was not read" not in capsys.readouterr().err
    shutil.copytree(first, second)
    shutil.copy(second / "face0.png", second / "face9.png")
    assert main(["data", "prepare", "faces3d", f"--source={second}"]) == 0
    path = tmp_path / "cache" / "faces3d.npy"
    said = capsys.readouterr().err
    assert f"{path} is prepared and intact, so {second} was not read" in said
    assert_array_equal(published("faces3d").images(), made.images)
    # Damaged, it is not made from a folder of another number.
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    match = ("must give 5 images; received 6", f"Delete {path}")
    refused("faces3d", capsys, f"--source={second}", match=match)
    assert main(["data", "prepare", "faces3d", f"--source={first}"]) == 0
    assert "was not read" not in capsys.readouterr().err
    # Deleted, as the message says, it is.
    path.unlink()
    assert main(["data", "prepare", "faces3d", f"--source={second}"]) == 0
    assert len(published("faces3d").images()) == 6


def test_a_folder_of_data_that_is_a_file(tiny, tmp_path, capsys):
    tiny("shapes3d")
    (tmp_path / "taken").write_text("")
    options = (f"--source={tmp_path / 'files'}", f"--data_dir={tmp_path / 'taken'}")
    match = (f"{tmp_path / 'taken'} must be writable", "choose another folder")
    message = refused("shapes3d", capsys, *options, match=match)
    assert "$TF_DISENTANGLE_CACHE" not in message


def test_a_folder_without_the_files(tiny, tmp_path, capsys):
    tiny("mnist")
    (tmp_path / "empty").mkdir()
    source = f"--source={tmp_path / 'empty'}"
    refused("mnist", capsys, source, match="train-images-idx3-ubyte.gz")
    source = f"--source={tmp_path / 'nowhere'}"
    refused("mnist", capsys, source, match=("source must exist", "nowhere"))


def test_a_limit_on_file_sizes(tiny, tmp_path, capsys):
    """As a full disk: the space is taken before anything is written."""
    tiny("shapes3d")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        source = f"--source={tmp_path / 'files'}"
        refused("shapes3d", capsys, source, match=("GB free", "ulimit -f"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handled)
    assert nothing_there(tmp_path)
    assert main(["data", "prepare", "shapes3d", source]) == 0


# ---- Two processes, and one that is interrupted.


def slow_reader(reader, folder, paths, sizes):
    """A reader that stops in its first block until there is a file `go`."""
    source = reader(paths, sizes)

    def blocks():
        for block in source.blocks():
            yield block[:1]
            (folder / f"started-{os.getpid()}").touch()
            until((folder / "go").exists)
            yield block[1:]

    return dataclasses.replace(source, blocks=blocks)


def prepare_in_process(row, source):
    """Prepares, in a process of its own, whose exit code is the command's."""
    SETS["mpi3d_toy"] = row
    sys.exit(main(["data", "prepare", "mpi3d_toy", f"--source={source}"]))


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


class Slow:
    """Processes that prepare a set whose reader waits in the middle."""

    def __init__(self, made, folder):
        self.images, self._folder = made.images, folder
        reader = functools.partial(slow_reader, made.row.reader, folder)
        self._row = dataclasses.replace(made.row, reader=reader)
        self.processes = []

    def start(self):
        # Not forked: TensorFlow may be in this process.
        process = multiprocessing.get_context("spawn").Process(
            target=prepare_in_process, args=(self._row, self._folder / "files")
        )
        process.start()
        self.processes.append(process)
        return process

    def num_started(self):
        return len(list(self._folder.glob("started-*")))

    def go(self):
        (self._folder / "go").touch()


@pytest.fixture
def slow(tiny, tmp_path):
    result = Slow(tiny("mpi3d_toy"), tmp_path)
    yield result
    for process in result.processes:
        process.kill()
        process.join()


def test_two_processes_at_once_read_the_source_once(slow, capfd):
    first = slow.start()
    until(lambda: slow.num_started() == 1)
    second, heard = slow.start(), ""
    while "waiting for it" not in heard:
        heard += capfd.readouterr().err
        time.sleep(0.01)
    slow.go()
    first.join()
    second.join()
    assert (first.exitcode, second.exitcode) == (0, 0)
    assert slow.num_started() == 1
    assert_array_equal(published("mpi3d_toy").images(), slow.images)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_and_then_again(slow, tmp_path, number):
    process = slow.start()
    until(lambda: slow.num_started() == 1)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == (130 if number == signal.SIGINT else -number)
    assert not list((tmp_path / "cache").rglob("[!.]*.npy"))
    if number == signal.SIGINT:
        assert nothing_there(tmp_path)
    slow.go()
    again = slow.start()
    again.join()
    assert again.exitcode == 0
    assert not list((tmp_path / "cache").rglob("*.tmp*"))
    assert_array_equal(published("mpi3d_toy").images(), slow.images)


# ---- The network: the download manager of TensorFlow Datasets, and a server here.


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file, and can break off."""

    content = b""
    breaks_at: int | None = None
    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[: self.breaks_at])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tiny, tmp_path):
    """A server with the file of a tiny MPI3D, whose row has its address."""
    made = tiny("mpi3d_toy")
    content = (tmp_path / "files" / "mpi3d_toy.npz").read_bytes()
    handler = type("Handler", (Server,), {"content": content})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{running.server_port}/mpi3d_toy.npz"
        file = dataclasses.replace(made.row.files["all"]["images"], url=url)
        row = dataclasses.replace(made.row, files={"all": {"images": file}})
        SETS["mpi3d_toy"], handler.images = row, made.images
        yield handler
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("fault", [{"breaks_at": 200_000}, {"status": 404}])
def test_prepare_fetches_what_is_missing(server, tmp_path, capsys, fault):
    for name, value in fault.items():
        setattr(server, name, value)
    place = str(tmp_path / "cache" / "downloads" / "mpi3d_toy" / "mpi3d_toy.npz")
    refused("mpi3d_toy", capsys, match=("be downloaded", "put it at", place))
    assert nothing_there(tmp_path)
    server.breaks_at, server.status = None, 200
    assert main(["data", "prepare", "mpi3d_toy"]) == 0
    assert_array_equal(published("mpi3d_toy").images(), server.images)
    # Under its published name, so that it is found and checked again.
    assert pathlib.Path(place).read_bytes() == server.content


def test_no_network_for_several_files(tiny, capsys, tmp_path):
    """All that are missing are named at once, with their addresses."""
    made = tiny("mnist")
    urls = [file.url for file in made.row.files["train"].values()]
    refused("mnist", capsys, match=("put it at", *urls))


def test_what_nobody_may_publish(tmp_path, capsys):
    message = refused("faces3d", capsys, match=("faces3d must be prepared", "by hand"))
    assert "faces.dmi.unibas.ch" not in message and "render them" in message
    assert str(tmp_path / "cache" / "downloads" / "faces3d") in message


def test_the_launcher(tmp_path):
    done = subprocess.run(
        [ROOT / "bin" / "data", "info", "shapes3d"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:/bin"},
    )
    assert done.returncode == 0, done.stderr
    for words in ("480,000", "floor_hue 10", "Apache-2.0", "3dshapes.h5"):
        assert words in done.stdout
