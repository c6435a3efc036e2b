"""A tiny grid set and representations whose scores are known.

Images carry their factors: pixel (0, k) is the value of factor k, and row 1 holds the
nuisance of a stochastic set. A representation is a function from images to codes.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np
from scipy import stats

from tf_disentangle.interfaces import Dataset

_GOLDEN = pathlib.Path(__file__).parent / "golden" / "metrics_b.json"


class GridDataset(Dataset):
    """Independent uniform factors, drawn straight into the pixels.

    Attributes:
        num_rendered: Images rendered so far.
    """

    def __init__(self, factor_sizes, *, stochastic=False):
        self.factor_sizes = tuple(int(size) for size in factor_sizes)
        self.factor_names = tuple(f"factor{k}" for k in range(len(self.factor_sizes)))
        self.image_shape = (2, len(self.factor_sizes), 1)
        names = {"stochastic_images"} if stochastic else set()
        self.traits = frozenset(names)
        self.num_rendered = 0

    def __len__(self):
        return int(np.prod(self.factor_sizes))

    def images(self):
        grid = np.indices(self.factor_sizes).reshape(len(self.factor_sizes), -1).T
        return self.render(grid, np.random.default_rng(0))

    def sample_factors(self, n, rng):
        return rng.integers(self.factor_sizes, size=(n, len(self.factor_sizes)))

    def render(self, factors, rng=None):
        images = np.zeros((len(factors), *self.image_shape), np.uint8)
        images[:, 0, :, 0] = factors
        if "stochastic_images" in self.traits:
            images[:, 1, :, 0] = rng.integers(256, size=factors.shape)
        self.num_rendered += len(images)
        return images


class Relabelled(GridDataset):
    """The same images under other labels: columns permuted, or values reversed."""

    def __init__(self, factor_sizes, *, columns=None, reverse=False):
        columns = np.arange(len(factor_sizes)) if columns is None else columns
        super().__init__(np.asarray(factor_sizes)[columns])
        self.base = GridDataset(factor_sizes)
        self.image_shape = self.base.image_shape
        self.columns, self.reverse = np.asarray(columns), reverse

    def _values(self, factors):
        return np.asarray(self.factor_sizes) - 1 - factors if self.reverse else factors

    def sample_factors(self, n, rng):
        return self._values(self.base.sample_factors(n, rng)[:, self.columns])

    def render(self, factors, rng=None):
        return self.base.render(self._values(factors)[:, np.argsort(self.columns)], rng)


def factors_of(images):
    """Factors [B, K] that the images carry."""
    return images[:, 0, :, 0].astype(np.int64)


def standardised(images, sizes):
    """Factors [B, K] with mean 0 and a variance near 1."""
    sizes = np.asarray(sizes)
    return (factors_of(images) - (sizes - 1) / 2) / (sizes / np.sqrt(12))


def perfect(sizes):
    """One latent per factor, no noise."""
    return lambda images: standardised(images, sizes)


def collapsed(num_latents):
    """The same code for every image, as after posterior collapse."""
    return lambda images: np.full((len(images), num_latents), 0.1, np.float32)


def dead_latent(sizes):
    """Perfect, with a constant latent before the others."""
    return lambda images: np.insert(standardised(images, sizes), 0, 0.1, axis=1)


def duplicated(sizes):
    """Perfect, with factor 0 in two latents more, one of them shrunk."""

    def encode(images):
        codes = standardised(images, sizes)
        return np.column_stack([codes, -codes[:, 0], 0.5 * codes[:, 0]])

    return encode


def missing_factor(sizes):
    """Perfect but for the last factor, which no latent shows."""
    return lambda images: standardised(images, sizes)[:, :-1]


def hadamard(sizes):
    """An orthogonal matrix with equal magnitudes, for 2, 4 or 8 factors."""
    matrix = np.ones((1, 1))
    while len(matrix) < len(sizes):
        matrix = np.block([[matrix, matrix], [matrix, -matrix]]) / np.sqrt(2)
    return matrix


def rotated(sizes):
    """Every latent is an equal mixture of all factors."""
    return lambda images: standardised(images, sizes) @ hadamard(sizes)


def entangled(sizes):
    """Theorem 1 of Locatello et al. (2019): uniform marginals, all factors mixed.

    Factors become independent Gaussians by their quantiles, are rotated, and return to
    uniform: each latent is distributed as in the perfect code.
    """
    sizes = np.asarray(sizes)

    def encode(images):
        gaussian = stats.norm.ppf((factors_of(images) + 0.5) / sizes)
        return stats.norm.cdf(gaussian @ hadamard(sizes)) * np.sqrt(12)

    return encode


def noisy(sizes, scale, seed=0):
    """Perfect plus Gaussian noise, anew in each call: encode every draw."""
    rng = np.random.default_rng(seed)

    def encode(images):
        codes = standardised(images, sizes)
        return codes + scale * rng.standard_normal(codes.shape)

    return encode


def mixed(sizes, mixing, scale, seed=0):
    """A linear mixture plus Gaussian noise, anew in each call."""
    rng = np.random.default_rng(seed)

    def encode(images):
        codes = standardised(images, sizes) @ mixing
        return codes + scale * rng.standard_normal(codes.shape)

    return encode


def untrained(sizes, num_latents, seed):
    """A network of one hidden layer with the weights that it starts from."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(len(sizes), 16)) / np.sqrt(len(sizes))
    output = rng.normal(size=(16, num_latents)) / 4

    def encode(images):
        return np.maximum(standardised(images, sizes) @ hidden, 0) @ output

    return encode


def unrelated(num_latents, seed=0):
    """Codes that know nothing of the image."""
    rng = np.random.default_rng(seed)
    return lambda images: rng.standard_normal((len(images), num_latents))


def drawn(encode, sizes, n, seed=0):
    """Codes [n, L] and factors [n, K] of n draws: what metrics of arrays take."""
    dataset = GridDataset(sizes)
    factors = dataset.sample_factors(n, np.random.default_rng(seed))
    return encode(dataset.render(factors)), factors


def golden():
    """What disentanglement_lib's own code gives for `golden_samples`."""
    return json.loads(_GOLDEN.read_text(encoding="utf-8"))


def golden_samples():
    """Train codes and factors, test codes and factors of the golden values.

    The codes are a noisy mixture of five factors in ten latents; see the file.
    """
    described = golden()
    sizes, mixing = described["factor_sizes"], np.array(described["mixing"])
    rng = np.random.RandomState(2)  # The legacy stream, which numpy keeps as it is.
    factors = [
        np.stack([rng.randint(size, size=n) for size in sizes], axis=1)
        for n in (10_000, 5_000)
    ]
    arrays = []
    for part in factors:
        scaled = (part - (np.array(sizes) - 1) / 2) / (sizes / np.sqrt(12))
        codes = scaled @ mixing + 0.3 * rng.standard_normal((len(part), 10))
        arrays += [codes.astype(np.float32), part]
    return tuple(arrays)
