"""Rooms3D: an object in the corner of a room, drawn by a small ray caster of our own.

These are not the images of Shapes3D (Burgess and Kim, 2018). The six factors, their
numbers of values and their order are the same, so that experiments on colour images
need no download; numbers measured on one set say nothing about the other.

    floor_hue, wall_hue, object_hue   k / 10 of the colour circle
    scale                             linspace(0.75, 1.25, 8)
    shape                             cube, cylinder, sphere, capsule
    orientation                       linspace(-30, 30, 15) degrees: the camera goes
                                      round the object, so room and object turn

Every ray ends on the floor, a wall or the object, so a pixel is the sum

    pixel = (sum_s w_s colour_s + 128) div 256,    s in {floor, wall, object, highlight}

with weights w_s in [0, 255] that depend on scale, shape and orientation alone: 480
tables of 64 x 64 x 4, from which an image is composed when it is asked for. Weights and
colours are integers and their sums less than 2^24, so float32 adds them without error
in any order and images are equal on every machine.
"""

from __future__ import annotations

import colorsys
import functools

import numpy as np

from tf_disentangle.datasets import ray_casting
from tf_disentangle.datasets.grid import Grid
from tf_disentangle.datasets.lazy import LazyImages

SHAPES = ("cube", "cylinder", "sphere", "capsule")

_SIDE = 64
_SCALES = np.linspace(0.75, 1.25, 8)
_RADIANS = np.deg2rad(np.linspace(-30, 30, 15))
# Rays per pixel along each axis: enough for soft edges.
_RAYS = 3
# Images per step of `render`: their weights stay in the processor's cache, and the
# allocator keeps arrays of this size.
_BLOCK = 4

# The scene: z is up, the object stands on the origin, the camera looks along +y.
_CAMERA = np.array([0.0, -6.0, 2.7])
_TARGET = np.array([0.0, 0.0, 1.05])
_HALF_VIEW = 0.38  # tangent of half the angle of view
_WALLS = 3.2  # distance of the two walls from the origin
_LIGHT = np.array([-0.45, -0.55, 0.9]) / np.linalg.norm([-0.45, -0.55, 0.9])
_AMBIENT, _SHADOW = 0.5, 0.6


class Rooms3D(Grid):
    """A coloured object in a coloured room; not Shapes3D's images, but its factors.

    480,000 images, composed when they are asked for. The tables (31 MB) are made at
    the first use, in about two seconds.
    """

    factor_names = (
        "floor_hue",
        "wall_hue",
        "object_hue",
        "scale",
        "shape",
        "orientation",
    )
    factor_sizes = (10, 10, 10, len(_SCALES), len(SHAPES), len(_RADIANS))
    image_shape = (_SIDE, _SIDE, 3)

    def images(self) -> LazyImages:
        """All images in the factors' order, uint8 [480000, 64, 64, 3], not stored."""
        return LazyImages(len(self), self.image_shape, self._numbered)

    def render(
        self, factors: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Renders factors [n, 6] as uint8 [n, 64, 64, 3]; `rng` is not used."""
        indices = self.index_of(factors)
        return self._numbered(indices)

    def _numbered(self, indices: np.ndarray) -> np.ndarray:
        """Composes the images of checked indices [n]."""
        *hues, scale, shape, orientation = np.unravel_index(indices, self.factor_sizes)
        geometry = np.ravel_multi_index(
            (scale, shape, orientation), self.factor_sizes[3:]
        )
        highlight = np.full_like(hues[0], len(_colours()) - 1)
        colours = _colours()[np.stack([*hues, highlight], axis=1)]
        images = np.empty((len(indices), _SIDE * _SIDE, 3), np.uint8)
        for start in range(0, len(indices), _BLOCK):
            block = slice(start, start + _BLOCK)
            sums = _weights()[geometry[block]] @ colours[block]
            sums += 0.5
            # The cast rounds down: all sums are positive.
            images[block] = sums
        return images.reshape(-1, *self.image_shape)


@functools.cache
def _colours() -> np.ndarray:
    """Colours of the ten hues and of highlights, float32 [11, 3], divided by 256."""
    hues = [colorsys.hsv_to_rgb(k / 10, 0.8, 1.0) for k in range(10)]
    return (np.rint(255 * np.array([*hues, (1, 1, 1)])) / 256).astype(np.float32)


@functools.cache
def _weights() -> np.ndarray:
    """Weights of floor, wall, object and highlight, float32 [480, 4096, 4]."""
    sizes = (len(_SCALES), len(SHAPES), len(_RADIANS))
    weights = np.empty((*sizes, _SIDE * _SIDE, 4), np.float32)
    directions = _directions()
    for orientation, radians in enumerate(_RADIANS):
        room = _Room(directions, radians)
        for scale, shape in np.ndindex(sizes[:2]):
            rays = room.weights(SHAPES[shape], float(_SCALES[scale]))
            pixels = rays.reshape(-1, _SIDE * _SIDE, 4).mean(axis=0)
            weights[scale, shape, orientation] = np.rint(255 * pixels)
    return weights.reshape(-1, _SIDE * _SIDE, 4)


def _directions() -> np.ndarray:
    """Directions of the camera's rays, float64 [9 x 64 x 64, 3].

    Rays of one place within their pixels lie together, row by row of the image.
    """
    forward = (_TARGET - _CAMERA) / np.linalg.norm(_TARGET - _CAMERA)
    right = np.array([1.0, 0.0, 0.0])
    up = np.cross(right, forward)
    within = (np.arange(_RAYS) + 0.5) / _RAYS
    across = _HALF_VIEW * (2 * (np.arange(_SIDE) + within[:, None]) / _SIDE - 1)
    downwards = across[:, None, :, None, None] * up
    sideways = across[None, :, None, :, None] * right
    rays = (forward - downwards + sideways).reshape(-1, 3)
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


class _Room:
    """What the rays see of a room that is turned by `radians`; objects are added.

    The room is turned instead of the camera, so that the rays are always the same.
    """

    def __init__(self, directions: np.ndarray, radians: float) -> None:
        self.directions, self.radians = directions, radians
        cos, sin = np.cos(radians), np.sin(radians)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        self.light = turn @ _LIGHT
        # The walls meet in a corner behind the object; normals point inwards.
        half = np.sqrt(0.5)
        walls = turn @ np.array([[half, -half], [-half, -half], [0, 0]])
        normals = np.stack([[0.0, 0.0, 1.0], *walls.T])
        facing = directions @ normals.T
        distances = -(_CAMERA @ normals.T + [0, _WALLS, _WALLS])
        with np.errstate(divide="ignore"):
            along = np.where(facing < 0, distances / facing, np.inf)
        self.surface = along.argmin(axis=1)
        self.depth = along.min(axis=1)
        self.points = _CAMERA + self.depth[:, None] * directions
        self.reach = np.linalg.norm(self.points, axis=1)
        # Light falls off a little with the distance from the camera.
        fall = np.clip(1.15 - 0.035 * self.depth, 0.5, 1.0)
        lit = _AMBIENT + (1 - _AMBIENT) * np.clip(normals @ self.light, 0, 1)
        self.shade = lit[self.surface] * fall

    def weights(self, shape: str, scale: float) -> np.ndarray:
        """Weights of each ray [N, 4], for one object in this room."""
        weights = np.zeros((len(self.shade), 4), np.float32)
        rays = np.arange(len(weights))
        weights[rays, np.minimum(self.surface, 1)] = self.shade
        # Only floor near the object can lie in its shadow.
        floor = np.flatnonzero((self.surface == 0) & (self.reach < 3.5 * scale))
        towards = np.broadcast_to(self.light, (len(floor), 3))
        depth, _ = _hit(shape, scale, self.radians, self.points[floor], towards)
        weights[floor[np.isfinite(depth)]] *= _SHADOW
        near = _near(self.directions, scale)
        seen = self.directions[near]
        depth, normals = _hit(shape, scale, self.radians, _CAMERA, seen)
        hit = depth < self.depth[near]
        weights[near[hit]] = self._object(seen[hit], normals[hit])
        return weights

    def _object(self, directions: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Weights of rays that end on the object [n, 4], by Blinn and Phong."""
        lit = np.clip(normals @ self.light, 0, 1)
        halfway = self.light - directions
        halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
        highlight = 0.35 * np.clip(ray_casting.dot(normals, halfway), 0, 1) ** 30
        body = (1 - highlight) * (0.3 + 0.7 * lit)
        nothing = np.zeros_like(body)
        return np.stack([nothing, nothing, body, highlight], axis=1)


def _near(directions: np.ndarray, scale: float) -> np.ndarray:
    """Which of the camera's rays pass through a ball that holds every object."""
    centre = np.array([0.0, 0.0, scale]) - _CAMERA
    along = directions @ centre
    return np.flatnonzero(centre @ centre - along**2 < (1.4 * scale) ** 2)


def _hit(
    shape: str,
    scale: float,
    radians: float,
    origins: np.ndarray,
    directions: np.ndarray,
) -> ray_casting.Hits:
    """Where rays meet the object: distances [N], inf for a miss, and normals [N, 3]."""
    rays = origins, directions
    if shape == "cube":
        return ray_casting.cube(*rays, 1.3 * scale, radians)
    if shape == "sphere":
        return ray_casting.sphere(*rays, 0.85 * scale, 0.85 * scale)
    if shape == "cylinder":
        radius, height = 0.7 * scale, 1.5 * scale
        side = ray_casting.tube(*rays, radius, 0.0, height)
        return ray_casting.nearest(side, ray_casting.disc(*rays, radius, height))
    radius, height = 0.55 * scale, 2.0 * scale
    return ray_casting.nearest(
        ray_casting.tube(*rays, radius, radius, height - radius),
        ray_casting.sphere(*rays, radius, radius),
        ray_casting.sphere(*rays, radius, height - radius),
    )
