"""How quickly a model answers in each way that it can be served, and a soak test.

    .venv/bin/python benchmarks/serving.py [RUN] [--quick] [--clients=64] [--seconds=30]
    .venv/bin/python benchmarks/serving.py [RUN] --soak=300

Without a RUN, an untrained CHyVAE of 64 x 64 images stands for one: time does not
depend on the weights. The ways take turns, so that the machine's wandering speed meets
all of them alike. The times are those of a caller who has the images as an array, or,
for "bytes", as PNG files:

    in process     the SavedModel's signature, TensorFlow in this process
    gRPC           bin/serve in a process of its own, `serving.Client`
    REST, numbers  the same; the pixels as JSON numbers, at most 4 MB a request
    REST, bytes    the same; each image as a PNG file in base64
    no-op          grpc.server, and Starlette on uvicorn, which read the request as a
                   server must and answer zeros without a model
    ONNX Runtime, OpenVINO     the exported variants, in this process

`--soak` sends requests from many threads by both protocols, one in twenty of them
bad, and checks every answer against what the SavedModel itself says of its images: none
may be lost, mixed up with another's or wrong, and each bad one must be refused.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent import futures

import numpy as np
from serving_processes import NAME, memory, real, without_model

from tf_disentangle import serving

BATCHES = {1: 500, 32: 100, 256: 20}
QUICK = {1: 20, 32: 5, 256: 2}


# ---- What is served.


def export(run, folder):
    """Writes the SavedModel and two variants; returns their folders by kind."""
    from tf_disentangle.cli import startup

    with startup.held_back_stderr():  # unlike training, operations side by side
        import tensorflow  # noqa: F401

    import tf_disentangle as td
    from tf_disentangle.serving import variants

    if run:
        model = td.load(run).model
    else:
        prior = td.priors.InverseWishartPrior(nu=200.0)
        latents = td.latents.GaussianLatents(10, "full", prior)
        objective = td.objectives.chyvae()
        model = td.models.build_vae((64, 64, 1), latents=latents, objective=objective)
    saved = folder / NAME / "1"
    model.export(str(saved), verbose=False)
    folders = {"saved_model": saved}
    for kind in ("onnx", "openvino"):
        folders[kind] = folder / kind
        variants.write(model, folders[kind], kind)
    return folders, model.image_shape


def saved_model(folder):
    """Returns a function of images: the SavedModel's signature."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(folder)).signatures["encode"]

    def encode(images):
        outputs = signature(images=tf.constant(images))
        return outputs.get("codes", outputs.get("mean")).numpy()

    encode.loaded = signature
    return encode


def variant(folder):
    """Returns a function of images: what `variants.write` wrote."""
    from tf_disentangle.serving import variants

    run = variants.load(folder)["encode"]

    def encode(images):
        outputs = run(images=images)
        return outputs.get("codes", outputs.get("mean"))

    return encode


def png(image):
    """Returns an image [H, W, C] as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(
        file, "png"
    )
    return file.getvalue()


# ---- Time.


def interleaved(ways, inputs, calls):
    """Returns the seconds of each call of each way, the ways taking turns."""
    seconds = {name: [] for name in ways}
    for k in range(calls + 1):
        for name, call in ways.items():
            start = time.perf_counter()
            call(inputs[name])
            if k:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    return seconds


def crowd(call, value, clients, seconds):
    """Returns the seconds of each call of `clients` threads, and those of them all."""
    started = time.perf_counter()
    end = started + seconds

    def work(_):
        own = []
        while (start := time.perf_counter()) < end:
            call(value)
            own.append(time.perf_counter() - start)
        return own

    with futures.ThreadPoolExecutor(clients) as threads:
        spent = list(itertools.chain(*threads.map(work, range(clients))))
    return spent, time.perf_counter() - started


def row(name, spent, per_second):
    """Prints one row."""
    p50, p99 = 1e3 * np.percentile(spent, [50, 99])
    print(f"    {name:16} {p50:10.2f} {p99:10.2f} {per_second:12.0f} {len(spent):8}")


def compare(ways, images, files, options):
    """Prints the table of latencies; returns the median of each (way, batch)."""
    medians = {}
    heading = f"{'p50, ms':>10} {'p99, ms':>10} {'images/s':>12} {'calls':>8}"
    for batch, calls in (QUICK if options.quick else BATCHES).items():
        print(f"{f'batch {batch}':20} {heading}")
        inputs = {
            name: files[:batch] if "bytes" in name else images[:batch] for name in ways
        }
        for name, spent in interleaved(ways, inputs, calls).items():
            row(name, spent, batch * len(spent) / sum(spent))
            medians[name, batch] = float(np.median(spent))
    print(f"{f'{options.clients} clients':20} {heading}")
    rounds = 1 if options.quick else 3
    spent, total = {name: [] for name in ways}, Counter()
    for _, (name, call) in itertools.product(range(rounds), ways.items()):
        value = files[:1] if "bytes" in name else images[:1]
        each = crowd(call, value, options.clients, options.seconds / rounds)
        spent[name] += each[0]
        total[name] += each[1]
    for name in ways:
        row(name, spent[name], len(spent[name]) / total[name])
    return medians


def start_up(kind, folder, shape):
    """Prints how long a new process takes to its first answer, and its memory."""
    encode = saved_model(folder) if kind == "saved_model" else variant(folder)
    encode(np.zeros((1, *shape), np.uint8))
    print(memory())


def new_process(kind, folder, shape):
    """Returns (seconds to the first answer, MB) of a process that loads a model."""
    command = [sys.executable, __file__, "--start_up", kind, str(folder)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, *map(str, shape)], capture_output=True, text=True, check=True
    )
    return time.perf_counter() - started, float(done.stdout.split()[-1])


def benchmark(options, folders, shape):
    """Prints the tables and what was asked of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (max(BATCHES), *shape), dtype=np.uint8)
    files = [png(image) for image in images]
    in_process = saved_model(folders["saved_model"])
    base = folders["saved_model"].parent
    with contextlib.ExitStack() as stack:
        clients, process, ready = stack.enter_context(real(base, images[:1]))
        known = clients["grpc"].metadata()
        output = "codes" if "codes" in known["encode"].outputs else "mean"
        width = known["encode"].outputs[output].shape[1]
        of_none, *_ = stack.enter_context(
            without_model(output, width, images[:1], known)
        )
        idle = memory(process.pid)
        ways = {
            "in process": in_process,
            "gRPC": clients["grpc"].encode,
            "gRPC, no-op": of_none["grpc"].encode,
            "REST, numbers": clients["http"].encode,
            "REST, no-op": of_none["http"].encode,
            "REST, bytes": clients["http"].encode_bytes,
            "bytes, no-op": of_none["http"].encode_bytes,
            "ONNX Runtime": variant(folders["onnx"]),
            "OpenVINO": variant(folders["openvino"]),
        }
        medians = compare(ways, images, files, options)
        busy = memory(process.pid)
    print(f"{'a new process':20} {'s to the first answer':>22} {'MB':>8}")
    print(f"    {'bin/serve':16} {ready:22.1f} {idle:8.0f}   {busy:.0f} after all that")
    for kind, name in (
        ("saved_model", "in process"),
        ("onnx", "ONNX Runtime"),
        ("openvino", "OpenVINO"),
    ):
        seconds, size = new_process(kind, folders[kind], shape)
        print(f"    {name:16} {seconds:22.1f} {size:8.0f}")
    share = medians["in process", 256] / medians["gRPC", 256]
    print(f"gRPC at batch 256: {share:.0%} of in process (at least 80% is wanted)")
    parts = medians["gRPC, no-op", 1] + medians["in process", 1]
    beyond = 1e3 * (medians["gRPC", 1] - parts)
    print(f"gRPC at batch 1: {beyond:.2f} ms above no-op and call (under 1 is wanted)")


# ---- Soak.


def soak(options, folders, shape):
    """Sends good and bad requests for a while; ends with an error if one went wrong."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (512, *shape), dtype=np.uint8)
    files = [png(image) for image in images]
    encode = saved_model(folders["saved_model"])
    codes = np.concatenate([encode(images[k : k + 8]) for k in range(0, 512, 8)])
    tolerance = 1e-6 * max(1.0, float(np.abs(codes).max()))
    apart = np.abs(codes[:, np.newaxis] - codes).max(-1) + np.eye(len(codes))
    if apart.min() < 100 * tolerance:
        raise SystemExit("the codes of two images are too near to tell them apart")
    counts, lock = Counter(), threading.Lock()
    with real(folders["saved_model"].parent, images[:1]) as (clients, process, _):
        before, end = memory(process.pid), time.monotonic() + options.soak

        def work(seed):
            own, rng = Counter(), np.random.default_rng(seed)
            while time.monotonic() < end:
                client = clients[("grpc", "http")[rng.integers(2)]]
                if rng.random() < 0.05:
                    own[bad(client, images, files, rng)] += 1
                    continue
                chosen = rng.integers(len(images), size=rng.integers(1, 9))
                by_file = rng.random() < 0.5
                own[good(client, images, files, codes, chosen, by_file, tolerance)] += 1
            with lock:
                counts.update(own)

        with futures.ThreadPoolExecutor(options.clients) as threads:
            list(threads.map(work, range(options.clients)))
        alive, after = process.poll() is None, memory(process.pid)
    for name in ("right", "wrong", "lost", "refused", "taken"):
        print(f"{name:10} {counts[name]:8}")
    print(f"server {before:.0f} MB at the start, {after:.0f} MB at the end")
    if not alive or counts["wrong"] or counts["lost"] or counts["taken"]:
        raise SystemExit("the server ended, or answers are wrong, lost or to bad ones")


def good(client, images, files, codes, chosen, by_file, tolerance):
    """Returns "right", "wrong" or "lost" for one request."""
    try:
        if by_file:
            answer = client.encode_bytes([files[k] for k in chosen])
        else:
            answer = client.encode(images[chosen])
    except serving.ServingError as error:
        print(f"lost: {error}", file=sys.stderr)
        return "lost"
    expected = codes[chosen]
    same = answer.shape == expected.shape
    return "right" if same and np.abs(answer - expected).max() <= tolerance else "wrong"


def bad(client, images, files, rng):
    """Returns "refused" or "taken" for one request that has no right answer."""
    half = files[1][: len(files[1]) // 2]
    requests = (
        lambda: client.encode(images[:2, :-1]),
        lambda: client.encode_bytes([files[0], half]),
        lambda: client.encode_bytes([b"no image"]),
        lambda: client.predict("encode", {"images": images[:1].astype(np.float32)}),
        lambda: client.predict("encode", {"pictures": images[:1]}),
        lambda: client.predict("decode", {"codes": np.zeros((1, 1000), np.float32)}),
    )
    try:
        requests[rng.integers(len(requests))]()
    except serving.InvalidRequestError:  # said by the server, not by the client
        return "refused"
    return "taken"


def main():
    """Prints one table."""
    if sys.argv[1:2] == ["--start_up"]:
        kind, folder, *shape = sys.argv[2:]
        return start_up(kind, folder, tuple(map(int, shape)))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", nargs="?", help="folder of a run")
    parser.add_argument("--quick", action="store_true", help="few calls")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, help="of the clients, for each way")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = 2.0 if options.quick else 30.0
    with tempfile.TemporaryDirectory() as folder:
        folders, shape = export(options.run, pathlib.Path(folder))
        (soak if options.soak else benchmark)(options, folders, shape)


if __name__ == "__main__":
    main()
