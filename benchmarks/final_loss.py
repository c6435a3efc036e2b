"""The loss that a training ends with, beside the same training in plain PyTorch.

    .venv/bin/python benchmarks/final_loss.py --torch_python=/path/with/torch/python

Speed is worth nothing if it costs accuracy. Both train the network of gin/chyvae.gin
with the loss of benchmarks/torch_reference.py, which is gin/vae.gin's with a full
covariance, on CorrelatedEllipses. PyTorch's weights start from Keras's distributions,
and its Adam has Keras's epsilon. Printed: for every seed the mean loss of the last
hundred steps, in nats per image. Fewer steps than 4,000 meet no image twice; between
800 and 1,200 the loss falls by half, sooner or later with the seed, so compare later.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

LAST = 100
OURS = ["GaussianLatents.covariance = 'full'"]


def ours(steps, seed):
    """Trains with this library; returns the loss."""
    from tf_disentangle.cli import startup

    startup.import_tensorflow()
    from tf_disentangle import configuration

    bindings = [
        *OURS,
        f"train.steps = {steps}",
        f"train.seed = {seed}",
        f"Intervals.log = {LAST}",
        "Intervals.evaluate = 0",
        "Intervals.save = 0",
        "Intervals.pictures = 0",
        "train.metrics = []",
    ]
    configuration.parse(["vae.gin"], bindings)
    with tempfile.TemporaryDirectory() as folder:
        run = configuration.build("train", dry_run=True, output=folder)
        run.start()
        return run.history[-1]["loss"]


def theirs(steps, seed, images):
    """Trains with PyTorch; returns the loss."""
    import numpy as np
    import torch
    import torch_reference

    torch.manual_seed(seed)
    data = np.load(images, mmap_mode="r")
    order = np.random.default_rng(seed).permutation(len(data))
    model = torch_reference.VAE()
    for parameters in model.parameters():
        if parameters.ndim > 1:
            torch.nn.init.xavier_uniform_(parameters)
        else:
            torch.nn.init.zeros_(parameters)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, eps=1e-7)
    losses = []
    for step in range(steps):
        start = step * torch_reference.BATCH % len(data)
        rows = np.sort(order[start : start + torch_reference.BATCH])
        batch = torch.from_numpy(data[rows]).movedim(-1, 1).float() / 255
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return statistics.mean(losses[-LAST:])


def in_a_process(python, *arguments):
    """Returns what this file printed last in a process of its own, a loss."""
    command = [python, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1])


def main():
    """Trains with each seed, in turns, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch_python", default=sys.executable)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--worker", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        seed, *images = options.worker
        worker = theirs if images else ours
        print(worker(options.steps, int(seed), *images))
        return
    import numpy as np

    from tf_disentangle.datasets import CorrelatedEllipses

    losses = {"ours": [], "PyTorch": []}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "images.npy")
        np.save(path, np.asarray(CorrelatedEllipses().images()))
        for seed in range(options.seeds):
            for name, python, images in (
                ("ours", sys.executable, []),
                ("PyTorch", options.torch_python, [path]),
            ):
                steps = f"--steps={options.steps}"
                loss = in_a_process(python, steps, "--worker", seed, *images)
                losses[name].append(loss)
                print(f"{name}, seed {seed}: {loss:.2f} nats", flush=True)
    for name, values in losses.items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"{name}: mean {statistics.mean(values):.2f} nats ({spread})")


if __name__ == "__main__":
    main()
