"""Intersections against marching along the rays through signed distances."""

import numpy as np
import pytest

from tf_disentangle.datasets import ray_casting as rays
from tf_disentangle.datasets.rooms3d import SHAPES, _hit

CAMERA = np.array([0.0, -6.0, 2.7])
RADIANS = 0.4


def to_sphere(p, radius, height):
    return np.linalg.norm(p - [0, 0, height], axis=1) - radius


def to_capsule(p, radius, height):
    nearest = np.zeros_like(p)
    nearest[:, 2] = np.clip(p[:, 2], radius, height - radius)
    return np.linalg.norm(p - nearest, axis=1) - radius


def to_cylinder(p, radius, height):
    d = np.stack(
        [np.hypot(p[:, 0], p[:, 1]) - radius, np.abs(p[:, 2] - height / 2) - height / 2]
    )
    return np.minimum(d.max(axis=0), 0) + np.linalg.norm(np.maximum(d, 0), axis=0)


def to_cube(p, side):
    x = np.cos(RADIANS) * p[:, 0] + np.sin(RADIANS) * p[:, 1]
    y = -np.sin(RADIANS) * p[:, 0] + np.cos(RADIANS) * p[:, 1]
    d = np.abs(np.stack([x, y, p[:, 2] - side / 2])) - side / 2
    return np.minimum(d.max(axis=0), 0) + np.linalg.norm(np.maximum(d, 0), axis=0)


DISTANCE = {
    "cube": lambda p: to_cube(p, 1.3 * 0.9),
    "sphere": lambda p: to_sphere(p, 0.85 * 0.9, 0.85 * 0.9),
    "cylinder": lambda p: to_cylinder(p, 0.7 * 0.9, 1.5 * 0.9),
    "capsule": lambda p: to_capsule(p, 0.55 * 0.9, 2.0 * 0.9),
}


def march(distance, origins, directions):
    depth = np.zeros(len(directions))
    for _ in range(300):
        depth += distance(origins + depth[:, None] * directions)
    return depth


def towards(points, origins):
    directions = points - origins
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("one_origin", [True, False])
def test_depths_and_normals(shape, one_origin):
    rng = np.random.default_rng(3)
    distance = DISTANCE[shape]
    origins = CAMERA + rng.normal(size=(2000, 3)) * (0 if one_origin else 0.7)
    directions = towards(rng.normal(size=(2000, 3)) * 0.8 + [0, 0, 0.9], origins)
    given = CAMERA if one_origin else origins
    depth, normals = _hit(shape, 0.9, RADIANS, given, directions)
    hit = np.isfinite(depth)
    assert 400 < hit.sum() < 1900

    marched = march(distance, origins, directions)
    at = origins + marched[:, None] * directions
    touches = distance(at) < 1e-6
    # Rays that graze the solid may go either way.
    assert (hit != touches).mean() < 0.01
    both = hit & touches
    np.testing.assert_allclose(depth[both], marched[both], atol=1e-4)

    points = (origins + np.where(hit, depth, 0)[:, None] * directions)[both]
    step = 1e-6
    slopes = [
        (distance(points + e) - distance(points - e)) / (2 * step)
        for e in step * np.eye(3)
    ]
    error = np.abs(np.stack(slopes, axis=1) - normals[both]).max(axis=1)
    # At the edges the distance has no slope.
    assert (error < 1e-3).mean() > 0.99


def test_what_lies_behind_is_not_hit():
    away = np.array([[0.0, -1.0, 0.0]])
    for shape in SHAPES:
        depth, _ = _hit(shape, 1.0, 0.0, np.array([0.0, -6.0, 0.5]), away)
        assert np.isinf(depth).all()
    depth, _ = rays.disc(CAMERA, np.array([[0.0, 1.0, 0.0]]), 9.0, 1.0)
    assert np.isinf(depth).all()
