"""Images per second and memory of the ways from a data set to a batch on the device.

    .venv/bin/python benchmarks/pipeline.py [--datasets DSprites] [--step]

For each data set, batches of 64 in a random order without replacement:

    resident    ours: indices from tf.data, gathered and decoded on the device
    streamed    ours for what the device cannot hold: gathered on the host, prefetched
    host        images[indices] in numpy alone, as metrics and pictures read them
    tf.data     from_tensor_slices(...).shuffle(all).batch(64).prefetch, of uint8
    DataLoader  torch's, with shuffle, over the same array; left out without torch

The last two hold decoded images, and the largest set's would not fit here: they get
the first 100,000 (--slice). With --step a batch is set beside a training
step of gin/vae.gin over a batch that is already there.

Each contestant is a process that sleeps while the others run; rounds are interleaved.
Cold is the time from the data set's name to the first batch, in a process that has
imported everything; memory is the growth of the process since then, at most; CPU is the
process's time for a batch, on all cores.
"""

import argparse
import itertools
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

BATCH = 64
GRIDS = ("CorrelatedEllipses", "DSprites", "Rooms3D")
WAYS = ("resident", "streamed", "host", "tf.data", "DataLoader")


def resident_batches(data, _):
    """Index batches, gathered in a function as a train step gathers them."""
    import tensorflow as tf

    from tf_disentangle.training.resident import ResidentImages

    gather = tf.function(ResidentImages(data.images()).__call__)
    return (gather(indices) for indices in index_batches(data))


def index_batches(data):
    """Batches of indices of a data set, without end."""
    import numpy as np

    from tf_disentangle.training import input_pipeline

    return input_pipeline.index_batches(np.arange(len(data)), BATCH, seed=0)


def streamed_batches(data, _):
    """Batches that are gathered on the host."""
    from tf_disentangle.training.input_pipeline import streamed

    return streamed(index_batches(data), data.images())


def host_batches(data, _):
    """Batches that numpy gathers."""
    images = data.images()
    return (images[i] for i in index_batches(data).as_numpy_iterator())


def sliced_batches(data, count):
    """What a tutorial writes."""
    import tensorflow as tf

    made = tf.data.Dataset.from_tensor_slices(data.images()[:count])
    made = made.shuffle(min(count, len(data)), seed=0).batch(BATCH)
    return made.repeat().prefetch(tf.data.AUTOTUNE)


def loader_batches(data, count):
    """What a tutorial of the neighbours writes."""
    import torch

    images = torch.from_numpy(data.images()[:count].copy())
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images), BATCH, shuffle=True, drop_last=True
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


MAKERS = dict(
    zip(
        WAYS,
        (
            resident_batches,
            streamed_batches,
            host_batches,
            sliced_batches,
            loader_batches,
        ),
        strict=True,
    )
)


def megabytes():
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def answer(*values):
    """Gives numbers to the parent."""
    print(*values, flush=True)


def timed(count, work, before):
    """Calls `work`; answers with images/s, CPU seconds a batch, and megabytes."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    speed = BATCH * count / (time.perf_counter() - start)
    answer(speed, (time.process_time() - cpu) / count, megabytes() - before)


def worker(name, way, options):
    """Makes batches, a round for each line that it reads."""
    import tensorflow as tf

    from tf_disentangle import datasets
    from tf_disentangle.training import input_pipeline, resident  # noqa: F401 imported now

    tf.zeros([1])  # starts the runtime
    sys.stdin.readline()
    before, start = megabytes(), time.perf_counter()
    batches = iter(MAKERS[way](datasets.DATASETS[name](), options.slice))
    next(batches)
    answer(time.perf_counter() - start)

    def work():
        for _ in range(options.batches):
            last = next(batches)
        # Waits for what a device may still be doing.
        getattr(last, "numpy", lambda: None)()

    while sys.stdin.readline():
        timed(options.batches, work, before)


def step_worker(name, options):
    """Trains gin/vae.gin's model over one batch that is there, a round for a line."""
    import tensorflow as tf

    from tf_disentangle import configuration, datasets

    bindings = [f"train.data = @{name}()", f"train.batch_size = {BATCH}"]
    configuration.parse(["vae.gin"], [*bindings, "train.metrics = []"])
    with tempfile.TemporaryDirectory() as folder:
        model = configuration.build("train", output=folder, dry_run=True).model
    images = datasets.DATASETS[name]().images()[:BATCH]
    batches = tf.data.Dataset.from_tensors(images).repeat()

    def work(steps=options.steps):
        model.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)

    sys.stdin.readline()
    work(5)
    answer(0)
    while sys.stdin.readline():
        timed(options.steps, work, 0)


def start(name, way, options):
    """Starts a contestant's process."""
    common = [f"--{key}={getattr(options, key)}" for key in ("batches", "steps")]
    common += [f"--slice={options.slice}", "--worker", name, way]
    return subprocess.Popen(
        [sys.executable, __file__, *common],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=pathlib.Path(__file__).resolve().parents[1],
    )


def turn(process):
    """Lets a contestant run; returns its numbers, none if it could not."""
    process.stdin.write("\n")
    process.stdin.flush()
    return [float(value) for value in process.stdout.readline().split()]


def compete(name, ways, options):
    """Returns (cold seconds, what each round answered) of each way that can."""
    processes = {way: start(name, way, options) for way in ways}
    cold = {way: turn(process) for way, process in processes.items()}
    there = [way for way in ways if cold[way]]
    rounds = [
        {way: turn(processes[way]) for way in there} for _ in range(options.rounds)
    ]
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return {way: (cold[way][0], [each[way] for each in rounds]) for way in there}


def summary(values, digits=2):
    """The median, and the range, of what the rounds gave."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def print_ways(name, options):
    """Prints the table of a data set."""
    ways = [way for way in WAYS if way != "DataLoader" or has_torch()]
    results = compete(name, ways, options)
    base = [speed for speed, *_ in results["tf.data"][1]]
    head = f"{'images/s':>9}  {'x tf.data (range)':22} {'CPU ms':>7} {'cold s':>7}"
    print(f"\n{name:18} {head}  memory MB")
    for way, (cold, rounds) in results.items():
        speeds, cpu, memory = zip(*rounds, strict=True)
        ratios = summary([a / b for a, b in zip(speeds, base, strict=True)])
        milliseconds = 1000 * statistics.median(cpu)
        print(
            f"  {way:16} {statistics.median(speeds):9.0f}  {ratios:22} "
            f"{milliseconds:7.2f} {cold:7.2f} {memory[-1]:10.0f}"
        )


def print_step(name, options):
    """Prints what part of a training step a batch takes, resident if it can be."""
    results = compete(name, ["resident", "streamed", "step"], options)
    kind = "resident" if "resident" in results else "streamed"
    ours, steps = results[kind][1], results["step"][1]
    pairs = list(zip(ours, steps, strict=True))
    milliseconds = 1000 * BATCH / statistics.median(speed for speed, *_ in steps)
    wall = summary([100 * step[0] / batch[0] for batch, step in pairs])
    cpu = summary([100 * batch[1] / step[1] for batch, step in pairs])
    print(f"  a step takes {milliseconds:.0f} ms; a {kind} batch, in percent of it,")
    print(f"  {wall} of the time and {cpu} of the CPU time")


def has_torch():
    """Whether torch can be imported."""
    done = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True)
    return done.returncode == 0


def main():
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=GRIDS)
    parser.add_argument("--batches", type=int, default=500, help="per round")
    parser.add_argument("--steps", type=int, default=50, help="per round of --step")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slice", type=int, default=100_000)
    parser.add_argument("--step", action="store_true", help="beside a training step")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, way = options.worker
        if way == "step":
            step_worker(name, options)
        else:
            worker(name, way, options)
        return

    for name in options.datasets:
        print_ways(name, options)
        if options.step:
            print_step(name, options)
    if not has_torch():
        print("\ntorch is missing: no DataLoader")


if __name__ == "__main__":
    main()
