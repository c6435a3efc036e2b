"""Times whole training steps on a GPU, where no TensorFlow need be installed.

    .venv/bin/python benchmarks/gpu.py export steps
    python benchmarks/gpu.py time steps [--record]     # pip install jax, or jax[cuda12]

The first command, on any machine with this library, writes the XLA program of the whole
step (forward, backward, both optimisers, draws and statistics) of each model as
StableHLO, and what TensorFlow computes with it. Its arguments are a uint8 batch, the
weights, the optimisers' state and the counters, from which the draws are folded; it
returns the state after the step. The second needs Python, numpy and JAX alone: it
compiles each program, holds one step against TensorFlow's, and times it.

Printed: images per second, that in useful FLOPs beside what a large matrix product
reaches on the same device in the same precision, and minutes for 300,000 steps. A
program in float32 is timed in TF32 too where the device has it. Gathering the batch
from the images on the device is not part of the step.
"""

import argparse
import collections
import json
import math
import pathlib
import re
import statistics
import time

import numpy as np

MODELS = ("chyvae", "beta_tcvae", "factor_vae")
BATCHES = (64, 1024)
PRECISIONS = ("float32", "mixed_bfloat16")
#: Steps that the state pretends to have seen, and those of the run that is foretold.
STEPS_BEFORE, RUN_STEPS = 10, 300_000
#: At most so many numbers of each output are compared, evenly spread.
COMPARED = 4096
#: Largest error of an output by its norm, for each precision.
TOLERANCES = {"float32": 1e-3, "tf32": 5e-2, "mixed_bfloat16": 1e-1}


# ---- What a step takes, the same on both machines.


def values_of(arguments, image_shape):
    """Returns the arguments of a step as arrays, drawn from their descriptions."""
    rng = np.random.default_rng(0)
    values = [rng.integers(0, 256, image_shape, np.uint8)]
    for argument in arguments:
        shape, kind = tuple(argument["shape"]), argument["kind"]
        noise = rng.standard_normal(shape)
        if kind == "weight":
            fan_in = math.prod(shape[:-1]) if len(shape) > 1 else 1e4
            noise = noise / math.sqrt(fan_in)
        elif kind == "momentum":
            noise = 1e-2 * noise
        elif kind == "velocity":
            noise = 1e-2 + 1e-2 * noise**2
        else:
            noise = np.full(shape, argument["value"])
        values.append(noise.astype(argument["dtype"]))
    return values


def sampled(array):
    """Returns at most `COMPARED` numbers of an array, evenly spread, in float64."""
    flat = np.asarray(array).astype(np.float64).ravel()
    return flat[:: -(-len(flat) // COMPARED)]


# ---- Export: needs TensorFlow.


def kind_of(variable, optimizers):
    """Returns how a variable's value is to be drawn, by the part that holds it."""
    for optimizer in optimizers:
        for kind, held in (
            ("momentum", optimizer._momentums),
            ("velocity", optimizer._velocities),
        ):
            if any(variable is keras_variable.value for keras_variable in held):
                return kind
    return "weight" if variable.trainable else "number"


def described(model, step):
    """Returns what `values_of` needs for each variable that a traced step takes."""
    optimizers = list(model.optimizers.values())
    counters = {id(model.steps.value)} | {id(o.iterations.value) for o in optimizers}
    by_handle = {id(v.handle): v for v in step.variables}
    variables = [by_handle[id(held)] for held in step.captured_inputs]
    arguments = []
    for variable in variables:
        kind = kind_of(variable, optimizers)
        argument = {
            "name": variable.name,
            "kind": kind,
            "shape": variable.shape.as_list(),
            "dtype": variable.dtype.name,
        }
        if kind == "number":
            value = variable.numpy().ravel()[0]
            value = STEPS_BEFORE if id(variable) in counters else value.item()
            argument["value"] = value
        arguments.append(argument)
    return variables, arguments


def plain_stablehlo(text):
    """Returns a module without locations and without MHLO's own copies.

    Locations are two thirds of the text; the copies mean nothing, and a runtime reads
    StableHLO alone.
    """
    text = re.sub(r" loc\((?:[^()\"]|\"[^\"]*\")*\)", "", text)
    lines = [line for line in text.splitlines() if not line.startswith("#loc")]
    copies, kept = {}, []
    for line in lines:
        copied = re.match(r"\s*(%\w+) = mhlo\.copy (%\w+) ", line)
        if copied:
            copies[copied[1]] = copies.get(copied[2], copied[2])
        else:
            kept.append(re.sub(r"%\w+", lambda m: copies.get(m[0], m[0]), line))
    return "\n".join(kept)


def aliases(text):
    """Returns {number of an output: number of the argument that it takes the place of}.

    The argument of number 0 is the batch.
    """
    pairs = re.findall(
        r"parameter_number = (\d+)[^}]*}, output_index = array<i64: (\d+)>", text
    )
    return {int(output): int(argument) for argument, output in pairs}


def numel(tensor):
    """Returns the shape of `8x64xf32` without its type."""
    return [int(size) for size in tensor.split("x")[:-1]]


def useful_flops(text):
    """Returns the FLOPs of a step's convolutions and matrix products.

    Neither the zeros that a transposed convolution puts between its inputs are counted
    nor what nothing reads, such as the gradient in the images.
    """
    total, named = 0, collections.Counter(re.findall(r"%\w+", text))
    kinds = re.compile(
        r"(%\w+) = stablehlo\.(convolution|dot|dot_general)\b(.*) : "
        r"\(tensor<(\S+)>, tensor<(\S+)>\) -> tensor<(\S+)>"
    )
    for name, kind, settings, *tensors in kinds.findall(text):
        if named[name] == 1:
            continue
        left, right, result = (numel(tensor) for tensor in tensors)
        if kind == "convolution":
            dimensions = re.search(r"\]x\[(.*?)\]", settings)[1].split(", ")
            dilation = re.search(r"lhs_dilate = \[(.*?)\]", settings)
            zeros = math.prod(map(int, dilation[1].split(", "))) if dilation else 1
            each = math.prod(right) / right[dimensions.index("o")] / zeros
        elif kind == "dot":
            each = left[-1]
        else:
            contracted = re.search(r"contracting_dims = \[(.*?)\]", settings)[1]
            each = math.prod(left[int(d)] for d in contracted.split(", "))
        total += 2 * math.prod(result) * each
    return round(total)


def export_step(folder, name, batch, precision, bindings=()):
    """Writes the program of a model's step, what it takes and what it gives.

    Args:
        folder: Where.
        name: A gin file without its suffix.
        batch: Images of a step.
        precision: Of the networks.
        bindings: Further ones of gin.
    """
    import tensorflow as tf

    from tf_disentangle import configuration

    settings = [f"train.batch_size = {batch}", "train.steps = 1", "train.metrics = []"]
    settings.append(f"build_vae.precision = '{precision}'")
    settings += ["train.device = @Device()", "Device.jit_compile = True"]
    configuration.parse([f"{name}.gin"], [*settings, *bindings])
    model = configuration.build("train", dry_run=True, output=None).model
    model.build_optimizers()
    shape = (batch * model.batches_per_step, *model.image_shape)
    step = tf.function(model.train_step, jit_compile=True, autograph=False)
    spec = tf.TensorSpec(shape, tf.uint8)
    variables, arguments = described(model, step.get_concrete_function(spec))
    values = values_of(arguments, shape)
    text = step.experimental_get_compiler_ir(spec)(stage="stablehlo")
    text = plain_stablehlo(text)
    for variable, value in zip(variables, values[1:], strict=True):
        variable.assign(value)
    rows = tf.nest.flatten(step(tf.constant(values[0])))
    after = {o: variables[i - 1] for o, i in sorted(aliases(text).items())}
    outputs = [*rows, *after.values()]
    stem = f"{name}-{batch}-{precision}"
    np.savez_compressed(
        folder / f"{stem}.npz", *[sampled(output.numpy()) for output in outputs]
    )
    (folder / f"{stem}.mlir").write_text(text, encoding="utf-8")
    return stem, {
        "model": name,
        "batch": batch,
        "precision": precision,
        "image_shape": shape,
        "flops": useful_flops(text),
        "arguments": arguments,
        "aliases": {
            str(output): argument for output, argument in aliases(text).items()
        },
    }


def export(options):
    """Writes the steps and the manifest."""
    from tf_disentangle.cli import startup

    startup.import_tensorflow()
    import tensorflow as tf

    options.folder.mkdir(parents=True, exist_ok=True)
    steps = {}
    for name in options.models:
        for precision in options.precisions:
            for batch in options.batches:
                stem, step = export_step(options.folder, name, batch, precision)
                steps[stem] = step
                flops = step["flops"] / 1e6 / batch
                print(f"{stem:36} {flops:8.1f} MFLOP for each image of a step")
    manifest = {"tensorflow": tf.__version__, "steps": steps}
    text = json.dumps(manifest, indent=1)
    (options.folder / "manifest.json").write_text(text, encoding="utf-8")


# ---- Timing: needs JAX.


def compiled(text, precision):
    """Compiles a module for the first device, with the argument order as it stands.

    What DEFAULT means for float32 is the device's choice: TF32 on GPUs that have it.
    HIGHEST is float32 everywhere.
    """
    from jax.extend import backend
    from jaxlib import _jax, xla_client

    if precision == "float32":
        text = re.sub(r"\bDEFAULT\b", "HIGHEST", text)
    client = backend.get_backend()
    devices = _jax.DeviceList(tuple(client.local_devices()[:1]))
    options = xla_client.CompileOptions()
    return client.compile_and_load(text.encode(), devices, options)


class Step:
    """A compiled step and the state that it moves on."""

    def __init__(self, folder, stem, described, precision):
        import jax

        text = (folder / f"{stem}.mlir").read_text(encoding="utf-8")
        start = time.perf_counter()
        self.program = compiled(text, precision)
        self.compile_seconds = time.perf_counter() - start
        shape = described["image_shape"]
        with jax.enable_x64(True):
            self.arguments = [
                jax.device_put(value)
                for value in values_of(described["arguments"], shape)
            ]
        self.aliases = {int(o): i for o, i in described["aliases"].items()}

    def __call__(self):
        """Takes a step; returns its outputs, of which the state is the next one's."""
        done = self.program.execute_sharded(self.arguments)
        outputs = [arrays[0] for arrays in done.disassemble_into_single_device_arrays()]
        for output, argument in self.aliases.items():
            self.arguments[argument] = outputs[output]
        return outputs

    def wait(self):
        """Waits until the device has done all steps."""
        for argument in self.arguments:
            argument.block_until_ready()

    def seconds(self, steps):
        """Returns the seconds of a step, over `steps` of them without a pause."""
        self.wait()
        start = time.perf_counter()
        for _ in range(steps):
            self()
        self.wait()
        return (time.perf_counter() - start) / steps


def expected(folder, stem):
    """Returns what TensorFlow's step gave, `sampled`, in the order of the outputs."""
    with np.load(folder / f"{stem}.npz") as stored:
        return [stored[name] for name in stored.files]


def largest_error(outputs, wanted_outputs):
    """Returns the largest error of an output beside its norm."""
    errors = []
    for output, wanted in zip(outputs, wanted_outputs, strict=True):
        error = np.linalg.norm(sampled(output) - wanted)
        errors.append(error / max(np.linalg.norm(wanted), 1e-30))
    return max(errors)


def roof(precision, size):
    """Returns the FLOP/s of a product of square matrices on this device."""
    import jax
    import jax.numpy as jnp

    dtype = jnp.bfloat16 if precision == "mixed_bfloat16" else jnp.float32
    algorithm = "highest" if precision == "float32" else "default"
    product = jax.jit(lambda a, b: jnp.matmul(a, b, precision=algorithm))
    a = jnp.full((size, size), 1e-3, dtype)
    product(a, a).block_until_ready()
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        result = a
        for _ in range(5):
            result = product(a, result)
        result.block_until_ready()
        best = min(best, (time.perf_counter() - start) / 5)
    return 2 * size**3 / best


def measure(options):
    """Compiles, checks and times every step of a folder; prints a table."""
    import jax

    device = jax.devices()[0]
    on_gpu = device.platform == "gpu"
    manifest = json.loads((options.folder / "manifest.json").read_text())
    print(f"{device.device_kind}, jax {jax.__version__}")
    size = 8192 if on_gpu else 1024
    roofs, rows = {}, []
    for stem, described in manifest["steps"].items():
        if described["batch"] not in options.batches:
            continue
        precisions = [described["precision"]]
        if precisions == ["float32"] and on_gpu:
            precisions.append("tf32")
        for precision in precisions:
            step = Step(options.folder, stem, described, precision)
            error = largest_error(step(), expected(options.folder, stem))
            if not error < TOLERANCES[precision]:
                raise SystemExit(f"{stem}: off by {error:.2g} from TensorFlow's step")
            step.seconds(min(2, options.steps))
            rounds = [step.seconds(options.steps) for _ in range(options.rounds)]
            if precision not in roofs:
                roofs[precision] = roof(precision, size)
            rows.append(row(described, precision, rounds, roofs[precision], error))
            print(
                f"{rows[-1]['what']:36} {rows[-1]['figure']:10,.0f} images/s  "
                f"{rows[-1]['note']}; compiled in {step.compile_seconds:.0f} s"
            )
    if options.record:
        record(device, jax.__version__, rows)


def row(described, precision, rounds, peak, error):
    """Returns a row of docs/performance/gpu.json."""
    speeds = [described["batch"] / seconds for seconds in rounds]
    limit = peak / described["flops"] * described["batch"]
    seconds = statistics.median(rounds)
    minutes = RUN_STEPS * seconds / 60
    return {
        "what": f"{described['model']}, {precision}, batch {described['batch']}",
        "figure": statistics.median(speeds),
        "unit": "images/s",
        "range": [min(speeds), max(speeds)],
        "floor": limit,
        "note": f"300,000 steps in {minutes:,.0f} min; "
        f"off TensorFlow's step by {error:.1g}",
    }


def record(device, version, rows):
    """Writes the rows into docs/performance/gpu.json."""
    import performance

    where = performance.machine()
    if device.platform == "gpu":
        where["processor"] = device.device_kind
    measured = performance.Measurement(
        name=f"The step's own program under JAX {version}",
        text="",
        command="python benchmarks/gpu.py time steps --record",
        rows=[performance.Row(**row) for row in rows],
        floor="the images/s at which the step's useful FLOPs equal those of a large "
        "matrix product on the same device in the same precision",
        **where,
    )
    performance.record("gpu", measured)


def main():
    """Exports or times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("export", "time"))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--models", nargs="*", default=MODELS)
    parser.add_argument("--batches", nargs="*", type=int, default=BATCHES)
    parser.add_argument("--precisions", nargs="*", default=PRECISIONS)
    parser.add_argument("--steps", type=int, default=100, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true", help="in docs/performance")
    options = parser.parse_args()
    (export if options.action == "export" else measure)(options)


if __name__ == "__main__":
    main()
