"""Where runs on MNIST keep the digit, and their traversals side by side.

    .venv/bin/python benchmarks/digits.py NAME=RUN ... --picture=docs/images/digits.png

After JointVAE's figure 3 (arXiv:1804.00104). On the images that each run held out, with
whatever is fitted fitted on those it was trained on: the accuracy of its categorical
latent (`metrics.assignment_accuracy`); of each continuous latent alone, the best digit
for each of 20 equally filled bins; and of all continuous latents together, by logistic
regression. Beside them each latent's information on the digit, 20 bins of equal width.
Continuous latents with a KL (InfoGAN: information) below 0.05 nats are left out: the
metrics do not see how small a code is beside its noise.

The picture, two runs side by side, starts all of them from the same image, the steps
from the 0.05 to the 0.95 quantile; its rows are the latents of most nats.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression

import tf_disentangle
from tf_disentangle import metrics, visualization


def codes_and_digits(run):
    """Returns codes and digits of the training images and of the held-out ones."""
    batches, data = run.batches, run.data
    for part in (np.sort(batches.training), np.sort(batches.held_out)):
        yield run.encode(data.images()[part]), data.factors_of(part)[:, 0]


def nats_of(run):
    """Returns each latent's last KL, or information if the model records that."""
    name = f"{run.model.per_latent}_per_latent"
    return np.asarray([row for row in run.history if name in row][-1][name])


def alone(codes, digits, held_codes, held_digits):
    """Returns the held-out accuracy of one continuous latent, [N] and [M]."""
    edges = np.quantile(codes, np.linspace(0, 1, 21)[1:-1])
    values = np.searchsorted(edges, codes), np.searchsorted(edges, held_codes)
    return metrics.assignment_accuracy(
        values[0], digits, values[1], held_digits, rule="majority"
    ).score


def together(codes, digits, held_codes, held_digits):
    """Returns the held-out accuracy of logistic regression on codes [N, L]."""
    scale = codes.std(axis=0) + 1e-9
    fitted = LogisticRegression(max_iter=1000).fit(codes / scale, digits)
    return fitted.score(held_codes / scale, held_digits)


def report(name, run):
    """Prints a run's figures."""
    (codes, digits), (held, held_digits) = codes_and_digits(run)
    columns = run.model.latents.columns
    is_category = np.array([column.kind == "categorical" for column in columns])
    kept = np.flatnonzero((nats_of(run) > 0.05) | is_category)
    if not len(kept):
        print(f"{name}, step {run.step}: every latent has less than 0.05 nats")
        return
    codes, held, columns = codes[:, kept], held[:, kept], [columns[i] for i in kept]
    mig = metrics.mig_score(held, held_digits[:, np.newaxis], columns=columns)
    print(f"{name}, step {run.step}: MIG {mig.score:.3f}")
    order = np.argsort(-mig.mutual_information[:, 0])
    for latent in order:
        known = mig.mutual_information[latent, 0] / mig.entropies[0]
        parts = codes[:, latent], digits, held[:, latent], held_digits
        if columns[latent].kind == "categorical":
            found = metrics.assignment_accuracy(*parts)
            low, high = found.interval.low, found.interval.high
            accuracy = f"{found.score:.4f} [{low:.3f}, {high:.3f}]"
            majority = metrics.assignment_accuracy(*parts, rule="majority").score
            accuracy += f", by majority {majority:.4f}, digits {found.assignment}"
        else:
            accuracy = f"{alone(*parts):.3f}"
        print(f"  {columns[latent].name}: {known:.3f} of the digit; right {accuracy}")
    real = [i for i, column in enumerate(columns) if column.kind == "continuous"]
    if real:
        all_right = together(codes[:, real], digits, held[:, real], held_digits)
        print(f"  all continuous ones together: right {all_right:.3f}")


def traversals(name, run, image, num_rows):
    """Returns a run's traversals from `image`, the latents of most nats."""
    nats = nats_of(run)
    return visualization.traversals(
        run.model.decode,
        run.encode(image[np.newaxis])[0],
        values=visualization.normal_quantiles(10),
        columns=run.model.latents.columns,
        notes=[f"{value:.2f} nats" for value in nats],
        order=np.argsort(-nats)[:num_rows],
        title=name,
        scale=1,
    )


def joined(pictures, axis):
    """Returns pictures uint8 [H, W, 3] below each other (0) or side by side (1)."""
    size = max(picture.shape[1 - axis] for picture in pictures)
    padded = []
    for picture in pictures:
        widths = [(0, 0)] * 3
        widths[1 - axis] = (0, size - picture.shape[1 - axis])
        padded.append(np.pad(picture, widths, constant_values=255))
    return np.concatenate(padded, axis=axis)


def main():
    """Reports on the runs and draws them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--picture")
    parser.add_argument("--image", type=int, default=0, help="of the held-out ones")
    parser.add_argument("--rows", type=int, default=8, help="latents in the picture")
    options = parser.parse_args()
    pictures = []
    for text in options.runs:
        name, _, folder = text.rpartition("=")
        run = tf_disentangle.load(folder)
        report(name or folder, run)
        held_out = np.sort(run.batches.held_out)
        image = run.data.images()[held_out[options.image : options.image + 1]][0]
        pictures.append(traversals(name or folder, run, image, options.rows))
    if options.picture:
        pairs = [pictures[i : i + 2] for i in range(0, len(pictures), 2)]
        page = joined([joined(pair, axis=1) for pair in pairs], axis=0)
        visualization.save(page, options.picture)


if __name__ == "__main__":
    main()
