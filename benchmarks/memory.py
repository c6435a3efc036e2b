"""Memory of a process that does one thing, beside the least that there could be.

    .venv/bin/python benchmarks/memory.py [--record] [--only NAME ...]

Each row is a process of its own, that of the server excepted: its peak of resident
memory, and at the end how much of it is pages of files, which the system drops when
others need the memory: libraries, and the images of a data set, which are a map. The
store's CHyVAE is scored, exported, shown and served.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import performance

STORED = "store:chyvae_ellipses"
TRAINED = ["train.metrics = []", "Intervals.evaluate = 0", "Intervals.pictures = 0"]


def nothing():
    """Python alone."""


def import_numpy():
    """`import numpy`."""
    import numpy  # noqa: F401


def import_metrics():
    """`import tf_disentangle.metrics`, without TensorFlow."""
    from tf_disentangle import metrics  # noqa: F401


def import_tensorflow():
    """`import tensorflow`."""
    import tensorflow  # noqa: F401


def import_all():
    """`import tensorflow, keras, tensorflow_probability`."""
    import keras  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_probability  # noqa: F401


def import_library():
    """The library's parts for training imported."""
    from tf_disentangle.cli import startup

    startup.import_tensorflow()
    from tf_disentangle import configuration, training  # noqa: F401


def build_model():
    """A VAE of 64 x 64 built."""
    import_library()
    from tf_disentangle.models import build_vae

    build_vae((64, 64, 1)).compile()


def load_data():
    """The 200,000 images of CorrelatedEllipses loaded, without TensorFlow."""
    from tf_disentangle.datasets import CorrelatedEllipses

    CorrelatedEllipses().images()[:64]


def draw_data():
    """The same images drawn first, for an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TF_DISENTANGLE_CACHE"] = folder
        load_data()


def train(*bindings, steps=40, pictures=False):
    """Trains gin/vae.gin for a few steps."""
    import_library()
    from tf_disentangle import configuration

    settings = [f"train.steps = {steps}", f"Intervals.log = {steps}", *TRAINED]
    configuration.parse(["vae.gin"], [*settings, *bindings])
    with tempfile.TemporaryDirectory() as folder:
        run = configuration.build("train", dry_run=True, output=f"{folder}/run")
        if not pictures:
            run._loop.draw = lambda: None
        run.start()


def train_few():
    """40 steps of gin/vae.gin, of 3,000 images."""
    train("CorrelatedEllipses.num_images = 3000")


def train_resident():
    """40 steps of gin/vae.gin."""
    train()


def train_with_pictures():
    """The same with the pictures at its end."""
    train(pictures=True)


def train_large():
    """5 steps of gin/vae.gin in batches of 512."""
    train("train.batch_size = 512", steps=5)


def score():
    """MIG, SAP, DCI of the store's CHyVAE."""
    import tf_disentangle

    tf_disentangle.load(STORED).score("mig", "sap", "dci")


def export():
    """The store's CHyVAE exported for a server."""
    import tf_disentangle

    with tempfile.TemporaryDirectory() as folder:
        tf_disentangle.load(STORED).export(folder, name="model")


def explore():
    """The store's CHyVAE as an explorer's page."""
    import tf_disentangle

    with tempfile.TemporaryDirectory() as folder:
        page = tf_disentangle.load(STORED).explore()
        page.save(pathlib.Path(folder, "page.html"))


def serve():
    """The store's CHyVAE served, after its first answer."""
    import numpy as np
    import serving_processes

    import tf_disentangle

    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder, "model")
        tf_disentangle.load(STORED).export(folder, name="model")
        image = np.zeros((1, 64, 64, 1), np.uint8)
        with serving_processes.real(base, image) as (_, process, _):
            return status(process.pid)


# Each with the row that it is compared with.
STAGES = {
    "nothing": (nothing, None),
    "numpy": (import_numpy, "nothing"),
    "metrics": (import_metrics, "numpy"),
    "tensorflow": (import_tensorflow, "nothing"),
    "all": (import_all, "tensorflow"),
    "library": (import_library, "all"),
    "model": (build_model, "all"),
    "data": (load_data, "numpy"),
    "draw_data": (draw_data, "numpy"),
    "train_few": (train_few, "all"),
    "train": (train_resident, "all"),
    "train_with_pictures": (train_with_pictures, "all"),
    "train_large": (train_large, "all"),
    "score": (score, "all"),
    "export": (export, "all"),
    "explore": (explore, "all"),
    "serve": (serve, "tensorflow"),
}


def status(process_id="self"):
    """Returns a process's peak and its present pages of files, in GB."""
    lines = pathlib.Path(f"/proc/{process_id}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return [int(fields[name].split()[0]) / 1e6 for name in ("VmHWM", "RssFile")]


def main():
    """Prints the table, or is one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(STAGES))
    parser.add_argument("--record", action="store_true", help="in docs/performance")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stage:
        print(json.dumps(STAGES[options.stage][0]() or status()))
        return
    peaks, rows = {}, []
    for name in options.only:
        function, floor = STAGES[name]
        command = [sys.executable, __file__, "--stage", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peak, of_files = json.loads(done.stdout.splitlines()[-1])
        peaks[name] = round(peak, 3)
        note = f"{of_files:.2f} GB of it pages of files"
        what = function.__doc__.rstrip(".")
        rows.append(
            performance.Row(what, peaks[name], "GB", floor=peaks.get(floor), note=note)
        )
        print(f"{what:70} {peaks[name]:6.2f} GB  {note}", flush=True)
    if options.record:
        measured = performance.Measurement(
            name="Peaks of processes",
            text="",
            command=".venv/bin/python benchmarks/memory.py --record",
            rows=rows,
            floor="the imports alone: of TensorFlow, Keras and TFP for what trains or "
            "loads a model, of numpy for what needs none, of TensorFlow for the server",
            reference="compared with",
            **performance.machine(),
        )
        performance.record("memory", measured)


if __name__ == "__main__":
    main()
