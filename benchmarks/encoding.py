"""CPU time of encoding an image, and of a draw of log_evidence, beside the floor.

    .venv/bin/python benchmarks/encoding.py [--rounds=5] [--record]

An untrained VAE of 64 x 64 images. The floor is the network's arithmetic at the speed
of a matrix product of 1,024 x 1,024. All take turns; figures are medians of CPU seconds
over all threads.
"""

import argparse
import statistics
import time

import numpy as np
import performance
import tensorflow as tf

import tf_disentangle as td
from tf_disentangle.models import importance

NUM_IMAGES, NUM_DRAWS, SIDE = 2_048, 500, 1_024


def multiplications(network):
    """Returns how many a network does for one image."""
    total = 0
    for layer in network.layers:
        if not layer.weights:
            continue
        kernel = layer.kernel.shape
        # Each pixel of the smaller side meets the whole kernel once.
        pixels = [np.prod(t.shape[1:-1]) for t in (layer.input, layer.output)]
        total += int(min(pixels) * np.prod(kernel))
    return total


def tasks(model, images):
    """Returns what is timed: (name, function, for how many, multiplications each)."""
    square = tf.random.normal([SIDE, SIDE])
    product = tf.function(lambda a: tf.matmul(a, a), autograph=False)
    per_image, per_draw = map(multiplications, (model.encoder, model.decoder))
    weights = importance._log_weight_function(model)
    one, count = tf.constant(images[:1]), tf.constant(NUM_DRAWS)
    seed = tf.constant([0, 0], tf.int32)
    yield "matrix product", lambda: product(square).numpy(), 1, SIDE**3
    for size in (64, 256, 1_024):

        def encode(size=size):
            for start in range(0, len(images), size):
                model._encode(tf.constant(images[start : start + size])).numpy()

        yield f"encoding, {size} images a call", encode, len(images), per_image
    yield (
        "a draw of log_evidence",
        lambda: weights(one, count, seed).numpy(),
        NUM_DRAWS,
        per_draw,
    )


def main():
    """Prints one table, and records it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    data = td.datasets.DSprites()
    rows = np.linspace(0, len(data) - 1, NUM_IMAGES).astype(int)
    model = td.models.build_vae(data)
    chosen = list(tasks(model, data.images()[rows]))
    for _, function, _, _ in chosen:
        function()
    found = {name: [] for name, *_ in chosen}
    for _ in range(options.rounds):
        for name, function, count, _ in chosen:
            began = time.process_time()
            function()
            found[name].append((time.process_time() - began) / count * 1e6)
    speed = SIDE**3 / statistics.median(found["matrix product"])
    print(f"a matrix product does {2e-3 * speed:.0f} GFLOP/s of CPU time")
    rows = []
    for name, _, _, each in chosen[1:]:
        middle, floor = statistics.median(found[name]), each / speed
        print(f"{name:32} {middle:7.1f} us, floor {floor:.1f}")
        rows.append(
            performance.Row(
                name,
                round(middle, 1),
                "microseconds of CPU",
                range=[round(f(found[name]), 1) for f in (min, max)],
                floor=round(floor, 1),
            )
        )
    if options.record:
        measurement = performance.Measurement(
            name="An image through the encoder, a draw through the decoder",
            text="",
            command=".venv/bin/python benchmarks/encoding.py",
            rows=rows,
            floor="the network's arithmetic at the speed of a matrix product",
            **performance.machine(),
        )
        performance.record("encoding", measurement)


if __name__ == "__main__":
    main()
