"""The training step of each kind of model, beside the least time of its arithmetic.

    .venv/bin/python benchmarks/step_floor.py
    .venv/bin/python benchmarks/step_floor.py vae infogan --record

Names are files at gin/'s top. A step is the model's own `train_step` with the file's
batch and settings, as the loop runs it, and with --jit compiled by XLA too. Counted is
what its convolutions and matrix products need, by the step's own XLA program (as in
gpu.py); the floor is that at the speed of a product of two 1,024 x 1,024 matrices.
Time is a single thread's CPU seconds, which other work changes little: models and the
product take turns, and the figure is the median of the rounds.
"""

import argparse
import statistics
import time

from tf_disentangle.cli import startup

startup.import_tensorflow()

import gpu  # noqa: E402
import numpy as np  # noqa: E402
import performance  # noqa: E402
import tensorflow as tf  # noqa: E402

from tf_disentangle import configuration  # noqa: E402

NAMES = ("vae", "chyvae", "factor_vae", "infogan", "infowgan_gp")
SIZE = 1024


def built(name):
    """Returns the model of a gin file, and a batch of it."""
    settings = ["train.steps = 1", "train.metrics = []"]
    configuration.parse([f"{name}.gin"], settings)
    run = configuration.build("train", dry_run=True, output=None)
    model = run.model
    model.build_optimizers()
    shape = (run.batches.batch_size * model.batches_per_step, *model.image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return model, tf.constant(images)


def gflop(model, images):
    """Returns the arithmetic of a step, by its program."""
    step = tf.function(model.train_step, jit_compile=True, autograph=False)
    spec = tf.TensorSpec(images.shape, images.dtype)
    text = step.experimental_get_compiler_ir(spec)(stage="stablehlo")
    return gpu.useful_flops(gpu.plain_stablehlo(text)) / 1e9


def milliseconds(function, calls):
    """Returns the CPU time of a call."""
    start = time.process_time()
    for _ in range(calls):
        function()
    return (time.process_time() - start) / calls * 1000


def stepping(model, images, jit):
    """Returns a function that takes a step."""
    step = tf.function(model.train_step, jit_compile=jit, autograph=False)
    return lambda: step(images)["loss"].numpy()


def main():
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(NAMES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=2, help="per round and model")
    parser.add_argument("--jit", action="store_true", help="with XLA too")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    steps, needs = {}, {}
    for name in options.names:
        model, images = built(name)
        need = gflop(model, images)
        for jit in (False, True) if options.jit else (False,):
            label = f"{name}, compiled by XLA" if jit else name
            steps[label], needs[label] = stepping(model, images, jit), need
    matrix = tf.random.stateless_normal([SIZE, SIZE], [0, 0])
    steps["product"] = tf.function(lambda: tf.matmul(matrix, matrix), autograph=False)
    times = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(options.rounds):
        for name, step in steps.items():
            times[name].append(milliseconds(step, options.calls))
    product = statistics.median(times.pop("product"))
    peak = 2 * SIZE**3 / product / 1e6
    report(times, needs, peak, options)


def report(times, needs, peak, options):
    """Prints the table, and records it if asked to."""
    print(f"{performance.machine()['processor']}; limit {peak:.0f} GFLOP/s")
    print(f"{'':28} {'ms':>7} {'GFLOP':>7} {'floor':>7} {'ratio':>6}")
    rows = []
    for name, each in times.items():
        took, floor = statistics.median(each), needs[name] / peak * 1000
        numbers = f"{took:7.1f} {needs[name]:7.2f} {floor:7.1f} {took / floor:6.2f}"
        print(f"{name:28} {numbers}")
        low_high = [round(min(each), 1), round(max(each), 1)]
        note = f"{needs[name]:.1f} GFLOP"
        rows.append(
            performance.Row(
                name,
                round(took, 1),
                "ms of CPU",
                range=low_high,
                floor=round(floor, 1),
                note=note,
            )
        )
    if options.record:
        measurement = performance.Measurement(
            name="A step of each kind beside its arithmetic",
            text="",
            command=".venv/bin/python benchmarks/step_floor.py"
            + " --jit" * options.jit
            + " --record",
            **performance.machine(),
            floor=f"a step's convolutions and products at {peak:.0f} GFLOP/s",
            rows=rows,
        )
        performance.record("critics", measurement)


if __name__ == "__main__":
    main()
