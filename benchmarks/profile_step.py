"""Where the time of a training step goes: every kernel beside the processor's limit.

    .venv/bin/python benchmarks/profile_step.py --torch_python=PYTHON_WITH_TORCH

The step is that of gin/vae.gin, batches of 50 images of 64 x 64. Each kernel runs by
itself on operands of its size, in turns with the others; time is a single thread's CPU
seconds, which other work changes little, or with --threads=2 the wall clock's. The
limit is a product of two 1024 x 1024 matrices in the same precision. What the whole
step takes beside its kernels is TensorFlow's dispatch, statistics, and caches that
another kernel has emptied, less what is fused there: the encoder's biases and ReLU
are part of its convolutions. PyTorch's profile is that of torch_reference.py by its own
profiler, on the wall clock.

To see another processor, set ONEDNN_MAX_CPU_ISA=AVX2, which oneDNN obeys in both
libraries. `--record` writes the table into docs/performance/step.json.
"""

import argparse
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tf_disentangle.cli import startup

startup.import_tensorflow()

import performance  # noqa: E402
import tensorflow as tf  # noqa: E402

from tf_disentangle import models, networks  # noqa: E402
from tf_disentangle.models import kernels  # noqa: E402

BATCH, SIDE, WIDTH = 50, 64, 128
TORCH = """
import sys; sys.path.insert(0, {folder!r})
import torch, torch_reference as reference
from torch.profiler import ProfilerActivity, profile
torch.set_num_threads({threads}); torch.manual_seed(0)
model = reference.VAE(); optimizer = torch.optim.Adam(model.parameters(), 1e-4)
images = torch.rand(reference.BATCH, 1, 64, 64)
def step():
    optimizer.zero_grad(set_to_none=True); model.loss(images).backward()
    optimizer.step()
for _ in range(3): step()
with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
    for _ in range({steps}): step()
rows = profiled.key_averages(group_by_input_shape=True)
rows = sorted(rows, key=lambda row: -row.self_cpu_time_total)
total = sum(row.self_cpu_time_total for row in rows)
for row in rows[:16]:
    shapes = [shape for shape in row.input_shapes if shape][:3]
    share = row.self_cpu_time_total / total
    took = row.self_cpu_time_total / {steps} / 1000
    print(f"{{row.key:32}} {{took:7.2f}} ms {{share:6.1%}}  {{shapes}}")
"""


@dataclass
class Kernel:
    """A part of the step.

    Attributes:
        name: What it is.
        run: Does it once.
        gflop: Its arithmetic, in 1e9 operations; None where that is not the point.
        took: Seconds of a run, of each round.
    """

    name: str
    run: Callable
    gflop: float | None = None
    took: list[float] = field(default_factory=list)

    def time(self, clock: Callable[[], float], calls: int) -> None:
        """Adds a round."""
        start = clock()
        for _ in range(calls):
            self.run()
        self.took.append((clock() - start) / calls)

    @property
    def milliseconds(self) -> float:
        """Median over the rounds."""
        return 1000 * statistics.median(self.took)


def compiled(function: Callable, *arguments: tf.Tensor) -> Callable:
    """Returns a function without arguments that runs as one graph."""
    graph = tf.function(function, autograph=False)
    return lambda: graph(*arguments)


def normal(*shape: int, dtype: str = "float32") -> tf.Tensor:
    """Draws an operand."""
    return tf.cast(tf.random.stateless_normal(shape, [0, 1]), dtype)


def of_convolution(layer, inputs, outputs, dtype, needs_inputs):
    """Yields the kernels of a convolution or transposed convolution."""
    x, y = normal(BATCH, *inputs, dtype=dtype), normal(BATCH, *outputs, dtype=dtype)
    w = tf.cast(layer.kernel, dtype)
    transposed = type(layer).__name__ == "Conv2DTranspose"
    small, large = (x, y) if transposed else (y, x)
    gflop = 2e-9 * math.prod(w.shape) * BATCH * math.prod(small.shape[1:3])

    def down(large, w):
        return tf.nn.conv2d(large, w, 2, "SAME")

    def up(small, w):
        if kernels.fits(layer):
            return kernels.conv_transpose(small, w)
        return tf.nn.conv2d_transpose(small, w, large.shape, 2, "SAME")

    def of_weights(large, small):
        return tf.raw_ops.Conv2DBackpropFilter(
            input=large,
            filter_sizes=w.shape,
            out_backprop=small,
            strides=[1, 2, 2, 1],
            padding="SAME",
        )

    forward, backward = (up, down) if transposed else (down, up)
    name = f"{layer.name} {inputs[-1]} -> {outputs[-1]}, {outputs[0]} x {outputs[1]}"
    yield Kernel(f"{name}: forward", compiled(forward, x, w), gflop)
    if needs_inputs:
        yield Kernel(f"{name}: inputs", compiled(backward, y, w), gflop)
    yield Kernel(f"{name}: weights", compiled(of_weights, large, small), gflop)


def of_dense(layer, inputs, outputs, dtype):
    """Returns the three products of a dense layer as one kernel."""
    x, y = normal(BATCH, *inputs, dtype=dtype), normal(BATCH, *outputs, dtype=dtype)
    w = tf.cast(layer.kernel, dtype)

    def products(x, y, w):
        of_inputs = tf.matmul(y, w, transpose_b=True)
        return tf.matmul(x, w), of_inputs, tf.matmul(x, y, transpose_a=True)

    name = f"{layer.name} {inputs[0]} -> {outputs[0]}: all three"
    return Kernel(name, compiled(products, x, y, w), 6e-9 * BATCH * math.prod(w.shape))


def of_activations(layers, dtype):
    """Returns biases and ReLU of all layers, forward and backward."""
    outputs = [normal(BATCH, *shape, dtype=dtype) for _, shape in layers]
    biases = [tf.cast(layer.bias, dtype) for layer, _ in layers]

    def both(outputs, biases):
        results = []
        for y, bias in zip(outputs, biases, strict=True):
            active = tf.nn.relu(tf.nn.bias_add(y, bias))
            back = tf.raw_ops.ReluGrad(gradients=y, features=active)
            results += [active, back, tf.raw_ops.BiasAddGrad(out_backprop=back)]
        return results

    return Kernel("biases and ReLU, by themselves", compiled(both, outputs, biases))


def of_model(model, images):
    """Yields likelihood, latents, optimiser, input and the whole step."""
    logits, head = normal(BATCH, SIDE, SIDE, 1), normal(BATCH, 20)
    targets = tf.cast(images, tf.float32) / 255.0

    def likelihood(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = model.objective.likelihood.log_prob(targets, logits)
        return value, tape.gradient(value, logits)

    seed = tf.constant([0, 1])

    def latents(head):
        with tf.GradientTape() as tape:
            tape.watch(head)
            posterior = model.latents.posterior(head)
            sample = posterior.sample(seed)
            parts = posterior.kl(sample, seed).values()
            loss = tf.reduce_sum(sample) + sum(tf.reduce_sum(part) for part in parts)
        return tape.gradient(loss, head)

    gradients = [tf.zeros(v.shape) for v in model.optimized_variables]

    def optimizer():
        with kernels.faster():
            model.optimizer.apply(gradients, model.optimized_variables)

    data = tf.zeros((5000, SIDE, SIDE, 1), tf.uint8)

    def batch():
        images = tf.gather(data, tf.range(0, 5000, 5000 // BATCH))
        return tf.cast(images, tf.float32) / 255.0

    yield Kernel("likelihood, forward and backward", compiled(likelihood, logits))
    yield Kernel("latents and KL, forward and backward", compiled(latents, head))
    yield Kernel("Adam", compiled(optimizer))
    yield Kernel("a batch of the data as floats", compiled(batch))
    yield Kernel("the whole step", compiled(model.train_step, images))


def all_kernels(dtype):
    """Returns (the parts of the step, the step, an empty call, the limit)."""
    policy = "float32" if dtype == "float32" else "mixed_bfloat16"
    model = models.build_vae(
        (SIDE, SIDE, 1),
        encoder=lambda *a, **k: networks.conv_encoder(*a, width=WIDTH, **k),
        decoder=lambda *a, **k: networks.conv_decoder(*a, width=WIDTH, **k),
        precision=policy,
    )
    model.compile()
    parts, activated = [], []
    for network in (model.encoder, model.decoder):
        weighted = [layer for layer in network.layers if layer.weights]
        for layer in weighted:
            inputs, outputs = layer.input.shape[1:], layer.output.shape[1:]
            if "Conv" in type(layer).__name__:
                first = layer is model.encoder.layers[1]
                parts += of_convolution(layer, inputs, outputs, dtype, not first)
            else:
                parts.append(of_dense(layer, inputs, outputs, dtype))
            if layer is not weighted[-1]:
                activated.append((layer, outputs))
    images = tf.cast(tf.zeros((BATCH, SIDE, SIDE, 1)) + 100, tf.uint8)
    *rest, step = of_model(model, images)
    parts += [of_activations(activated, dtype), *rest]
    nothing = Kernel("an empty call", compiled(tf.identity, normal(1)))
    side = 1024
    matrix = normal(side, side, dtype=dtype)
    limit = Kernel("limit", compiled(tf.matmul, matrix, matrix), 2e-9 * side**3)
    return parts, step, nothing, limit


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch_python", default=sys.executable)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=5, help="per round and kernel")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    parts, step, nothing, limit = all_kernels(options.dtype)
    everything = [*parts, step, nothing, limit]
    clock = time.process_time if options.threads == 1 else time.perf_counter
    for kernel in everything:
        kernel.run()
    for _ in range(options.rounds):
        for kernel in everything:
            kernel.time(clock, options.calls)
    report(parts, step, nothing, limit, options)
    print("\nPyTorch, by its own profiler:", flush=True)
    folder = str(performance.ROOT / "benchmarks")
    script = TORCH.format(folder=folder, threads=options.threads, steps=10)
    subprocess.run([options.torch_python, "-c", script], check=False)


def processor():
    """Returns the processor's name and instruction sets, and oneDNN's limit."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    told = f"; oneDNN told to use {limit} alone" if limit else ""
    return performance.machine()["processor"] + told


def report(parts, step, nothing, limit, options) -> None:
    """Prints the table, and records it if asked to."""
    empty = nothing.milliseconds
    peak = limit.gflop / limit.milliseconds * 1000
    total = step.milliseconds
    rows = []
    print(f"{processor()}, {options.dtype}; limit {peak:.0f} GFLOP/s")
    print(f"{'':44} {'ms':>7} {'share':>6} {'GFLOP/s':>8} {'of limit':>9}")
    for kernel in parts:
        took = max(kernel.milliseconds - empty, 1e-3)
        line = f"{kernel.name:44} {took:7.2f} {took / total:6.1%}"
        floor = None
        if kernel.gflop and took > 0.1:  # Below that the empty call's noise decides.
            speed, floor = 1000 * kernel.gflop / took, 1000 * kernel.gflop / peak
            line += f" {speed:8.0f} {speed / peak:9.0%}"
        print(line)
        rows.append((kernel.name, took, floor))
    gflop = sum(kernel.gflop or 0 for kernel in parts)
    rest = total - sum(took for _, took, _ in rows)
    print(f"{'dispatch, statistics, cold caches':44} {rest:7.2f} {rest / total:6.1%}")
    speed = 1000 * gflop / total
    print(f"{step.name:44} {total:7.2f} {1:6.1%} {speed:8.0f} {speed / peak:9.0%}")
    print(f"{1000 * gflop / BATCH:.0f} MFLOP for an image and step")
    if options.record:
        rows.append(("dispatch, statistics, cold caches", rest, None))
        rows.append((step.name, total, 1000 * gflop / peak))
        record(rows, peak, options)


def record(rows, peak, options) -> None:
    """Writes the table into docs/performance/step.json."""
    unit = "ms of CPU" if options.threads == 1 else "ms"
    rounded = [(w, round(t, 2), f and round(f, 2)) for w, t, f in rows]
    performance.record(
        "step",
        performance.Measurement(
            name=f"Where the time of a step goes, {options.dtype}",
            text="",
            command=".venv/bin/python benchmarks/profile_step.py"
            f" --dtype={options.dtype} --threads={options.threads}",
            **{**performance.machine(), "processor": processor()},
            floor=f"the kernel's arithmetic at {peak:.0f} GFLOP/s, a matrix product's",
            rows=[performance.Row(w, t, unit, floor=f) for w, t, f in rounded],
        ),
    )


if __name__ == "__main__":
    main()
