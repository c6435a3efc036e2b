"""Where rays meet simple solids that stand on the floor z = 0, above the origin.

Rays are origin + t direction with directions of length 1 and origins outside of the
solid: [3], or one for each ray [N, 3]. Each function returns the least t > 0, [N], inf
for rays that miss, and the solid's normals there, [N, 3].
"""

from __future__ import annotations

import numpy as np

Hits = tuple[np.ndarray, np.ndarray]


def sphere(
    origins: np.ndarray, directions: np.ndarray, radius: float, height: float
) -> Hits:
    """A sphere whose centre is at `height`."""
    start = origins - np.array([0.0, 0.0, height])
    along = dot(start, directions)
    depth = _first_root(1.0, along, dot(start, start) - radius**2)
    return depth, _points(start, directions, depth) / radius


def tube(
    origins: np.ndarray, directions: np.ndarray, radius: float, low: float, high: float
) -> Hits:
    """The side of a vertical cylinder between two heights."""
    start, flat = origins[..., :2], directions[:, :2]
    outside = dot(start, start) - radius**2
    depth = _first_root(dot(flat, flat), dot(start, flat), outside)
    points = _points(origins, directions, depth)
    inside = (points[:, 2] >= low) & (points[:, 2] <= high)
    normals = points / radius * np.array([1.0, 1.0, 0.0])
    return np.where(inside, depth, np.inf), normals


def disc(
    origins: np.ndarray, directions: np.ndarray, radius: float, height: float
) -> Hits:
    """A horizontal disc, seen from above."""
    with np.errstate(divide="ignore"):
        depth = (height - origins[..., 2]) / directions[:, 2]
    depth = np.where((depth > 0) & np.isfinite(depth), depth, np.inf)
    points = _points(origins, directions, depth)
    inside = dot(points[:, :2], points[:, :2]) <= radius**2
    normals = np.broadcast_to([0.0, 0.0, 1.0], points.shape)
    return np.where(inside, depth, np.inf), normals


def cube(
    origins: np.ndarray, directions: np.ndarray, side: float, radians: float
) -> Hits:
    """A cube that is turned about the vertical by `radians`."""
    cos, sin = np.cos(radians), np.sin(radians)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    start = (origins - np.array([0.0, 0.0, side / 2])) @ turn
    rays = directions @ turn
    corner = np.copysign(side / 2, rays)
    with np.errstate(divide="ignore"):
        enter, leave = -(start + corner) / rays, (corner - start) / rays
    face, depth, leave = enter.argmax(axis=1), enter.max(axis=1), leave.min(axis=1)
    depth = np.where((depth < leave) & (depth > 0), depth, np.inf)
    signs = -np.sign(np.take_along_axis(rays, face[:, None], axis=1))
    return depth, signs * turn.T[face]


def nearest(*hits: Hits) -> Hits:
    """Joins the hits of several surfaces."""
    depths = np.stack([depth for depth, _ in hits])
    first = depths.argmin(axis=0)
    rays = np.arange(len(first))
    return depths[first, rays], np.stack([n for _, n in hits])[first, rays]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products of the last axes."""
    return np.einsum("...i,...i", a, b)


def _first_root(a: np.ndarray | float, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The lesser root of a t^2 + 2 b t + c where it is positive, else inf."""
    inner = b**2 - a * c
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (-b - np.sqrt(inner)) / a
    return np.where(root > 0, root, np.inf)  # False for nan too


def _points(
    origins: np.ndarray, directions: np.ndarray, depth: np.ndarray
) -> np.ndarray:
    """Points at `depth`; those of rays that miss are of no use, but finite."""
    reach = np.where(np.isfinite(depth), depth, 0.0)
    return origins + reach[:, None] * directions
