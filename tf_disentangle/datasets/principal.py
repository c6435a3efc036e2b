"""How the variance of a data set is spread over its principal axes.

    X = U diag(s) V^T,   share_i = s_i^2 / (s_1^2 + ... + s_L^2)

References:
    Mathieu et al., Disentangling Disentanglement in Variational Autoencoders (ICML
    2019), arXiv:1812.02833, the experiments: the variances of an anisotropic prior.
"""

from __future__ import annotations

import numpy as np

from tf_disentangle import checks
from tf_disentangle.interfaces import Dataset


def principal_shares(
    dataset: Dataset,
    num_latents: int = 10,
    num_images: int = 2000,
    centred: bool = True,
    seed: int = 0,
) -> tuple[float, ...]:
    """Returns the share of each principal axis in the sum of the L largest variances.

    They can be the `proportions` of a `NormalPrior`.

    Args:
        dataset: The data set whose images are taken.
        num_latents: L, at most the number of images and of pixels.
        num_images: How many images to take, drawn without replacement; all if the set
            has fewer.
        centred: Whether the mean image is subtracted first. The authors' code does not,
            so that the mean counts as variance.
        seed: Seed of the draw.

    Returns:
        L positive numbers in falling order whose sum is 1.

    Raises:
        ArgumentError: If the images have fewer than L axes with any variance.
    """
    num_latents = checks.integer(num_latents, "num_latents", at_least=1)
    num_images = checks.integer(num_images, "num_images", at_least=1)
    checks.one_of(centred, (True, False), "centred")
    rng = np.random.default_rng(checks.integer(seed, "seed", at_least=0))
    count = min(num_images, len(dataset))
    # Sorted: a memory map is read from front to back.
    indices = np.sort(rng.choice(len(dataset), count, replace=False))
    rows = np.asarray(dataset.images()[indices], np.float64).reshape(count, -1)
    if centred:
        rows -= rows.mean(axis=0)
    # s^2 are the eigenvalues of X X^T and of X^T X: the smaller one costs least.
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    squares = np.linalg.eigvalsh(gram)[::-1]
    rank = int((squares > squares[0] * 1e-10).sum())
    checks.require(
        num_latents <= rank,
        "num_latents",
        f"be at most the {rank} axes on which {count} images vary",
        num_latents,
        "Raise num_images or lower num_latents.",
    )
    largest = squares[:num_latents]
    return tuple((largest / largest.sum()).tolist())
