"""Pinwheel: points in the plane on arms that are bent into a wheel.

    (a, b) ~ N((1, 0), diag(radial_std^2, tangential_std^2))    along, across the arm
    angle  = 2 pi arm / num_arms + rate exp(a)
    x + i y = (a + i b) exp(-i angle)

so the further out a point lies, the further its arm has turned.

References:
    Johnson et al., Composing graphical models with neural networks (NIPS 2016),
    arXiv:1603.06277. Mathieu et al., Disentangling Disentanglement in
    Variational Autoencoders (ICML 2019), arXiv:1812.02833: 4 arms of 100 points for
    training and as many for testing. Their code takes the two deviations in the other
    order, so that its 0.1 and 0.3 are 0.3 along and 0.1 across the arms, as here.
"""

from __future__ import annotations

import numpy as np

from tf_disentangle import checks
from tf_disentangle.datasets.factors import check_draw, check_factors, check_indices
from tf_disentangle.interfaces import Dataset

# Keeps the training points apart from what a user draws with the same small seed.
_TRAINING_STREAM = 1


class Pinwheel(Dataset):
    """Points of the plane, float32 [n, 1, 1, 2], with one factor: the arm.

    Args:
        num_points: Number of points, spread over the arms as evenly as possible.
        num_arms: Number of arms, at least 2.
        radial_std: Spread along the arm, greater than 0.
        tangential_std: Spread across the arm, greater than 0.
        rate: How far the arms are bent, in radians per exp(radius).
        seed: Seed of the points.

    Raises:
        ArgumentError: if an argument is out of its range.
    """

    factor_names = ("arm",)
    image_shape = (1, 1, 2)
    traits = frozenset({"known_rows", "stochastic_images", "vectors"})

    def __init__(
        self,
        num_points: int = 800,
        num_arms: int = 4,
        radial_std: float = 0.3,
        tangential_std: float = 0.1,
        rate: float = 0.25,
        seed: int = 0,
    ) -> None:
        self.num_points = checks.integer(num_points, "num_points", at_least=1)
        self.num_arms = checks.integer(num_arms, "num_arms", at_least=2)
        self.radial_std = checks.real(radial_std, "radial_std", above=0.0)
        self.tangential_std = checks.real(tangential_std, "tangential_std", above=0.0)
        self.rate = checks.real(rate, "rate")
        self.seed = checks.integer(seed, "seed", at_least=0)
        self.factor_sizes = (self.num_arms,)

    def __len__(self) -> int:
        return self.num_points

    def images(self) -> np.ndarray:
        """The points, read-only float32 [num_points, 1, 1, 2]."""
        rng = np.random.default_rng([_TRAINING_STREAM, self.seed])
        points = self.render(self.factors_of(np.arange(self.num_points)), rng)
        points.setflags(write=False)
        return points

    def factors_of(self, indices: np.ndarray) -> np.ndarray:
        """Maps indices [n] of points to their arms, int64 [n, 1]: in turn."""
        return check_indices(indices, self.num_points)[:, np.newaxis] % self.num_arms

    def sample_factors(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws arms, int64 [n, 1], each as likely as the others."""
        return rng.integers(self.num_arms, size=(check_draw(n, rng), 1))

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Draws a point on each of the arms [n, 1], float32 [n, 1, 1, 2]."""
        factors = check_factors(factors, self.factor_names, self.factor_sizes)
        remedy = "Points are random on their arm: np.random.default_rng(0)."
        checks.require(rng is not None, "rng", "be given", rng, remedy)
        normal = rng.standard_normal((len(factors), 2))
        along = 1.0 + self.radial_std * normal[:, 0]
        across = self.tangential_std * normal[:, 1]
        turned = 2 * np.pi * factors[:, 0] / self.num_arms + self.rate * np.exp(along)
        points = (along + 1j * across) * np.exp(-1j * turned)
        pairs = np.stack([points.real, points.imag], axis=1)
        return pairs.astype(np.float32)[:, np.newaxis, np.newaxis]
