"""How the cost of a step grows with batch, image, latents, data and devices.

    .venv/bin/python benchmarks/growth.py [--only batch image ...] [--record]

Each axis is a process of its own with one thread, whose CPU seconds are counted: they
hardly depend on what else the machine does. A figure is the median of a few steps after
the first two. The exponent of a curve is the slope of log(cost) over log(size) between
its last two points, where what does not grow weighs least; the one expected is that of
the arithmetic. `data` has no model: it is what a batch costs that is streamed from a
data set whose images are made when they are asked for, and what the order of so many
takes before the first of them. `replicas` split one batch over so many virtual
CPUs, which adds the work of one step for each, and no speed.
"""

import argparse
import functools
import json
import math
import statistics
import subprocess
import sys
import time

import performance


def median_seconds(function, repeats=5):
    """Returns the median CPU seconds of a call, after two that do not count."""
    seconds = []
    for _ in range(repeats + 2):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds[2:])


def step_seconds(batch=16, side=64, latents=10, covariance="diagonal", repeats=5):
    """Returns the CPU seconds of a step of a VAE."""
    import numpy as np
    import tensorflow as tf

    from tf_disentangle.latents import GaussianLatents
    from tf_disentangle.models import build_vae
    from tf_disentangle.networks import conv_decoder, conv_encoder
    from tf_disentangle.priors import InverseWishartPrior

    prior = {}
    if covariance == "inverse Wishart":
        prior = {"prior": InverseWishartPrior(nu=latents + 10.0)}
    kind = "diagonal" if covariance == "diagonal" else "full"
    space = GaussianLatents(latents, covariance=kind, **prior)
    networks = {}
    if side == 256:
        channels = (32, 32, 64, 64, 64, 64)
        networks = {
            "encoder": functools.partial(conv_encoder, channels=channels),
            "decoder": functools.partial(conv_decoder, channels=channels[::-1]),
        }
    model = build_vae((side, side, 1), latents=space, **networks)
    model.compile()
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 256, (batch, side, side, 1), np.uint8))
    step = tf.function(model.train_step, autograph=False)
    return median_seconds(lambda: step(images)["loss"].numpy(), repeats)


class ComputedImages:
    """Any number of images of 64 x 64, each made when it is asked for."""

    dtype = "uint8"

    def __init__(self, count):
        import numpy as np

        self.shape = (count, 64, 64, 1)
        self.dtype = np.dtype(np.uint8)
        self._row = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, key):
        import numpy as np

        return self._row + np.asarray(key, np.uint8)[:, None, None, None]


def data_seconds(count):
    """Returns the CPU seconds (of a streamed batch of 64, before the first one)."""
    from tf_disentangle.training.input_pipeline import (
        Batches,
        InputPipeline,
        split_indices,
    )

    start = time.process_time()
    training, held_out = split_indices(count, None, 0)
    batches = Batches(training, held_out, 64, 0, False)
    pipeline = InputPipeline(ComputedImages(count), batches, resident=False)
    stream = iter(pipeline.starting_at(0, 10_000))
    next(stream)
    begun = time.process_time() - start

    def hundred():
        for _ in range(100):
            next(stream)

    return median_seconds(hundred) / 100, begun


def replica_seconds(count):
    """Returns the CPU seconds of a step of a batch of 64 over some virtual CPUs."""
    import keras
    import tensorflow as tf

    import tf_disentangle
    from tf_disentangle.datasets import CorrelatedEllipses
    from tf_disentangle.models import build_vae
    from tf_disentangle.training import Device, Intervals

    (cpu,) = tf.config.list_physical_devices("CPU")
    configuration = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [configuration] * count)
    seconds = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.process_time() - self.start)

    run = tf_disentangle.train(
        build_vae,
        CorrelatedEllipses(num_images=500),
        steps=30,
        batch_size=64,
        device=Device("mirrored" if count > 1 else "one"),
        intervals=Intervals(log=5, evaluate=0, save=0, pictures=0),
        callbacks=[Clock()],
        dry_run=True,
    )
    run.start()
    return statistics.median(seconds[1:]) / 5


# Each axis: its sizes, what measures one, the exponent of the arithmetic.
LATENTS = (5, 32, 128, 512)
AXES = {
    "batch": ((32, 128, 512, 1024), lambda n: step_seconds(batch=n, repeats=3), 1.0),
    "image side": ((32, 64, 128, 256), lambda n: step_seconds(side=n), 2.0),
    "latents, diagonal": (LATENTS, lambda n: step_seconds(latents=n), 1.0),
    "latents, full covariance": (
        LATENTS,
        lambda n: step_seconds(latents=n, covariance="full"),
        2.0,  # of the head's L^2 outputs, which outweigh L^3 here
    ),
    "latents, inverse Wishart": (
        LATENTS,
        lambda n: step_seconds(latents=n, covariance="inverse Wishart"),
        2.0,  # of the head's L^2 outputs, which outweigh L^3 here
    ),
    "images, streamed": ((10**4, 10**5, 10**6, 10**7), data_seconds, 0.0),
    "replicas": ((1, 2, 4), replica_seconds, 0.0),
}


def measure(axis, size):
    """Returns what an axis measures at a size, in this process: a list of seconds."""
    from tf_disentangle.cli import startup

    startup.import_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    _, function, _ = AXES[axis]
    sizes = AXES[axis][0] if size is None else [size]
    for each in sizes:
        seconds = function(each)
        seconds = seconds if isinstance(seconds, tuple) else (seconds,)
        print(json.dumps(seconds), flush=True)


def measured(axis):
    """Returns the seconds at each size of an axis, from processes of their own."""
    sizes = AXES[axis][0]
    # Virtual devices are made once in a process.
    calls = [["--size", str(size)] for size in sizes] if axis == "replicas" else [[]]
    lines = []
    for call in calls:
        command = [sys.executable, __file__, "--axis", axis, *call]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        lines += [json.loads(line) for line in done.stdout.splitlines() if line]
    return lines


def rows(axis):
    """Returns the rows of an axis: its points and its exponent."""
    sizes, _, expected = AXES[axis]
    found = measured(axis)
    points = [
        performance.Row(f"{axis} {size:,}", round(1e3 * seconds[0], 2), "ms of CPU")
        for size, seconds in zip(sizes, found, strict=True)
    ]
    costs = [seconds[0] for seconds in found]
    slope = math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])
    exponent = performance.Row(
        f"{axis}: exponent", round(slope, 2), "power", floor=expected or None
    )
    begun = [
        performance.Row(
            f"{axis} {size:,}: before the first", round(s[1], 3), "s of CPU"
        )
        for size, s in zip(sizes, found, strict=True)
        if len(s) > 1
    ]
    return [*points, exponent, *begun]


def main():
    """Prints the curves, or measures one axis."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(AXES))
    parser.add_argument("--record", action="store_true", help="in docs/performance")
    parser.add_argument("--axis", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.axis:
        measure(options.axis, options.size)
        return
    for axis in options.only:
        found = rows(axis)
        for row in found:
            print(f"{row.what:50} {row.figure:10} {row.unit}", flush=True)
        if options.record:
            new = performance.Measurement(
                name=f"{axis[0].upper()}{axis[1:]}",
                text="",
                command=".venv/bin/python benchmarks/growth.py --record",
                rows=found,
                floor="that of the arithmetic alone" if AXES[axis][2] else None,
                reference="expected exponent" if AXES[axis][2] else "floor",
                **performance.machine(),
            )
            performance.record("growth", new)


if __name__ == "__main__":
    main()
